"""What a crossbar board is: its shape, its parts and its limits, read once when it is opened."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers import scpi
from drivers.host_session import HostSession

# The protocol's own limits (section 8): beyond them an answer is no shape of a board.
_MAX_SIDE = 65_535
_MAX_SWITCHES = 1 << 26
_MAX_CONVERTER_BITS = 64


@dataclass(frozen=True)
class BoardDescription:
    """The properties of a board that no command changes."""

    dac_bits: int
    adc_bits: int
    rows: int
    columns: int
    branches: int
    nominal_ohms: NDArray[np.float64]
    """(branches,): nominal resistance of each branch of a crosspoint, Ω."""
    row_volts_limit: float
    """Full scale of the row DACs, V."""
    ranges_amperes: NDArray[np.float64]
    """(ranges,): full scales of the amplifiers, A, ascending."""
    line_hertz: float
    """Nominal power-line frequency, Hz."""


def read_description(session: HostSession) -> BoardDescription:
    """Ask a board for its description.

    Raises LinkGarbled where an answer cannot describe a board, and what every query raises.
    """
    dac_bits, adc_bits = _read_converter_bits(session)
    rows, columns, branches = _read_shape(session)
    nominal_ohms = _read_nominal_ohms(session, branches)
    limit, catalog, hertz = session.texts(":SOUR:VOLT:RANG?;:CURR:RANG:CAT?;:SYST:LFR?", 3)
    row_volts_limit = scpi.positive(session.link, limit)
    ranges = np.array([scpi.positive(session.link, text) for text in catalog.split(",")])
    if not (np.diff(ranges) > 0).all():
        raise session.link.garbled(f"ranges that do not ascend: {catalog[:80]!r}")
    return BoardDescription(
        dac_bits=dac_bits,
        adc_bits=adc_bits,
        rows=rows,
        columns=columns,
        branches=branches,
        nominal_ohms=nominal_ohms,
        row_volts_limit=row_volts_limit,
        ranges_amperes=ranges,
        line_hertz=scpi.positive(session.link, hertz),
    )


def _read_converter_bits(session: HostSession) -> tuple[int, int]:
    """Read the resolution of the DACs and of the ADCs, bits.

    A board of protocol 1.0 has no query for it; it has 16 and 24 bits.
    """
    if session.protocol < (1, 1):
        return 16, 24
    (text,) = session.texts(":SYST:BOAR:CONV?", 1)
    bits = [scpi.integer(session.link, number) for number in text.split(",")]
    if len(bits) != 2 or not all(1 <= number <= _MAX_CONVERTER_BITS for number in bits):
        raise session.link.garbled(f"no resolutions of converters: {text[:80]!r}")
    return bits[0], bits[1]


def _read_shape(session: HostSession) -> tuple[int, int, int]:
    (answer,) = session.texts(":SYST:BOAR:SHAP?", 1)
    sides = [scpi.integer(session.link, text) for text in answer.split(",")]
    plausible = len(sides) == 3 and all(1 <= side <= _MAX_SIDE for side in sides)
    if not plausible or math.prod(sides) > _MAX_SWITCHES:
        raise session.link.garbled(f"not the shape of a board: {answer[:80]!r}")
    rows, columns, branches = sides
    return rows, columns, branches


def _read_nominal_ohms(session: HostSession, branches: int) -> NDArray[np.float64]:
    data = scpi.checked_query_block(session.link, ":SYST:BOAR:NOM?")
    if len(data) != 4 * branches:
        raise session.link.garbled(f"{len(data)} bytes of nominals for {branches} branches")
    ohms = np.frombuffer(data, "<f4").astype(np.float64)
    if not (np.isfinite(ohms) & (ohms > 0)).all():
        raise session.link.garbled("a nominal resistance that is none")
    return ohms
