"""The error budget: what each cause should contribute to the relative error of products.

Products are ŷ = (ΔI − ΔI₀)/scale, the scale that of the output, ΔI the difference of a pair's
column currents at row voltages v, D the wanted differences of conductance. To first order their
error, in amperes, is

    Σ_i v_i E_ip + Σ_i δv_i D_ip + n_(2p) − n_(2p+1):

E what the transfer matrix is off by, δv what the rows' voltages are off by, n what a column's
reading is off by. Each cause contributes its root sum square over all vectors, output by output;
over all outputs these are weighed as products are, by 1/scale², relative to what is wanted,
‖v D/scale‖. Causes are independent of one another, so their squares add up
(JCGM 100:2008, 5.1.2); what one cause has in common between readings is kept in its own term.
Everything comes from the calibration and from what was measured when the matrix was programmed.
docs/uncertainty.md derives the rows one by one.
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
    """Products to be budgeted: what is driven, what is wanted, what stands on the board.

    Columns are those of the outputs, plus side before minus side; rows those of the matrix.
    """

    row_volts: Floats
    """(vectors, rows): what is driven, in that order."""
    driven_lower: Floats
    """(vectors,): what the voltages that were asked for were divided by; see `product_ranges`."""
    rounding_volts: Floats
    """(vectors, rows): by how much the DACs' codes miss that."""
    row_bend_volts: Floats
    """(vectors, rows): standard uncertainty of a DAC's curve there, once it is corrected."""
    wanted_siemens: Floats
    """(rows, outputs): wanted differences."""
    transfer_siemens: Floats
    """(rows, columns): measured transfer matrix."""
    transfer_uncertainty_siemens: Floats
    """(columns,): standard uncertainty of each element of a column."""
    transfer_volts: float
    """Of the rows when it was measured, either sign."""
    transfer_readings: int
    """Of each column."""
    squared_siemens: Floats
    """(rows, columns): sum of squares of the closed branches' conductances, S²."""
    column_siemens: Floats
    """(columns,): all conductance on a column."""
    range_amperes: Floats
    """(vectors,): the range that a vector is read in."""
    column_bend_amperes: Floats
    """(vectors, columns): standard uncertainty of an ADC's curve there, once it is corrected, that
    is left beside a zero and a gain.
    """
    tied_siemens: Floats
    """(vectors, columns): standard uncertainty of the elements of the transfer matrices by which
    that range was tied to the range of use; 0 there.
    """
    tied_square_kelvin: Floats
    """(vectors,): square of the change of temperature from the one to the other, K²."""
    seconds: Floats
    """(vectors,): since the middle of the transfer matrix' measurement."""
    square_kelvin: Floats
    """(vectors,): mean square of the change of temperature since then, K²."""
    warmer_kelvin: Floats
    """(vectors,): by how much the board is warmer than then, as its thermometer says."""
    watched_square_kelvin: Floats
    """(vectors,): mean square of the change since the gain that all columns have in common was last
    looked at.
    """
    watched_warmer_kelvin: Floats
    """(vectors,): by how much the board is warmer than then, as its thermometer says."""
    aged_decades: Floats
    """(vectors,): log₁₀ of the hours since power-on, and one, less the same then."""

    @property
    def products_amperes(self) -> Floats:
        """(vectors, outputs): what is wanted of what is driven."""
        return self.row_volts @ self.wanted_siemens

    @property
    def asked_amperes(self) -> Floats:
        """(vectors, outputs): what is wanted of the voltages that were asked for."""
        return self.products_amperes * self.driven_lower[:, None]

    def of_vectors(self, which: Bools) -> Products:
        """Return some of the products (vectors,)."""
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
    """What one cause contributes."""

    cause: str
    relative_error: float

    @property
    def bits(self) -> float:
        """−log₂ of the relative error; infinite where there is none."""
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
    """Return what each cause contributes to the sum over vectors of the square errors of each
    output's products, (outputs,), A². What is driven lower counts with what its currents are
    multiplied by.
    """
    squares: dict[str, Floats] = defaultdict(lambda: np.zeros(products.wanted_siemens.shape[1]))
    for lower in np.unique(products.driven_lower).tolist():
        alike = products.of_vectors(products.driven_lower == lower)
        for cause, square in _squares_as_driven(alike, survey).items():
            squares[cause] += lower**2 * square
    return dict(squares)


def _squares_as_driven(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Return the same of products that are all driven alike, in amperes as they are driven."""
    return {
        **_of_the_matrix(products),
        **_of_drift(products, survey),
        **_of_the_voltages(products, survey),
        **_of_the_readings(products, survey),
    }


def budget_of_squares(squares: dict[str, float], whole: float) -> Budget:
    """Return the budget of causes that contribute so much to the sum of square errors, relative to
    the sum of squares of what is wanted, in the same unit; causes contribute nothing to products
    that are all zero.
    """
    return Budget(
        tuple(
            Row(cause, math.sqrt(square / whole) if whole else 0.0)
            for cause, square in squares.items()
        )
    )


def _of_the_matrix(products: Products) -> dict[str, Floats]:
    """Return what the matrix on the board is off by, (outputs,), A².

    The measured residual is made of what the board is off by and of what the measurement is. Both
    are of known size on average: the measurement's uncertainty, and what is left of the residual
    without it. So the best guess of what the board is off by is a share λ of the residual, and that
    guess is uncertain by λ of the measurement's variance (the linear estimate of least mean square
    error). Together they are the residual's square less the measurement's. The share is found over
    all outputs, which tell it better than one.
    """
    volts, outputs = products.row_volts, products.wanted_siemens.shape[1]
    residual = differences(products.transfer_siemens, outputs) - products.wanted_siemens
    seen = ((volts @ residual) ** 2).sum(axis=0)
    measured = (volts**2).sum() * _of_pairs(products.transfer_uncertainty_siemens**2)
    share = max(0.0, 1 - measured.sum() / seen.sum()) if seen.any() else 0.0
    return {
        "selection residual": share**2 * seen,
        "transfer matrix": share * measured,
    }


def _of_drift(products: Products, survey: NoiseSurvey) -> dict[str, Floats]:
    """Return what has changed since the transfer matrix was measured, (outputs,), A².

    Temperature changes all conductances together, the gains of columns apart, and branches apart;
    age changes branches apart; their own heat changes branches by what it differs from that at the
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
    """Return what rows are driven to beside what is asked for, (outputs,), A²; both columns of a
    pair see it, and what they have in common cancels.
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
    """Return what readings of columns scatter by, or are off by, (outputs,), A².

    What is white in a reading is once more in the zero that is subtracted, a mean of many. What
    falls as 1/f is in both as well, and counts by how far apart they are.
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
    """Return what products in wider ranges err by, because gain and offset of each column there are
    known from comparing two transfer matrices, (outputs,), A².

    gain = Σ T'T/ΣT² is uncertain by u/√ΣT², the offset by u·V, u the uncertainty of an element and
    V the voltage that they were measured with. If the board was warmer for one of the two, all
    gains together are off by that.
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
    """Return the mean square (vectors,) of noise of density 1/f between a reading and the mean over
    the transfer matrix' measurement.

    With T the aperture, M the measurement's duration and L the time between, longer than both, it
    is 3 + ln(L²/TM): the covariance −ln L between them, 3/2 − ln T and 3/2 − ln M in themselves.
    """
    lasting = products.transfer_readings * survey.settings.period_seconds
    return np.asarray(
        3 + np.log(products.seconds**2 / (survey.settings.aperture_seconds * lasting))
    )
