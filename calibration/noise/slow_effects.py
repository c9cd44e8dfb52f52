"""Settling, temperature coefficients and DAC steps, from the gains of a survey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.noise.readings import GAIN_WEIGHTS, GainReading, SurveyReadings
from calibration.noise.series import Cause, Series
from calibration.noise.settling import Settling, find_settling
from calibration.statistics import MeasuredValue, flicker_square
from calibration.temperature import (
    CHANGE_KELVIN,
    CLASS_BRANCH_PER_KELVIN,
    CLASS_COLUMN_PER_KELVIN,
    CLASS_SHARE,
    Warming,
    common_coefficient,
    square_coefficient,
    wander,
)

COMMON_TO_ROWS = Cause.DAC
OF_COLUMNS = Cause.ADC, Cause.JOHNSON, Cause.AMPLIFIER


@dataclass(frozen=True)
class SurveyGains:
    """Readings of a survey in the columns that answer, and their noise."""

    read: SurveyReadings
    answers: Bools
    """(columns,)"""
    everything: Series
    """The series with everything closed."""
    chopped: tuple[Series, Series]
    variances: Floats
    """(causes,)"""

    @property
    def early(self) -> Floats:
        """(columns,): conductance at the start, siemens."""
        return self._mean(self.read.early)

    @property
    def late(self) -> Floats:
        """(columns,): conductance at the end, after the same delay, siemens."""
        delay = self.read.early[0].delay_seconds
        return self._mean([gain for gain in self.read.delayed if gain.delay_seconds == delay])

    def settling(self, in_use_seconds: float) -> Settling:
        """Return what readings miss after a delay, from gains read up and down over the delays.

        Rows that turn from −V to V change a current by twice its size. Up and down, a steady drift
        cancels; the uncertainty allows for an unsteady one, as fast as the drift in between.
        """
        gain = np.array([reading.siemens[self.answers].sum() for reading in self.read.delayed])
        delays = np.array([reading.delay_seconds for reading in self.read.delayed])
        half = len(delays) // 2
        there, back = gain[:half], gain[: half - 1 : -1]
        apart = np.arange(2 * half - 1, 0, -2)
        both = (there + back) / (there[-1] + back[-1])
        drift = np.sqrt((((back - there) / gain.mean() / apart) ** 2).mean()) * apart
        noise = self._gain_noise_of_sum() / self.early.sum()
        uncertainty = np.sqrt(noise**2 + (drift / 2) ** 2) / 2
        return find_settling(delays[:half], (1 - both) / 2, uncertainty, in_use_seconds)

    def warming(self, prior_per_kelvin: float) -> Warming:
        """Return the temperature coefficients; the common one's prior is 0 ± `prior_per_kelvin`.

        The common one and the columns' come from the gains, early and late. The branches' come from
        the chopped readings, in which the common one cancels except for a rest that is removed.
        """
        (began, early), _, _, (ended, late) = self.read.thermometer
        change = MeasuredValue(late - early, CHANGE_KELVIN)
        common = common_coefficient(
            float(np.log(self.late.sum() / self.early.sum())),
            self._gain_noise_of_sum() * float(np.sqrt(2) / self.early.sum()),
            change,
            prior_per_kelvin,
        )
        branches = self._branch_square(common)
        ratio = np.log(self.late / self.early)
        of_branches = branches.value * self._branch_shares() ** 2 * change.value**2
        seconds = ended - began
        return Warming(
            kelvin=(early + late) / 2,
            kelvin_per_second=MeasuredValue(abs(change.value) / seconds, CHANGE_KELVIN / seconds),
            wander=wander(*np.transpose(self.read.thermometer)),
            gain_per_kelvin=common,
            column_square=square_coefficient(
                ratio - ratio.mean(),
                np.sqrt((self._gain_noise_of_columns() / self.early) ** 2 + of_branches),
                change,
                CLASS_COLUMN_PER_KELVIN,
            ),
            branch_square=branches,
        )

    def dac_quantization(self) -> MeasuredValue:
        """Return the mean square deviation of small settings from proportion, V², all rows alike.

        The noise of the readings is subtracted. The uncertainty is that of a mean square of errors
        that are uniformly distributed (kurtosis 1.8).
        """
        steps, siemens = self.read.steps, self.early.sum()
        departure = steps.amperes[:, self.answers].sum(axis=1) / siemens - steps.row_volts[:, 0]
        square, count = float(departure.var(ddof=1)), len(departure)
        noise = float(self._noise_of_sum(steps.range_amperes) / siemens) ** 2
        return MeasuredValue(
            square - noise,
            float(np.hypot(square * np.sqrt(0.8 / count), noise * np.sqrt(2 / count))),
        )

    def _mean(self, gains: Sequence[GainReading]) -> Floats:
        return np.asarray(np.mean([gain.siemens[self.answers] for gain in gains], axis=0))

    def _covariances(self, range_amperes: float) -> Floats:
        """Return the covariance of readings with everything closed, (causes, columns, columns)."""
        unit = replace(self.everything, range_amperes=range_amperes).covariances()
        return np.asarray(np.maximum(self.variances, 0.0)[:, None, None] * unit)

    def _noise_of_sum(self, range_amperes: float) -> float:
        """Return the standard deviation of a reading of all columns together, ampere.

        It holds white noise alone.
        """
        white = self._covariances(range_amperes)[[*OF_COLUMNS, COMMON_TO_ROWS]]
        return float(np.sqrt(white.sum()))

    def _gain_noise_of_sum(self) -> float:
        """Return the standard uncertainty of the mean of two gains of all columns, siemens."""
        gain = self.read.early[0]
        weight = float(np.linalg.norm(GAIN_WEIGHTS) / np.sqrt(2)) / gain.volts
        return weight * self._noise_of_sum(gain.range_amperes)

    def _gain_noise_of_columns(self) -> Floats:
        """Return the standard uncertainty (columns,) of the difference of two means of two gains.

        In siemens, without the part that is common to the columns.
        """
        gain = self.read.early[0]
        own = self._covariances(gain.range_amperes)[list(OF_COLUMNS)].sum(axis=0)
        return np.asarray(np.sqrt(np.diag(own)) * np.linalg.norm(GAIN_WEIGHTS) / gain.volts)

    def _branch_shares(self) -> Floats:
        """Return the root sum square (columns,) of a column's branches, over their sum."""
        chopped, volts = self.chopped[0], np.abs(self.read.chopped[0].row_volts).max()
        assert chopped.branch_amperes is not None
        return np.asarray(chopped.branch_amperes / (volts * self.early))

    def _branch_square(self, common: MeasuredValue) -> MeasuredValue:
        """Return the mean square of the branches' coefficients from the chopped readings.

        The change of the columns from the first to the last consists of the branches' currents,
        each with its own coefficient, of white noise, and of excess noise between means so far
        apart. The temperature is known before and after each of them, not in between.
        """
        (_, early), (ended, first), (began, last), (_, late) = self.read.thermometer
        wander = np.hypot(first - early, late - last) / np.sqrt(12)
        change = MeasuredValue(
            (last + late) / 2 - (early + first) / 2, float(np.hypot(wander, CHANGE_KELVIN))
        )
        before, after = (chopped_mean(series.amperes) for series in self.chopped)
        series = self.chopped[0]
        assert series.branch_amperes is not None
        expected = (before + after) / 2 * common.value * change.value
        readings = len(series.amperes)
        gap = round((began - ended) / series.period_seconds)
        weights = np.repeat([-1 / readings, 0.0, 1 / readings], [readings, gap, readings])
        excess = flicker_square(weights, series.period_seconds, series.aperture_seconds)
        white = self._covariances(series.range_amperes)[[*OF_COLUMNS, COMMON_TO_ROWS]].sum(axis=0)
        variance = (
            2 / readings * np.diag(white)
            + max(float(self.variances[Cause.EXCESS]), 0.0) * excess * series.branch_amperes**2
        )
        return square_coefficient(
            (after - before - expected) / series.branch_amperes,
            np.sqrt(variance) / series.branch_amperes,
            change,
            max(CLASS_BRANCH_PER_KELVIN, CLASS_SHARE * abs(common.value)),
        )


def chopped_mean(amperes: Floats) -> Floats:
    """Return the mean (columns,) of readings (readings, columns) whose voltages alternate in sign.

    The signs are taken off the readings first.
    """
    return np.asarray(amperes[0::2].mean(axis=0) - amperes[1::2].mean(axis=0)) / 2
