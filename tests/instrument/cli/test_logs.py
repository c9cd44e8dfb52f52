"""What a command says while it runs: lines where nobody watches a terminal, a log, no escapes."""

import logging
import os
import re
import signal
import sys

import pytest

from instrument import progress
from instrument.cli.logs import start_logging
from instrument.interruption import Interrupted, Interruption
from instrument.printable import printable, printable_values
from instrument.progress import step

PACKAGES = "instrument", "drivers", "simulator", "calibration", "kirchhoff"
RUN = "run", "--bench", "sim:8x4", "--matrix", "random"
ESCAPES = "\x1b]0;mine\x07\x1b[2J\x9b31m\u202egnp.exe"


@pytest.fixture(autouse=True)
def _no_handlers_afterwards():
    loggers = [logging.getLogger(name) for name in PACKAGES]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


def test_one_line_a_step_where_stderr_is_no_terminal_and_a_log_of_everything(ohmsum, tmp_path):
    outcome = ohmsum(*RUN, "--json", "--log", "run.log")
    assert outcome.status == 0
    lines = outcome.err.splitlines()
    steps = [re.fullmatch(r"\d\d:\d\d:\d\d (\w+): done in [\d.]+ s", line) for line in lines]
    names = [found[1] for found in steps if found]
    assert names[:4] == ["open", "calibrate", "program", "validate"]
    assert len(names) == len(set(names))

    log = (tmp_path / "run.log").read_text("utf-8")
    assert "ohmsum run --bench sim:8x4" in log
    assert "drivers.link: TCPIP::127.0.0.1::" in log
    assert r"sent 6 bytes: b'*IDN?\n'" in log
    assert "instrument.progress: calibrate: done in" in log


def test_the_log_ends_with_what_ended_the_command(ohmsum, tmp_path):
    for _ in range(2):
        outcome = ohmsum("run", "--bench", "nowhere.toml", "--matrix", "random", "--log", "run.log")
        assert outcome.status == 2
        assert len(outcome.err.splitlines()) == 1
    log = (tmp_path / "run.log").read_text("utf-8").splitlines()
    assert "nowhere.toml" in log[-1]
    assert sum("instrument.cli.exits: " in line for line in log) == 2  # it goes on where it was


def test_nothing_but_a_log_is_written_behind(ohmsum, tmp_path):
    matrix = tmp_path / "w.csv"
    matrix.write_text("0.5,1\n0.25,1\n", "utf-8")
    outcome = ohmsum(*RUN[:-1], "w.csv", "--log", "w.csv")
    assert outcome.status == 2
    assert (
        outcome.err == "ohmsum: w.csv: exists and is not a log of ohmsum; name another with --log\n"
    )
    assert matrix.read_text("utf-8") == "0.5,1\n0.25,1\n"


def test_a_log_to_a_pipe_that_nobody_reads(ohmsum, tmp_path):
    os.mkfifo(tmp_path / "log")
    outcome = ohmsum("run", "--bench", "nowhere.toml", "--matrix", "random", "--log", "log")
    assert outcome.status == 74
    assert outcome.err.startswith("ohmsum: log: cannot be written")


def test_a_log_that_cannot_be_written(ohmsum):
    outcome = ohmsum(*RUN, "--log", "no/such/folder/run.log")
    assert outcome.status == 74
    assert outcome.err.startswith("ohmsum: no/such/folder/run.log: cannot be written (No such file")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_log_on_a_full_disk_ends_nothing(capfd, tmp_path):
    os.symlink("/dev/full", tmp_path / "run.log")
    start_logging(file=tmp_path / "run.log")
    log = logging.getLogger("instrument.test")
    for _ in range(3):
        log.info("still here")
    said = capfd.readouterr().err
    assert said.count("is not written any more") == 1
    assert said.count("still here") == 3


def test_verbose_says_more_but_no_bytes(capfd):
    start_logging(verbose=True)
    logging.getLogger("simulator.test").debug("a detail")
    logging.getLogger("drivers.link").debug("bytes")
    assert capfd.readouterr().err.split()[1:] == ["a", "detail"]


def test_a_stderr_that_has_gone_ends_nothing(monkeypatch):
    class Gone:
        def write(self, _):
            raise BrokenPipeError

        flush = write

    start_logging()
    monkeypatch.setattr("sys.stderr", Gone())
    logging.getLogger("instrument.test").info("to nobody")


def test_a_line_each_minute_of_a_long_step(monkeypatch, capfd):
    start_logging()
    now = iter([0.0, 10.0, 61.0, 70.0, 130.0, 140.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with step("calibrate") as report:
        for done in range(1, 5):
            report(done, 4)
    said = [line.split(" ", 1)[1] for line in capfd.readouterr().err.splitlines()]
    assert said == [
        "calibrate: 50 % after 61 s",
        "calibrate: 100 % after 130 s",
        "calibrate: done in 140.0 s",
    ]


def test_a_step_hears_a_signal_that_was_lost(monkeypatch):
    class Deaf:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # `listen` sets another
    Interruption().listen()
    Deaf()  # Python drops what is raised while it goes
    with pytest.raises(Interrupted), step("select") as report:
        report(1, 2)


def test_one_bar_that_ends_once(served, tmp_path):
    from instrument import open_bench

    shares = []
    with open_bench(tmp_path / "bench.toml") as bench:
        bench.calibrate(lambda done, total: shares.append(done / total))
    assert shares == sorted(shares)
    assert shares.count(1.0) == 1


def unprintable(text):
    return [line for line in text.split("\n") if not line.isprintable()]


def test_nothing_that_is_shown_commands_a_terminal():
    shown = printable(ESCAPES)
    assert shown.isprintable()
    assert shown == r"\x1b]0;mine\x07\x1b[2J\x9b31m\u202egnp.exe"
    assert printable("64 × 32 → 15 µA, naïve 中") == "64 × 32 → 15 µA, naïve 中"
    assert printable_values({"a\x1b": ["\x1b", 1, None]}) == {r"a\x1b": [r"\x1b", 1, None]}


@pytest.mark.parametrize("where", ["file", "option"])
def test_escape_sequences_in_names(ohmsum, tmp_path, where):
    name = f"{ESCAPES}.toml"
    if where == "file":
        (tmp_path / name).write_text('[board]\nresource = "\\u001b[2J"\n')
    outcome = ohmsum("run", "--bench", name, "--matrix", "random")
    assert outcome.status in (2, 3)
    assert outcome.err.rstrip("\n").isprintable()
    assert r"\x1b" in outcome.err


def test_escape_sequences_in_a_result(ohmsum, tmp_path):
    outcome = ohmsum(*RUN, "--out", f"out{ESCAPES}", "--title", f"<b>{ESCAPES}</b>")
    assert outcome.status == 0
    assert unprintable(outcome.out + outcome.err) == []
    (folder,) = (path for path in tmp_path.iterdir() if path.name.startswith("out"))
    page = (folder / "report.html").read_text("utf-8")
    assert "<b>" + ESCAPES[:3] not in page
    assert "&lt;b&gt;" in page
    budget = ohmsum("budget", folder.name)
    assert unprintable(budget.out) == []
