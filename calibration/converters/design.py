"""The patterns and voltages that measure the curves of all converters.

In a block, every column is joined to two rows, all rows are driven at once, and each row runs
through all its levels. Two things separate the converters:

- *Order.* Rows that meet in a column follow sequences in which every level of the one meets every
  level of the other. The output of a row's DAC then depends on its own level alone; what depends on
  both, and only on their sum, is the column's ADC (superposition).
- *Turns.* From block to block, rows meet other partners in other columns.

The sequences are an orthogonal array of strength two (Bose 1938) with each level spread over a
stratum, so that a sequence of L² vectors has L² different levels: an orthogonal-array based Latin
hypercube (Tang 1993). Levels crowd at the ends as Chebyshev's points do, where polynomials need
them. There are L + 1 sequences, and rows that do not meet share them: the leakage from other rows
is then linear in L + 1 known sequences, however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from calibration.arrays import Bools, Floats, Ints
from calibration.converters.curves import Curves, bent
from calibration.converters.resolution import USUAL_DAC_BITS
from calibration.crossbar import Crossbar, measuring_volts
from calibration.reading_noise import ReadingNoise

LEVELS = 7
"""Levels of a sequence, a prime. A block has LEVELS² vectors and LEVELS + 1 sequences."""
MEETING_ROWS = 2
"""Rows in a column: the minimum that separates a DAC's curve from an ADC's."""
MIN_BLOCKS, MAX_BLOCKS = 8, 40
"""Limits of the number of blocks."""
MAX_FILL = 0.95
"""Largest nominal current of a column, with its rows at the limit, over the range."""
MAX_CODES = 2**15
"""Maximum number of DAC steps from zero to the limit; these codes are codes of finer DACs as well.
"""
WANTED_SHARE = 2.0**-20
"""Standard uncertainty that is planned for a curve, over the row voltage limit."""
DRIFT_DEGREE = 2
"""Degree of the polynomial in time that a conductance follows during a block, one second."""
TYPICAL_DEGREE = 12
"""Degree of a DAC's curve for which the uncertainty is predicted."""


@dataclass(frozen=True)
class ConverterDesign:
    """Blocks of vectors, with one pattern each."""

    volts: Floats
    """(blocks, vectors, sequences): exact codes of the DACs."""
    sequence_of_row: Ints
    """(blocks, rows): the sequence that each row follows."""
    rows_of_column: Ints
    """(blocks, columns, meeting): the rows joined to each column."""
    closed: Bools
    """(branches,): the branches that are closed where a row meets a column."""
    range_amperes: float
    siemens: float
    """Nominal conductance of these branches."""
    volts_limit: float
    codes: int = MAX_CODES
    """DAC steps from zero to the limit that the voltages need."""

    @property
    def vectors(self) -> int:
        """Number of vectors of all blocks."""
        return int(np.prod(self.volts.shape[:2]))

    def row_volts(self, block: int) -> Floats:
        """Return the row voltages of a block, (vectors, rows)."""
        return np.asarray(self.volts[block][:, self.sequence_of_row[block]])

    def lines(self, block: int) -> Floats:
        """Return the terms that are linear in a block's voltages, (columns, vectors, lines).

        These are the zero, all sequences, and the sequences of the meeting rows times time and
        times its square: conductances drift with the temperature, each with a coefficient of its
        own.
        """
        volts, sequences = self.volts[block], self.sequences_of_column(block)
        time = legendre.legvander(np.linspace(-1, 1, len(volts)), DRIFT_DEGREE)[:, 1:]
        drifting = volts[:, sequences][..., None] * time[:, None, None]
        drifting = np.moveaxis(drifting, 1, 0).reshape(len(sequences), len(volts), -1)
        steady = np.column_stack([np.ones(len(volts)), volts])
        steady = np.broadcast_to(steady, (len(sequences), *steady.shape))
        return np.concatenate([steady, drifting], axis=2)

    def sequences_of_column(self, block: int) -> Ints:
        """Return the sequences that meet in each column, (columns, meeting)."""
        return np.asarray(self.sequence_of_row[block][self.rows_of_column[block]])

    def predicted(self, line_end_volts: float) -> float:
        """Return the predicted standard uncertainty, volts, of the least observed DAC's curve.

        It is the root mean square over the curve's levels under the class's noise, by ordinary
        least squares, with the curves of partners and ADCs taken as known.
        """
        lines = self.lines(0)[0]
        volts = self.volts[0, :, self.sequences_of_column(0)[0, 0]]
        basis = bent(volts / self.volts_limit, TYPICAL_DEGREE)
        basis = basis - lines @ np.linalg.lstsq(lines, basis, rcond=None)[0]
        rows = self.sequence_of_row.shape[1]
        times_met = int(np.bincount(self.rows_of_column.ravel(), minlength=rows).min())
        if not times_met:
            return np.inf
        amperes = np.array(self.siemens * self.volts_limit)
        noise = np.sqrt(ReadingNoise().variance(amperes, self.range_amperes)) / self.siemens
        covariance = noise**2 / times_met * np.linalg.inv(basis.T @ basis)
        curve = Curves(
            np.zeros((1, len(covariance))), covariance[None], self.volts_limit, line_end_volts
        )
        return float(np.sqrt((curve.uncertainty(volts[:, None]) ** 2).mean()))


def design_converters(
    board: Crossbar, wanted: float = WANTED_SHARE, dac_bits: int = USUAL_DAC_BITS
) -> ConverterDesign:
    """Return the design for a board, with as many blocks as its curves need.

    It has the fewest blocks, from 8 to 40, that are predicted to give each curve to `wanted` of the
    row voltage limit. Its voltages are codes of DACs of `dac_bits`.
    """
    codes = min(MAX_CODES, 2 ** (dac_bits - 1))
    blocks = MIN_BLOCKS
    while True:
        design = _design(board, blocks, codes)
        expected = design.predicted(measuring_volts(board.row_volts_limit))
        if blocks >= MAX_BLOCKS or expected <= wanted * board.row_volts_limit:
            return design
        blocks += 1


def _design(board: Crossbar, blocks: int, codes: int) -> ConverterDesign:
    random = np.random.default_rng(0)  # the design is the same for all boards of a shape
    meeting = min(MEETING_ROWS, board.rows)
    closed, range_amperes = _fill(board, meeting)
    on_ring = _sequence_of_position(board.rows)
    places = _meeting_places(board.rows, board.columns, meeting)
    times_met = np.zeros(board.rows, np.int_)
    levels, sequences, meetings = [], [], []
    for _ in range(blocks):
        # Where not all rows can meet in one block, the least observed come first.
        order = random.permutation(board.rows)
        ring = order[np.argsort(times_met[order], kind="stable")]
        times_met += np.bincount(ring[places].ravel(), minlength=board.rows)
        levels.append(_sequences(random))
        sequences.append(on_ring[np.argsort(ring)])
        meetings.append(ring[places])
    return ConverterDesign(
        volts=np.rint(np.stack(levels) * (codes - 1)) * board.row_volts_limit / codes,
        sequence_of_row=np.stack(sequences),
        rows_of_column=np.stack(meetings),
        closed=closed,
        range_amperes=range_amperes,
        siemens=float((closed / board.nominal_ohms).sum()),
        volts_limit=board.row_volts_limit,
        codes=codes,
    )


def _fill(board: Crossbar, meeting: int) -> tuple[Bools, float]:
    """Return the branches to close (branches,), and the range that their current fills best."""
    siemens = 1 / board.nominal_ohms
    strongest = np.argsort(-siemens, kind="stable")
    amperes = meeting * board.row_volts_limit * np.cumsum(siemens[strongest])
    ranges = board.ranges_amperes
    index = np.searchsorted(MAX_FILL * ranges, amperes)
    fill = amperes / ranges[np.minimum(index, len(ranges) - 1)]
    fill[index == len(ranges)] = 0.0
    count = len(fill) - int(fill[::-1].argmax())  # of equal fills the one with the most branches
    closed = np.zeros(len(siemens), dtype=bool)
    if fill[count - 1] > 0:
        closed[strongest[:count]] = True
        return closed, float(ranges[index[count - 1]])
    closed[strongest[-1]] = True  # nothing fits: the weakest branch comes nearest
    return closed, float(ranges[-1])


def _sequences(random: np.random.Generator) -> Floats:
    """Return levels from −1 to 1, (vectors, sequences), the vectors in random order."""
    first, second = np.divmod(np.arange(LEVELS**2), LEVELS)
    strata = [first, *((second + factor * first) % LEVELS for factor in range(LEVELS))]
    place = np.empty((LEVELS**2, LEVELS + 1))
    for sequence, stratum in enumerate(strata):
        for level in range(LEVELS):
            place[stratum == level, sequence] = level * LEVELS + random.permutation(LEVELS)
    # Random within its interval, so that fine structure of a DAC scatters from block to block.
    angle = np.pi * ((place + random.random(place.shape)) / LEVELS**2 - 0.5)
    return np.asarray(np.sin(random.permutation(angle)))


def _sequence_of_position(rows: int) -> Ints:
    """Return a sequence for each place on a ring of rows (rows,), other than its neighbours'."""
    sequences = np.arange(rows) % (LEVELS + 1)
    if rows > 1 and sequences[-1] == 0:
        sequences[-1] = (LEVELS + 1) // 2
    return sequences


def _meeting_places(rows: int, columns: int, meeting: int) -> Ints:
    """Return the places of the ring that meet in each column, (columns, meeting).

    They are neighbours. Once round the ring, all places occur equally often; each further round has
    other partners.
    """
    steps = 2 * np.arange(columns)
    first = steps + (steps // rows if rows % 2 == 0 else 0)
    return np.asarray((first[:, None] + np.arange(meeting)) % rows)
