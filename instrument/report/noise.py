"""Table of the noise in the report: in the units of data sheets, with bounds where unresolved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.noise import NoiseSurvey
from calibration.statistics import MeasuredValue
from instrument import wording


@dataclass(frozen=True)
class NoiseRow:
    """One cause of noise."""

    name: str
    value: str


def noise_rows(survey: NoiseSurvey) -> list[NoiseRow]:
    """Return the noise of each cause with its standard uncertainty.

    An estimate below twice its uncertainty is unresolved: the row states the end of its one-sided
    95 % interval.
    """
    # White noise was measured as a variance in the bandwidth of the aperture, 1/2T.
    density = 2 * survey.settings.aperture_seconds
    warming, settling = survey.warming, survey.settling
    johnson = survey.johnson.scaled(1 / survey.johnson_expected)
    return [
        NoiseRow("ADC, of the range", _root(survey.adc_noise, "ppm")),
        NoiseRow("Johnson noise, of √(4kTG)", _root(johnson, "")),
        NoiseRow("Amplifier, 1/√Hz", _root(survey.amplifier.scaled(density), "V")),
        NoiseRow("Amplifier at 1 Hz, falling as 1/√f, 1/√Hz", _root(survey.flicker, "V")),
        NoiseRow("DACs, 1/√Hz", _root(survey.dac_noise.scaled(density), "V")),
        NoiseRow(
            "Excess noise of a branch, in a decade of frequency",
            _root(survey.excess.scaled(math.log(10)), "ppm"),
        ),
        NoiseRow("Mains in series with a column, amplitude", _root(survey.mains, "V")),
        NoiseRow("Line frequency", _value_or_bound(survey.line_hertz, "Hz")),
        NoiseRow("Missing in a reading without delay", _value_or_bound(settling.at_once, "ppm")),
        NoiseRow("… with the delay in use, as read", _value_or_bound(settling.left_seen, "ppm")),
        NoiseRow(
            "Temperature coefficient, all together, 1/K",
            _with_uncertainty(warming.gain_per_kelvin, "ppm"),
        ),
        NoiseRow("… of columns apart, rms, 1/K", _root(warming.column_square, "ppm")),
        NoiseRow("… of branches apart, rms, 1/K", _root(warming.branch_square, "ppm")),
    ]


def _root(square: MeasuredValue, unit: str) -> str:
    """Write the square root of a measured square."""
    if not square.resolved:
        return f"at most {_plain(math.sqrt(square.upper_limit), unit)}"
    root = math.sqrt(square.value)
    return _with_uncertainty(MeasuredValue(root, square.uncertainty / (2 * root)), unit)


def _value_or_bound(estimate: MeasuredValue, unit: str) -> str:
    return (
        _with_uncertainty(estimate, unit)
        if estimate.resolved
        else f"at most {_plain(estimate.upper_limit, unit)}"
    )


def _with_uncertainty(estimate: MeasuredValue, unit: str) -> str:
    times = 1e6 if unit == "ppm" else 1.0
    return wording.measured(estimate.value * times, estimate.uncertainty * times, unit)


def _plain(value: float, unit: str) -> str:
    if unit == "ppm":
        return wording.ppm(value)
    return wording.quantity(value, unit) if unit else wording.significant(value)
