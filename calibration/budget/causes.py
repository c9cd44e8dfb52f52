"""The contribution of each cause to the relative error of products.

Products are ŷ = (ΔI − ΔI₀)/scale, with the scale of the output, ΔI the difference of a pair's
column currents at row voltages v, D the wanted differences of conductance. To first order their
error, in amperes, is

    Σ_i v_i E_ip + Σ_i δv_i D_ip + n_(2p) − n_(2p+1),

with E the error of the transfer matrix, δv that of the row voltages, n that of a column's reading.
Each cause contributes its root sum square over all vectors, output by output. Over all outputs
these are weighted as products are, by 1/scale², relative to what is wanted, ‖v D/scale‖. Causes are
independent of one another, so their squares add up (JCGM 100:2008, 5.1.2); a cause that is common
to several readings has its own term. All inputs come from the calibration and from the measurements
made when the matrix was programmed. docs/uncertainty.md derives the rows one by one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.noise import NoiseSurvey
from calibration.programming import differences
from calibration.statistics import as_bits
from calibration.temperature import AGEING_PER_DECADE

MAX_HEATING_KELVIN_PER_WATT = 200.0
"""Rise of a chip resistor above its board: the upper end of the class, which bounds the cause.
`calibration.converters` takes the typical 100 K/W.
"""


@dataclass(frozen=True)
class Products:
    """The products of a budget: row voltages, wanted conductances, state of the board.

    Columns are those of the outputs, plus side before minus side; rows are those of the matrix.
    """

    row_volts: Floats
    """(vectors, rows): voltages as driven, in that order."""
    driven_lower: Floats
    """(vectors,): divisor of the voltages that were asked for; see
    `calibration.transfer.driven_lower`.
    """
    rounding_volts: Floats
    """(vectors, rows): rounding error of the DACs' codes."""
    row_bend_volts: Floats
    """(vectors, rows): standard uncertainty of a DAC's corrected curve at that voltage."""
    wanted_siemens: Floats
    """(rows, outputs): wanted differences."""
    transfer_siemens: Floats
    """(rows, columns): measured transfer matrix."""
    transfer_uncertainty_siemens: Floats
    """(columns,): standard uncertainty of each element of a column."""
    transfer_volts: float
    """Row voltage of the transfer measurement, of either sign."""
    transfer_readings: int
    """Readings of each column in the transfer measurement."""
    squared_siemens: Floats
    """(rows, columns): sum of squares of the closed branches' conductances, S²."""
    column_siemens: Floats
    """(columns,): sum of all conductances on a column."""
    range_amperes: Floats
    """(vectors,): range in which a vector is read."""
    column_bend_amperes: Floats
    """(vectors, columns): standard uncertainty of an ADC's corrected curve at that current, apart
    from a zero and a gain.
    """
    tied_siemens: Floats
    """(vectors, columns): standard uncertainty of the elements of the transfer matrices that tied
    the vector's range to the range of use; 0 in the range of use.
    """
    tied_square_kelvin: Floats
    """(vectors,): square of the change of temperature between those two measurements, K²."""
    seconds: Floats
    """(vectors,): since the middle of the transfer measurement."""
    square_kelvin: Floats
    """(vectors,): mean square change of temperature since then, K²."""
    warmer_kelvin: Floats
    """(vectors,): change of temperature since then, by the board's thermometer."""
    watched_square_kelvin: Floats
    """(vectors,): mean square change of temperature since the gain that all columns share was last
    measured, K².
    """
    watched_warmer_kelvin: Floats
    """(vectors,): change of temperature since then, by the board's thermometer."""
    aged_decades: Floats
    """(vectors,): log₁₀ of (hours since power-on + 1), less its value at the transfer measurement.
    """

    @property
    def products_amperes(self) -> Floats:
        """Wanted products (vectors, outputs) of the voltages as driven."""
        return self.row_volts @ self.wanted_siemens

    @property
    def asked_amperes(self) -> Floats:
        """Wanted products (vectors, outputs) of the voltages that were asked for."""
        return self.products_amperes * self.driven_lower[:, None]

    def of_vectors(self, which: Bools) -> Products:
        """Return the products of some vectors: `which` is a mask (vectors,)."""
        return replace(
            self,
            row_volts=self.row_volts[which],
            driven_lower=self.driven_lower[which],
            rounding_volts=self.rounding_volts[which],
            row_bend_volts=self.row_bend_volts[which],
            range_amperes=self.range_amperes[which],
            column_bend_amperes=self.column_bend_amperes[which],
            tied_siemens=self.tied_siemens[which],
            tied_square_kelvin=self.tied_square_kelvin[which],
            seconds=self.seconds[which],
            square_kelvin=self.square_kelvin[which],
            warmer_kelvin=self.warmer_kelvin[which],
            watched_square_kelvin=self.watched_square_kelvin[which],
            watched_warmer_kelvin=self.watched_warmer_kelvin[which],
            aged_decades=self.aged_decades[which],
        )


@dataclass(frozen=True)
class Row:
    """The contribution of one cause."""

    cause: str
    relative_error: float

    @property
    def bits(self) -> float:
        """−log₂ of the relative error; infinite where it is zero."""
        return as_bits(self.relative_error)


@dataclass(frozen=True)
class Budget:
    """All causes, and their sum in squares."""

    rows: tuple[Row, ...]

    @property
    def relative_error(self) -> float:
        """Root sum square of the rows."""
        return math.hypot(*(row.relative_error for row in self.rows))

    @property
    def bits(self) -> float:
        """−log₂ of the relative error."""
        return as_bits(self.relative_error)


def predict_squares(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Predict each cause's contribution to the sum of square errors of each output, (outputs,), A².

    The sum is over vectors. Vectors that are driven lower count with the factor by which their
    currents are multiplied.
    """
    squares: dict[str, Floats] = defaultdict(lambda: np.zeros(products.wanted_siemens.shape[1]))
    for lower in np.unique(products.driven_lower).tolist():
        alike = products.of_vectors(products.driven_lower == lower)
        for cause, square in _squares_as_driven(alike, survey).items():
            squares[cause] += lower**2 * square
    return dict(squares)


def _squares_as_driven(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Predict the same for products that are all driven alike, in amperes as driven."""
    return {
        **_of_the_matrix(products),
        **_of_drift(products, survey),
        **_of_the_voltages(products, survey),
        **_of_the_readings(products, survey),
    }


def budget_of_squares(squares: dict[str, float], whole: float) -> Budget:
    """Return the budget of causes with given contributions to the sum of square errors.

    They are relative to `whole`, the sum of squares of what is wanted, in the same unit. Causes
    contribute nothing to products that are all zero.
    """
    return Budget(
        tuple(
            Row(cause, math.sqrt(square / whole) if whole else 0.0)
            for cause, square in squares.items()
        )
    )


def _of_the_matrix(products: Products) -> dict[str, Floats]:
    """Return the square errors of the matrix on the board, (outputs,), A².

    The measured residual is the sum of the board's error and the measurement's. Both are of known
    size on average: the measurement's is its uncertainty, the board's is what remains of the
    residual without it. The best estimate of the board's error is a share λ of the residual, and
    the variance of that estimate is λ times the measurement's (the linear estimate of least mean
    square error). Together they are the residual's square less the measurement's. λ is found over
    all outputs, which determine it better than one.
    """
    volts, outputs = products.row_volts, products.wanted_siemens.shape[1]
    residual = differences(products.transfer_siemens, outputs) - products.wanted_siemens
    apparent = ((volts @ residual) ** 2).sum(axis=0)
    measured = (volts**2).sum() * _of_pairs(products.transfer_uncertainty_siemens**2)
    share = max(0.0, 1 - measured.sum() / apparent.sum()) if apparent.any() else 0.0
    return {
        "selection residual": share**2 * apparent,
        "transfer matrix": share * measured,
    }


def _of_drift(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Return the square errors by changes since the transfer measurement, (outputs,), A².

    Temperature changes all conductances together, the gains of columns apart, and branches apart.
    Age changes branches apart. Self-heating changes branches by its difference from that at the
    voltage of the measurement.
    """
    volts, warming = products.row_volts, survey.warming
    common = warming.gain_per_kelvin
    columns = _of_pairs((volts @ products.transfer_siemens) ** 2)
    branches = _of_pairs(volts**2 @ products.squared_siemens)
    wanted = products.products_amperes**2
    together = (common.value**2 + common.uncertainty**2) * wanted
    apart = warming.column_square.expected * columns + warming.branch_square.expected * branches
    aged = (AGEING_PER_DECADE * products.aged_decades) ** 2
    hotter = volts * (volts**2 - products.transfer_volts**2)
    paired = differences(products.squared_siemens, products.wanted_siemens.shape[1])
    heat = MAX_HEATING_KELVIN_PER_WATT * common.value
    return {
        "temperature": products.watched_square_kelvin @ together + products.square_kelvin @ apart,
        "ageing": aged @ branches,
        "self-heating": ((heat * hotter @ paired) ** 2).sum(axis=0),
    }


def _of_the_voltages(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Return the square errors of the row voltages, (outputs,), A².

    Both columns of a pair get the same voltage, so their common part cancels.
    """
    of_row = products.wanted_siemens**2
    moved = np.diff(products.products_amperes, axis=0, prepend=0.0)
    left = survey.settling.left
    return {
        "DAC quantization": ((products.rounding_volts @ products.wanted_siemens) ** 2).sum(axis=0),
        "DAC nonlinearity": (products.row_bend_volts**2 @ of_row).sum(axis=0),
        "DAC noise": survey.dac_noise.expected * len(products.row_volts) * of_row.sum(axis=0),
        "settling": (left.value**2 + left.uncertainty**2) * (moved**2).sum(axis=0),
    }


def _of_the_readings(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Return the square errors of column readings, by scatter and offset, (outputs,), A².

    White noise of a reading is once more in the zero that is subtracted, a mean of many readings.
    1/f noise is in both as well, and counts by the time between them.
    """
    vectors = len(products.row_volts)
    white = vectors * (1 + 1 / products.transfer_readings)
    siemens = _of_pairs(products.column_siemens)
    squared = _of_pairs(products.column_siemens**2)
    ranges = np.full(siemens.shape, 2 * float((products.range_amperes**2).sum()))
    between = _flicker_between(products, survey)
    branches = _of_pairs(products.row_volts**2 @ products.squared_siemens)
    return {
        "ADC nonlinearity": _of_pairs((products.column_bend_amperes**2).sum(axis=0)),
        "ranges": _of_the_ranges(products, survey),
        "ADC quantization": survey.adc_quantization.value * ranges,
        "ADC noise": survey.adc_noise.expected * ranges * white / vectors,
        "Johnson noise": survey.johnson.expected * siemens * white,
        "amplifier noise": survey.amplifier.expected * squared * white,
        "1/f noise": survey.flicker.expected * squared * float(between.sum()),
        "excess noise": survey.excess.expected * (between @ branches),
        "mains": survey.mains_left.expected / 2 * squared * vectors,
    }


def _of_the_ranges(products: Products, survey: NoiseSurvey) -> Floats:
    """Return the square errors of products in wider ranges, (outputs,), A².

    Gain and offset of each column there are known from a comparison of two transfer matrices. gain
    = Σ T'T/ΣT² has the uncertainty u/√ΣT², the offset u·V, with u the uncertainty of an element and
    V the voltage of the measurements. A change of temperature between the two acts on all gains
    together.
    """
    siemens, common = products.transfer_siemens, survey.warming.gain_per_kelvin
    power = np.maximum((siemens**2).sum(axis=0), np.finfo(np.float64).tiny)
    currents = (products.row_volts @ siemens) ** 2 / power
    own = (products.tied_siemens**2 * (currents + products.transfer_volts**2)).sum(axis=0)
    warmer = products.tied_square_kelvin @ products.products_amperes**2
    return _of_pairs(own) + (common.value**2 + common.uncertainty**2) * warmer


def _of_pairs(of_columns: Floats) -> Floats:
    """Return the sum over the two columns of each pair: (…, columns) to (…, outputs)."""
    return np.asarray(of_columns[..., 0::2] + of_columns[..., 1::2])


def _flicker_between(products: Products, survey: NoiseSurvey) -> Floats:
    """Return the mean square (vectors,) of 1/f noise from the transfer measurement to a reading.

    The noise has density 1/f; the measurement counts as its mean. With T the aperture, M the
    duration of the measurement and L the time between, longer than both, it is 3 + ln(L²/TM): the
    covariance −ln L between them, 3/2 − ln T and 3/2 − ln M in themselves.
    """
    lasting = products.transfer_readings * survey.settings.period_seconds
    return np.asarray(
        3 + np.log(products.seconds**2 / (survey.settings.aperture_seconds * lasting))
    )
