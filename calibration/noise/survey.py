"""The noise survey: the scatter of readings, separated into causes, each with its uncertainty.

Everything is read from the board alone, under a few patterns that weigh the causes differently:

- *everything* closed, at 0 V, a long series: the amplifiers, white and 1/f;
- *few*: so little conductance that its own thermal noise outweighs the amplifiers';
- *sparse*: every column joined to rows of its own: the rows' DACs;
- *opened*: nothing closed, in the range of use: the ADCs;
- *chopped*: everything closed and driven, every other row against its neighbour, so that the
  currents cancel and a narrow range holds them. The voltages change sign with every reading. Excess
  noise of the resistors changes sign with them, other noise does not. It is read twice, some
  seconds apart: the difference shows how the columns drift with temperature, which is then left
  out.

These are separated together (`series.py`, `statistics.fit_components`). Three more find what does
not scatter:

- *line*: apertures of half a line cycle, which let the mains through;
- *steps*: voltages that grow by less than a step of the DACs;
- *gain*: all rows driven alike, after several delays, early and late in the survey: unsettled
  residues, and the effect of a change of temperature.

Rows are driven with half the voltage, a quarter … where the widest range would not hold the
currents of a board with everything closed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Bools
from calibration.branches import BranchCalibration
from calibration.converters import USUAL_ADC_BITS, adc_step, find_adc_bits
from calibration.crossbar import Crossbar, measuring_volts, smallest_range
from calibration.errors import OverloadError
from calibration.noise.mains import fit_line
from calibration.noise.readings import Reading, Settings, SurveyReadings, take_readings
from calibration.noise.series import Cause, Series
from calibration.noise.settling import Settling
from calibration.noise.slow_effects import SurveyGains, chopped_mean
from calibration.statistics import MeasuredValue, fit_components
from calibration.temperature import Warming, prior_deviation

BOLTZMANN_JOULES_PER_KELVIN = 1.380649e-23
"""By definition of the kelvin (SI, 2019)."""
MIN_NOISY_BITS = 20
"""Bits from which on noise alone leads from one code of an ADC to the next."""
MAX_TIME_CONSTANTS = 50.0
"""Maximum reduction of a delay that is extrapolated, in time constants."""
RANGE_GAIN_UNCERTAINTY = 1e-3
"""Relative standard uncertainty of a range's gain against that of the characterization's range."""


@dataclass(frozen=True)
class NoiseSurvey:
    """The noise of a board by cause; white noise is a variance at the aperture in use."""

    settings: Settings
    adc_noise: MeasuredValue
    """Variance over the square of the range."""
    adc_quantization: MeasuredValue
    """Variance over the square of the range: a twelfth of the square of the observed step."""
    johnson: MeasuredValue
    """A²/S, of a column's total conductance."""
    amplifier: MeasuredValue
    """V², across a column's total conductance."""
    flicker: MeasuredValue
    """V²/Hz at 1 Hz, falling as 1/f, across a column's total conductance."""
    dac_noise: MeasuredValue
    """V², on each row."""
    dac_quantization: MeasuredValue
    """V², on each row: mean square deviation of settings a few steps apart from proportion."""
    excess: MeasuredValue
    """1/Hz at 1 Hz, falling as 1/f: of the current of every branch, independently."""
    mains: MeasuredValue
    """V²: square of the amplitude, across a column's total conductance."""
    line_hertz: MeasuredValue
    settling: Settling
    warming: Warming
    readings: int
    """Number of readings of each column."""
    columns: int
    """Number of columns that answered throughout."""

    def read_with(self, aperture_seconds: float, delay_seconds: float) -> NoiseSurvey:
        """Return the survey's noise at another aperture and another delay.

        White noise falls with the aperture; the unsettled share follows the fitted exponential.
        """
        shorter = self.settings.aperture_seconds / aperture_seconds
        sooner = self.settings.delay_seconds - delay_seconds
        seconds = self.settling.seconds.value
        more = math.exp(min(sooner / seconds, MAX_TIME_CONSTANTS)) if seconds else 1.0
        return replace(
            self,
            settings=replace(
                self.settings, aperture_seconds=aperture_seconds, delay_seconds=delay_seconds
            ),
            adc_noise=self.adc_noise.scaled(shorter),
            johnson=self.johnson.scaled(shorter),
            amplifier=self.amplifier.scaled(shorter),
            dac_noise=self.dac_noise.scaled(shorter),
            settling=replace(self.settling, left=self.settling.left.scaled(shorter * more)),
        )

    @property
    def johnson_expected(self) -> float:
        """A²/S: 4kT·B, B = 1/(2·aperture) (Nyquist 1928), at the temperature of the survey."""
        bandwidth_hertz = 1 / (2 * self.settings.aperture_seconds)
        return float(4 * BOLTZMANN_JOULES_PER_KELVIN * self.warming.kelvin * bandwidth_hertz)

    @property
    def mains_left(self) -> MeasuredValue:
        """V²: what the aperture in use passes of `mains`, sinc²(f·T) of it.

        It is the mean over the uncertainty of the frequency (three points of Gauss and Hermite).
        """
        line, aperture = self.line_hertz, self.settings.aperture_seconds
        places = line.value + line.uncertainty * np.sqrt(3) * np.array([-1, 0, 1])
        passed = np.sinc(places * aperture) ** 2
        weights = np.array([1, 4, 1]) / 6
        mean = float(weights @ passed)
        spread = float(np.sqrt(weights @ (passed - mean) ** 2))
        square = max(self.mains.value, 0.0)
        return MeasuredValue(
            square * mean, float(np.hypot(square * spread, self.mains.uncertainty * mean))
        )


def usual_settings(
    board: Crossbar,
    calibration: BranchCalibration,
    *,
    aperture_seconds: float,
    delay_seconds: float,
    line_hertz: float,
) -> Settings:
    """Return the settings with which products are likely to be read.

    The range is the smallest that holds the current of half of all branches of a column, with all
    rows driven alike.
    """
    of_column = calibration.branch_siemens.sum(axis=(0, 2))
    amperes = measuring_volts(board.row_volts_limit) * float(of_column.max()) / 2
    range_amperes = smallest_range(board.ranges_amperes, amperes)
    return Settings(range_amperes, aperture_seconds, delay_seconds, line_hertz)


def survey_noise(
    board: Crossbar,
    calibration: BranchCalibration,
    settings: Settings,
    adc_bits: int = USUAL_ADC_BITS,
) -> NoiseSurvey:
    """Survey a board whose products are read at `settings`.

    It takes some 700 readings, 14 s at an aperture of 20 ms, whatever the board's size, and leaves
    the board at `settings`, with all switches open. Columns that overload, or have no working
    branch, are left out. `adc_bits` is what the board states of its ADCs, for readings that do not
    show their step.

    Raises OverloadError where no column answers throughout.
    """
    if not calibration.usable.any():
        raise OverloadError(
            "no branch of the board can be switched: look at supplies and connectors"
        )
    read = take_readings(board, calibration, settings)
    board.rest()
    answers = _answering(read) & (calibration.branch_siemens > 0).any(axis=(0, 2))
    if not answers.any():
        raise OverloadError("no column answers throughout the noise survey")
    series = _series(read, calibration, answers)
    siemens = series[0].crosspoint_siemens.sum(axis=0)

    line = fit_line(
        read.line.amperes[:, answers] / siemens,
        read.line.period_seconds,
        read.line.aperture_seconds,
        settings.line_hertz,
    )
    minimum = np.zeros(len(Cause))
    quantization = _adc_quantization(read, answers, adc_bits)
    minimum[Cause.ADC] = quantization.value
    observed = [
        square for one_series in series for square in one_series.mean_squares(line.hertz.value)
    ]
    variances, covariance = fit_components(observed, minimum)
    adc, johnson, amplifier, flicker, dac, excess = (
        MeasuredValue(float(value), float(np.sqrt(square)))
        for value, square in zip(variances, np.diag(covariance), strict=True)
    )

    gains = SurveyGains(read, answers, series[0], (series[-2], series[-1]), variances)
    return NoiseSurvey(
        settings=settings,
        adc_noise=_without_rounding(adc, quantization.value),
        adc_quantization=quantization,
        johnson=johnson,
        amplifier=amplifier,
        flicker=flicker,
        dac_noise=dac,
        dac_quantization=gains.dac_quantization(),
        excess=excess,
        mains=MeasuredValue(
            line.square.value,
            float(
                np.hypot(line.square.uncertainty, 2 * RANGE_GAIN_UNCERTAINTY * line.square.value)
            ),
        ),
        line_hertz=line.hertz,
        settling=gains.settling(settings.delay_seconds),
        warming=gains.warming(
            prior_deviation(1e-6 * calibration.drift_ppm, float(np.ptp(calibration.kelvin_range)))
        ),
        readings=read.count,
        columns=int(answers.sum()),
    )


def _readings(read: SurveyReadings) -> tuple[Reading, ...]:
    """Return all series of single readings."""
    return (
        read.everything,
        read.few,
        read.sparse,
        read.opened,
        *read.chopped,
        read.line,
        read.steps,
    )


def _answering(read: SurveyReadings) -> Bools:
    """Return which columns (columns,) never overloaded."""
    amperes = [reading.amperes for reading in _readings(read)]
    amperes += [gain.siemens[None] for gain in (*read.early, *read.delayed)]
    return np.asarray(np.isfinite(np.concatenate(amperes)).all(axis=0))


def _series(read: SurveyReadings, calibration: BranchCalibration, answers: Bools) -> list[Series]:
    """Return the readings that scatter, as series of the columns that answer.

    The first is that of everything closed.
    """
    first, last = (chopped_mean(reading.amperes) for reading in read.chopped)
    drift = (last - first)[answers]
    series = []
    for reading in (read.everything, read.few, read.sparse, read.opened, *read.chopped):
        closed = reading.pattern * calibration.branch_siemens
        driven = bool(reading.row_volts.any())
        squares = reading.row_volts[0] ** 2 @ (closed**2).sum(axis=2)
        series.append(
            Series(
                amperes=reading.amperes[:, answers],
                crosspoint_siemens=(calibration.open_siemens + closed.sum(axis=2))[:, answers],
                range_amperes=reading.range_amperes,
                period_seconds=reading.period_seconds,
                aperture_seconds=reading.aperture_seconds,
                branch_amperes=np.sqrt(squares)[answers] if driven else None,
                drift_amperes=drift if driven else None,
            )
        )
    return series


def _adc_quantization(read: SurveyReadings, answers: Bools, stated_bits: int) -> MeasuredValue:
    """Return the variance that rounding adds to readings over their range.

    The step is that of the binary grid that holds all readings. Where that grid is as fine as
    noise, the step is the smallest difference between two readings at zero, because a grid need not
    be binary. Columns that always read the same do not count: their differences are offsets.
    """
    shares = [
        reading.amperes[:, answers].ravel() / reading.range_amperes for reading in _readings(read)
    ]
    bits = find_adc_bits(np.concatenate(shares), stated_bits)
    step, opened = adc_step(bits), read.opened.amperes[:, answers]
    values = np.unique(opened[:, np.ptp(opened, axis=0) > 0])
    if bits >= MIN_NOISY_BITS and len(values) > 1:
        step = float(np.diff(values / read.opened.range_amperes).min())
    return MeasuredValue(step**2 / 12, 0.0)


def _without_rounding(adc: MeasuredValue, rounding: float) -> MeasuredValue:
    """Return the ADC's variance without that of rounding.

    Rounding adds a twelfth of the step's square where the noise spreads over several steps.
    Otherwise the sum differs, by about exp(−2π²σ²/step²) of that (Widrow & Kollár 2008). Readings
    that scatter by less than rounding would add hardly ever leave their code: their noise is below
    their scatter.
    """
    noise = max(adc.value - rounding, 0.0)
    step_square = 12 * rounding
    spread = np.pi**2 * 2 * max(noise, 0.0)
    doubt = rounding * float(np.exp(-spread / step_square)) if step_square else 0.0
    return MeasuredValue(noise, float(np.hypot(adc.uncertainty, min(doubt, max(adc.value, 0.0)))))
