"""Boards for tests: presets with sections changed, and the bytes that go over the wire."""

import struct
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import kirchhoff
from simulator.board import SimulatedBoard
from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.faults.plan import FaultPlan
from simulator.parts.converters import draw_dacs, draw_readers
from simulator.parts.resistors import draw_branches
from simulator.preset import Preset, load_preset

NO_WIRE = {"wire": {"row_ohms": 0.0, "column_ohms": 0.0, "source_ohms": 0.0, "sense_ohms": 0.0}}
NO_GAIN = {
    "dac": {"gain": 0.0, "offset_volts": 0.0},
    "tia": {"gain": 0.0, "offset_volts": 0.0},
    "adc": {"gain": 0.0},
}
NO_NOISE = {
    "tia": {"noise_volts_per_root_hertz": 0.0},
    "adc": {"noise_free_bits": 60.0, "bits": 32},
    "environment": {"kelvin": 0.0},
}


STILL = dict.fromkeys(
    [
        "tcr",
        "ageing",
        "self_heating",
        "excess_noise",
        "dac_inl",
        "dac_noise",
        "flicker",
        "adc_inl",
        "ambient",
        "sensor",
        "mains",
        "settling",
    ],
    0.0,
)
"""Factors that leave a board on which nothing moves: errors are constant, noise is white."""


def changed(preset: Preset, *changes: dict[str, dict[str, Any]], **more: dict[str, Any]) -> Preset:
    """Return a preset with values of its sections replaced, and the whole of it checked again."""
    sections = preset.model_dump()
    for change in (*changes, more):
        for section, values in change.items():
            sections[section] = sections[section] | values
    return Preset.model_validate(sections)


def small(*changes: dict[str, dict[str, Any]], **more: dict[str, Any]) -> Preset:
    """Return the preset 8x4, still, with values of its sections replaced."""
    return changed(load_preset("8x4").with_effects(**STILL).in_force(), *changes, **more)


TINY = small(shape={"rows": 3, "columns": 5, "branches": 2})
"""Sides that cannot be mistaken for one another, and 30 switches: two bits of padding."""


def switched_on(preset: Preset, seed: int) -> SimulatedCrossbar:
    """Return a board with its outputs on."""
    board = SimulatedCrossbar(preset, seed, Clock())
    board.switch_outputs(True)
    return board


class Host:
    """A board on the wire, and one session with it."""

    def __init__(self, board: SimulatedBoard) -> None:
        self.board = board
        self.crossbar = board.crossbar
        self.watch, self.set_interlock = board.watch, board.set_interlock
        self.session = board.open_session()
        self.execute, self.overrun = self.session.execute, self.session.overrun

    def another(self) -> "Host":
        """Return a second host of the same board."""
        return Host(self.board)


def on_the_wire(preset: Preset = TINY, seed: int = 4, plan: FaultPlan | None = None) -> Host:
    """Return a host of a board as after power-on."""
    return Host(SimulatedBoard(SimulatedCrossbar(preset, seed, Clock(), plan), "B000004"))


def ask(board: Host, message: bytes) -> bytes:
    """Return the response message without its line feed."""
    answer = board.execute(message)
    assert answer.endswith(b"\n"), (message, board.execute(b":SYST:ERR?"))
    return answer[:-1]


def tell(board: Host, message: bytes) -> None:
    """Execute a message that asks nothing and is not refused."""
    assert board.execute(message) == b""
    assert errors(board) == []


def errors(board: Host) -> list[int]:
    """Return the numbers of all queued errors, oldest first; the queue is empty afterwards."""
    numbers = []
    while (number := int(ask(board, b"SYST:ERR?").split(b",")[0])) != 0:
        numbers.append(number)
    return numbers


def block(payload: bytes) -> bytes:
    """Return a definite-length block."""
    return b"#%d%d" % (len(str(len(payload))), len(payload)) + payload


def payload(answer: bytes) -> bytes:
    """Return what is in an answer that is one definite-length block."""
    assert answer[:1] == b"#"
    start = 2 + int(answer[1:2])
    assert len(answer) == start + int(answer[2:start])
    return answer[start:]


def floats(values: ArrayLike) -> bytes:
    """Return a block of f32."""
    return block(np.asarray(values, "<f4").tobytes())


def floats_of(answer: bytes) -> NDArray[np.float32]:
    """Return the f32 of a block."""
    return np.frombuffer(payload(answer), "<f4")


def scan_list(*points: tuple[int, int, float]) -> bytes:
    """Return a block of scan points: row, branch (0 for none), volts."""
    return block(b"".join(struct.pack("<HHf", *point) for point in points))


def true_transfer(
    preset: Preset, seed: int, pattern: NDArray[np.bool_], range_amperes: float
) -> NDArray[np.float64]:
    """Return (rows, columns) what the board answers for 1 V, gains of its converters included."""
    drawn = draw_branches(preset, seed)
    crosspoints = np.where(pattern, drawn.closed_siemens, drawn.open_siemens).sum(axis=2)
    dacs = draw_dacs(preset.dac, preset.shape.rows, seed)
    readers = draw_readers(preset.tia, preset.adc, preset.shape.columns, seed)
    index = preset.tia.ranges_amperes.index(range_amperes)
    wire = kirchhoff.Wire(**preset.wire.model_dump())
    return (
        (1 + dacs.gain_error)[:, None]
        * kirchhoff.transfer_matrix(crosspoints, wire)
        * (1 + readers.tia_gain_error[index])
        * (1 + readers.adc_gain_error)
    )
