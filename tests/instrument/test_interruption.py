"""A signal that asks a command to end does so, wherever in the program it arrives."""

import gc
import signal
import subprocess
import sys
import threading
import weakref

import pytest

from instrument import interruption
from instrument.interruption import Interrupted, Interruption


@pytest.fixture
def listening(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back at the end
    heard = Interruption()
    heard.listen()
    return heard


class Deaf:
    """Python drops what is raised in here."""

    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def lost(listening, monkeypatch):
    """A signal that came where Python drops exceptions."""
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: dropped.append(type(it.exc_value)))
    Deaf()
    gc.collect()
    assert dropped == [Interrupted]
    return listening


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_is_raised_where_it_arrives(listening, number):
    with pytest.raises(Interrupted) as caught:
        signal.raise_signal(number)
    assert caught.value.number == number


def test_one_that_was_lost_is_raised_at_the_next_look(lost):
    with pytest.raises(Interrupted) as caught:
        interruption.check()
    assert caught.value.number == signal.SIGTERM


def test_one_that_was_lost_is_not_talked_of(listening, capfd):
    Deaf()
    gc.collect()
    assert capfd.readouterr().err == ""


def test_one_that_was_lost_does_not_make_deaf(lost):
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)


def test_one_that_was_lost_in_a_callback_of_a_weak_reference(listening, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    thing = set[int]()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    assert reference() is None
    with pytest.raises(Interrupted):
        interruption.check()


def test_nothing_cuts_the_way_out_short(listening):
    way = []

    def leave():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        interruption.check()
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            signal.raise_signal(signal.SIGINT)
        way.append("whole")

    with pytest.raises(Interrupted):  # noqa: PT012  (what comes on the way out matters)
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            leave()
    assert way == ["whole"]


def test_other_threads_are_not_interrupted(lost):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(interruption.check()))
    thread.start()
    thread.join()
    assert ended == [None]


def test_who_handles_signals_himself_is_left_alone():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interruption.check()


INTERRUPTED_IMPORT = """
import os, signal, sys
class Ctrl_C:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Ctrl_C())
from ohmsum.__main__ import main
main()
"""

LOST_IN_A_RUN = """
import signal
from drivers.byte_streams import SocketStream
class Deaf:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
send = SocketStream.send
def losing(self, data, deadline):
    if b":MEAS:SCAN?" in bytes(data) and not lost:
        lost.append(Deaf())
        lost[0] = None
    send(self, data, deadline)
lost = []
SocketStream.send = losing
from ohmsum.__main__ import main
main()
"""


EARLY = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import ohmsum.__main__ as door
door.require_own_instrument = lambda: signal.raise_signal(signal.SIGINT)
door.main()
"""


def ended(program, arguments, environment, folder):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["typer", "instrument.cli.commands", "numpy", "rich"])
def test_ctrl_c_while_everything_is_being_imported(module, start_environment, tmp_path):
    program = INTERRUPTED_IMPORT.format(module=module)
    outcome = ended(program, ["budget", "nowhere"], start_environment, tmp_path)
    assert outcome.returncode == 130
    assert outcome.stderr == "ohmsum: interrupted\n"


def test_ctrl_c_before_anybody_listens(start_environment, tmp_path):
    """The process ends as a shell expects it, and prints no traceback."""
    outcome = ended(EARLY, [], start_environment, tmp_path)
    assert outcome.returncode == -signal.SIGINT
    assert outcome.stderr == ""


def test_importing_the_door_takes_no_time(start_environment, tmp_path):
    program = "import sys; n = set(sys.modules); import ohmsum; print([*set(sys.modules) - n])"
    assert ended(program, [], start_environment, tmp_path).stdout == "['ohmsum']\n"


def test_one_that_was_lost_in_the_middle_of_a_run(start_environment, served, is_safe, tmp_path):
    command = ["run", "--bench", "bench.toml", "--matrix", "random", "--out", "kept"]
    outcome = ended(LOST_IN_A_RUN, command, start_environment, tmp_path)
    assert outcome.returncode == 130
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith("ohmsum: interrupted; the outputs are off; what was measured so far is")
    assert is_safe(served)
    assert not (tmp_path / "kept" / "calibration.npz").exists()
