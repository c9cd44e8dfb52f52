"""What cannot be used ends in one clear line that names it, with the right exit status."""

import json
import os
import re
import socket
import struct
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from instrument import open_bench
from instrument.board_calibration.file import save_calibration
from simulator.preset import load_preset

RANDOM = ("--matrix", "random")
SIMULATED = ("run", "--bench", "sim:8x4")


@pytest.fixture
def one_line(ohmsum):
    """Run a command that is to be refused; the one line that it says."""

    def run(status, *arguments):
        outcome = ohmsum(*arguments)
        assert outcome.status == status, outcome.err
        assert outcome.out == ""
        assert outcome.err.endswith("\n")
        # What takes a bench to judge comes after the line of the step that opened it.
        steps = re.compile(r"\d\d:\d\d:\d\d open: done in ")
        complaint = [line for line in outcome.err.splitlines() if not steps.match(line)]
        assert len(complaint) == 1, outcome.err
        assert complaint[0].startswith("ohmsum: ")
        return complaint[0]

    return run


# matrices and inputs

ARRAYS = {
    "nan": ([[1, np.nan], [0, 1]], "row 1, output 2 is nan"),
    "infinite": ([[1, 2], [-np.inf, 1]], "row 2, output 1 is -inf"),
    "text": ([["a", "b"]], "real numbers"),
    "complex": ([[1j]], "real numbers, not complex128"),
    "records": (np.zeros(3, [("a", "i4")]), "real numbers"),
    "dates": (np.zeros((2, 2), "M8[s]"), "real numbers"),
    "vector": ([1.0, 2.0], "2 dimensions"),
    "cube": (np.ones((2, 2, 2)), "2 dimensions (rows, outputs), not 3"),
    "scalar": (3.0, "2 dimensions"),
    "empty": (np.ones((0, 4)), "0 × 4 is empty"),
    "zeros": (np.zeros((2, 2)), "all weights are zero"),
    "large": (np.ones((500, 500)), "500 rows × 500 outputs does not fit"),
    "wide": (np.ones((8, 257)), "8 rows × 257 outputs does not fit"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_matrices(one_line, tmp_path, name):
    array, complaint = ARRAYS[name]
    np.save(tmp_path / f"{name}.npy", array)
    said = one_line(2, *SIMULATED, "--matrix", f"{name}.npy")
    assert said.startswith(f"ohmsum: {name}.npy: ")
    assert complaint in said


INPUTS = {
    "nan": ([[1, 2, 3, np.nan]], "vector 1, row 4 is nan"),
    "narrow": (np.ones((5, 3)), "4 rows"),
    "single-narrow": (np.ones(3), "4 rows"),
    "cube": (np.ones((1, 1, 4)), "(vectors, rows)"),
    "scalar": (np.float64(1), "(vectors, rows)"),
    "none": (np.ones((0, 4)), "(vectors, rows)"),
    "zeros": (np.zeros((3, 4)), "all inputs are zero"),
    "text": ([["a"] * 4], "real numbers"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs(one_line, tmp_path, name):
    array, complaint = INPUTS[name]
    np.save(tmp_path / "W.npy", np.eye(4))
    np.save(tmp_path / f"{name}.npy", array)
    said = one_line(2, *SIMULATED, "--matrix", "W.npy", "--inputs", f"{name}.npy")
    assert said.startswith(f"ohmsum: {name}.npy: ")
    assert complaint in said


@pytest.mark.parametrize("array", [np.ones((5, 3)), np.float64(1), np.ones((2, 9))])
def test_inputs_for_a_random_matrix(one_line, tmp_path, array):
    np.save(tmp_path / "X.npy", array)
    said = one_line(2, *SIMULATED, *RANDOM, "--inputs", "X.npy")
    assert said.startswith("ohmsum: X.npy: ")
    assert not (tmp_path / "ohmsum-results").exists()  # before anything was measured


def test_products_that_are_all_zero(one_line, tmp_path):
    np.save(tmp_path / "W.npy", [[1.0], [0.0]])
    np.save(tmp_path / "X.npy", [[0.0, 1.0]])
    said = one_line(2, *SIMULATED, "--matrix", "W.npy", "--inputs", "X.npy")
    assert "every product of these inputs is zero" in said


@pytest.mark.parametrize(
    ("weight", "x", "complaint"),
    [
        (1e300, 1, "W.npy: the largest weight is 1e+300"),
        (1e-310, 1, "W.npy: the largest weight is 1e-310"),
        (1e100, 1, "W.npy: the largest weight is 1e+100"),
        (1.001e60, 1, "W.npy: the largest weight is 1.001e+60"),
        (1, 1e305, "X.npy: the largest input is 1e+305"),
        (1, 1e-320, "X.npy: the largest input is"),
    ],
)
def test_numbers_that_cannot_be_squared(one_line, tmp_path, weight, x, complaint):
    np.save(tmp_path / "W.npy", [[weight]])
    np.save(tmp_path / "X.npy", [[x]])
    assert complaint in one_line(2, *SIMULATED, "--matrix", "W.npy", "--inputs", "X.npy")


@pytest.mark.parametrize("hours", ["nan", "inf", "-1", "1e4"])
def test_hours_that_nobody_waits(one_line, hours):
    assert "--hours" in one_line(2, *SIMULATED, *RANDOM, "--hours", hours)


@pytest.mark.parametrize("bits", ["nan", "inf"])
def test_specifications_that_are_no_number(one_line, bits):
    assert "--spec-bits" in one_line(2, *SIMULATED, *RANDOM, "--spec-bits", bits)


def npz(path, **arrays):
    np.savez(path, **arrays)


def object_array(path):
    np.save(path, np.array([{1: 2}], dtype=object), allow_pickle=True)


def claims_to_be_huge(path):
    np.save(path, np.ones((2, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 2)", b"(9000000, 900000)"))


def torn_zip(path):
    np.savez_compressed(path, a=np.random.default_rng(1).normal(size=(30, 30)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def odd_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "not an array")


FILES = {
    "junk.npy": lambda path: path.write_bytes(b"\x93NUMPY garbage"),
    "nothing.npy": lambda path: path.write_bytes(b""),
    "text.npy": lambda path: path.write_text("1 2 3"),
    "objects.npy": object_array,
    "huge.npy": claims_to_be_huge,
    "two.npz": lambda path: npz(path, a=np.eye(2), b=np.eye(2)),
    "none.npz": npz,
    "torn.npz": torn_zip,
    "odd.npz": odd_zip,
    "words.csv": lambda path: path.write_text("a,b\nc,d\n"),
    "ragged.csv": lambda path: path.write_text("1,2\n3\n"),
    "empty.csv": lambda path: path.write_text(""),
    "comment.csv": lambda path: path.write_text("# nothing\n"),
    "semicolons.csv": lambda path: path.write_text("1;2\n3,4\n"),
    "decimal-commas.csv": lambda path: path.write_text("0,5\n0,25\n"),
    "binary.csv": lambda path: path.write_bytes(bytes(range(256))),
    "sheet.xlsx": lambda path: path.write_bytes(b"PK\x03\x04"),
    "folder.npy": lambda path: path.mkdir(),
    "folder.csv": lambda path: path.mkdir(),
    "absent.npy": Path.absolute,
    "absent.csv": Path.absolute,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("option", ["--matrix", "--inputs"])
def test_files_that_hold_no_array(one_line, tmp_path, name, option):
    FILES[name](tmp_path / name)
    matrix = () if option == "--matrix" else RANDOM
    said = one_line(2, *SIMULATED, *matrix, option, name)
    assert said.startswith(f"ohmsum: {name}: ")


# benches

BENCHES = {
    "unknown.toml": ("colour = 'red'", "board.colour: unknown key"),
    "typo.toml": ("row_volt = 0.5", "board.row_volt: unknown key"),
    "type.toml": ("nplc = 'fast'", "board.nplc: "),
    "range.toml": ("nplc = 0", "board.nplc: "),
    "nan.toml": ("row_volts = nan", "board.row_volts: "),
    "negative.toml": ("row_volts = -1", "board.row_volts: "),
    "watchdog.toml": ("watchdog_seconds = 0", "board.watchdog_seconds: "),
    "retries.toml": ("retries = -1", "board.retries: "),
    "reconnect.toml": ("reconnect_seconds = -0.1", "board.reconnect_seconds: "),
    "twice.toml": ("nplc = 1\nnplc = 2", "line 4"),
}
BOARD = "[board]\nresource = 'TCPIP::127.0.0.1::9::SOCKET'\n"


@pytest.mark.parametrize("name", BENCHES)
def test_keys_of_a_bench_file(one_line, tmp_path, name):
    line, complaint = BENCHES[name]
    (tmp_path / name).write_text(BOARD + line + "\n")
    said = one_line(2, "run", "--bench", name, *RANDOM)
    assert said.startswith(f"ohmsum: {name}: ")
    assert complaint in said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[board\n", "line 1"),
        ("", "board: field required"),
        ("board = 3\n", "board: "),
        ("[board]\n", "board.resource: field required"),
        ("[board]\nresource = 7\n", "board.resource: "),
        ("[board]\nresource = ''\n", "board.resource: "),
        ("[board]\nresource = 'COM4'\n", "'COM4' is neither TCPIP"),
        ("[board]\nresource = 'GPIB0::9::INSTR'\n", "board.resource: "),
        (BOARD + "[lamp]\n", "lamp: unknown key"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_bench_files(one_line, tmp_path, text, complaint):
    (tmp_path / "b.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    said = one_line(2, "run", "--bench", "b.toml", *RANDOM)
    assert said.startswith("ohmsum: b.toml: ")
    assert complaint in said


def test_a_bench_file_that_is_not_there(one_line, tmp_path):
    assert "absent.toml: no such file; `ohmsum sim` writes one" in one_line(
        2, "run", "--bench", "absent.toml", *RANDOM
    )
    (tmp_path / "folder.toml").mkdir()
    assert "folder.toml: " in one_line(2, "run", "--bench", "folder.toml", *RANDOM)


@pytest.mark.parametrize(
    ("preset", "complaint"),
    [
        ("nosuch", "nosuch: neither a preset (100x100, 64x16, 8x4) nor"),
        ("broken.toml", "broken.toml: name: "),
        ("syntax.toml", "syntax.toml: "),
    ],
)
def test_presets_that_are_none(one_line, tmp_path, preset, complaint):
    (tmp_path / "broken.toml").write_text("name = 3\n")
    (tmp_path / "syntax.toml").write_text("[shape\n")
    assert complaint in one_line(2, "run", *RANDOM, "--bench", f"sim:{preset}")
    assert complaint in one_line(2, "sim", "--board", preset)
    assert not (tmp_path / "bench.toml").exists()


# boards


@pytest.fixture
def bench_at(tmp_path):
    def write(port, more=""):
        resource = f"TCPIP::127.0.0.1::{port}::SOCKET"
        (tmp_path / "b.toml").write_text(f"[board]\nresource = '{resource}'\n{more}\n")
        return resource

    return write


@pytest.fixture
def answering():
    """A TCP server that gives the same answer to whatever it hears; its port."""
    listeners = []

    def serve(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def talk():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        while connection.recv(4096):
                            if answer:
                                connection.sendall(answer)
                    except OSError:
                        continue

        threading.Thread(target=talk, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_nobody_answers(one_line, bench_at):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    resource = bench_at(port)
    said = one_line(3, "run", "--bench", "b.toml", *RANDOM)
    assert said.startswith(f"ohmsum: {resource}: nobody answers")


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"KEITHLEY INSTRUMENTS,MODEL 2450,04096331,1.7.12b\n", "KEITHLEY INSTRUMENTS,MODEL 2450"),
        (b"OHMSUM,SMU,1,1.0\n", "'OHMSUM,SMU' answers"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "no valid answer"),
        (b"hello\n", "not an identity: 'hello'"),
        (b"\x00\xff\xfe\n", ""),
        (b"#9999999999", ""),
        (b"", "no answer within 0.3 s"),
    ],
)
def test_another_instrument_answers(one_line, bench_at, answering, answer, complaint):
    resource = bench_at(answering(answer), "timeout_seconds = 0.3")
    said = one_line(3, "run", "--bench", "b.toml", *RANDOM)
    assert said.startswith(f"ohmsum: {resource}: ")
    assert complaint in said


def test_a_host_that_has_no_name(one_line, tmp_path):
    (tmp_path / "b.toml").write_text("[board]\nresource='TCPIP::no.such.invalid::5025::SOCKET'\n")
    assert "no.such.invalid" in one_line(3, "run", "--bench", "b.toml", *RANDOM)


def test_a_serial_port_that_is_not_there(one_line, tmp_path):
    (tmp_path / "b.toml").write_text("[board]\nresource='ASRL/dev/no-such-port::INSTR'\n")
    assert "ASRL/dev/no-such-port" in one_line(3, "run", "--bench", "b.toml", *RANDOM)


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
@pytest.mark.parametrize("kind", ["endless", "pipe", "long"])
@pytest.mark.parametrize(
    "command",
    [
        ("run", *RANDOM, "--bench", "odd"),
        ("run", *RANDOM, "--bench", "sim:odd"),
        ("sim", "--board", "odd"),
        ("sim", "--faults", "odd"),
        ("sim", "--bench", "odd"),
        (*SIMULATED, *RANDOM, "--calibration", "odd"),
        (*SIMULATED, *RANDOM, "--earlier", "odd"),
    ],
)
def test_what_never_ends_is_refused_at_once(one_line, tmp_path, kind, command):
    odd = tmp_path / "odd"
    if kind == "endless":
        odd.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        with odd.open("wb") as file:
            file.truncate(1 << 40)
    said = one_line(2, *command)
    assert said.startswith("ohmsum: odd: ")
    wrong = {"endless": "a device", "pipe": "a pipe", "long": "larger than"}
    assert wrong[kind] in said or (kind != "long" and "not a file" in said)


def test_a_row_voltage_beyond_the_limit(one_line, served, is_safe, tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(path.read_text() + "row_volts = 1.01\n")
    said = one_line(2, "run", "--bench", "bench.toml", *RANDOM)
    assert said.startswith("ohmsum: bench.toml: board.row_volts: 1.01 V is beyond the limit")
    assert is_safe(served)


# calibrations


@pytest.fixture
def calibration_of(tmp_path):
    def save(bench, seed):
        with open_bench(bench, seed=seed) as opened:
            save_calibration(opened.calibrate(), tmp_path / "other.npz")

    return save


@pytest.mark.parametrize("other", ["serial", "shape"])
def test_a_calibration_of_another_board(one_line, served, is_safe, calibration_of, tmp_path, other):
    if other == "serial":
        calibration_of("sim:8x4", 2)
    else:
        preset = load_preset("8x4").model_dump()
        preset["shape"]["branches"] = 5
        (tmp_path / "other.toml").write_text(as_toml(preset))
        calibration_of(f"sim:{tmp_path / 'other.toml'}", 1)
    said = one_line(2, "run", "--bench", "bench.toml", *RANDOM, "--calibration", "other.npz")
    assert said.startswith("ohmsum: other.npz: of board 8x4 ")
    assert "on the bench is board 8x4 B000001 (8 × 8 × 10)" in said
    assert is_safe(served)


def as_toml(sections):
    lines = [f"name = {json.dumps(sections['name'])}"]
    for title, section in sections.items():
        if isinstance(section, dict):
            lines.append(f"[{title}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in section.items()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", [*FILES, "W.npy", "W.npz"])
def test_files_that_are_no_calibration(one_line, tmp_path, name):
    if name == "W.npy":
        np.save(tmp_path / name, np.eye(4))
    elif name == "W.npz":
        np.savez(tmp_path / name, np.eye(4))
    else:
        FILES[name](tmp_path / name)
    said = one_line(2, *SIMULATED, *RANDOM, "--calibration", name)
    assert said.startswith(f"ohmsum: {name}: ")


# the rest


def test_a_folder_for_results_that_cannot_be_made(one_line, tmp_path):
    (tmp_path / "taken").write_text("a file")
    assert one_line(2, *SIMULATED, *RANDOM, "--out", "taken").startswith("ohmsum: taken: ")
    assert (tmp_path / "taken").read_text() == "a file"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--bench", "sim:8x4"),
        (*SIMULATED, *RANDOM, "--seed", "-1"),
        (*SIMULATED, *RANDOM, "--seed", "one"),
        (*SIMULATED, *RANDOM, "--link", "usb"),
        (*SIMULATED, *RANDOM, "--colour"),
        ("sim", "--port", "70000"),
        ("fly",),
    ],
)
def test_usage(ohmsum, arguments):
    outcome = ohmsum(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert "Usage: " in outcome.err


def test_a_whole_process_says_one_line_as_well(start, ended, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "junk.npz").write_bytes(b"PK" + struct.pack("<I", 7))
    for name in ("empty.csv", "junk.npz"):
        outcome = ended(start(*SIMULATED, "--matrix", name))
        assert outcome.status == 2
        assert outcome.out == ""
        assert outcome.err.startswith(f"ohmsum: {name}: ")
        assert len(outcome.err.splitlines()) == 1
