"""The report's table of the noise: in the units of data sheets, bounds where none is seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from calibration.noise import NoiseSurvey
from calibration.uncertainty import Estimate
from instrument.report import wording


@dataclass(frozen=True)
class NoiseRow:
    """One cause of noise."""

    name: str
    said: str


def noise_rows(survey: NoiseSurvey) -> list[NoiseRow]:
    """Return what was found of each cause, with its standard uncertainty; the end of the one-sided
    95 % interval where it is less than twice that.
    """
    # White noise was found as a variance in the bandwidth of the aperture, 1/2T.
    density = 2 * survey.settings.aperture_seconds
    warming, settling = survey.warming, survey.settling
    johnson = survey.johnson.scaled(1 / survey.johnson_expected)
    return [
        NoiseRow("ADC, of the range", _root(survey.adc_noise, wording.ppm)),
        NoiseRow("Johnson noise, of √(4kTG)", _root(johnson, _plain)),
        NoiseRow("Amplifier, 1/√Hz", _root(survey.amplifier.scaled(density), _volts)),
        NoiseRow("Amplifier at 1 Hz, falling as 1/√f, 1/√Hz", _root(survey.flicker, _volts)),
        NoiseRow("DACs, 1/√Hz", _root(survey.dac_noise.scaled(density), _volts)),
        NoiseRow(
            "Excess noise of a branch, in a decade of frequency",
            _root(survey.excess.scaled(math.log(10)), wording.ppm),
        ),
        NoiseRow("Mains in series with a column, amplitude", _root(survey.mains, _volts)),
        NoiseRow("Line frequency", _said(survey.line_hertz, _hertz)),
        NoiseRow("Missing in a reading without delay", _said(settling.at_once, wording.ppm)),
        NoiseRow("… with the delay in use, as read", _said(settling.left_seen, wording.ppm)),
        NoiseRow("Temperature coefficient, all together, 1/K", _signed(warming.gain_per_kelvin)),
        NoiseRow("… of columns apart, rms, 1/K", _root(warming.column_square, wording.ppm)),
        NoiseRow("… of branches apart, rms, 1/K", _root(warming.branch_square, wording.ppm)),
    ]


def _root(square: Estimate, write: Callable[[float], str]) -> str:
    """Write the root of a square that was measured."""
    if not square.resolved:
        return f"at most {write(math.sqrt(square.most))}"
    root = math.sqrt(square.value)
    return _both(root, square.uncertainty / (2 * root), write)


def _said(estimate: Estimate, write: Callable[[float], str]) -> str:
    if not estimate.resolved:
        return f"at most {write(estimate.most)}"
    return _both(estimate.value, estimate.uncertainty, write)


def _signed(estimate: Estimate) -> str:
    return _both(estimate.value, estimate.uncertainty, wording.ppm)


def _both(value: float, uncertainty: float, write: Callable[[float], str]) -> str:
    return f"{write(value)} ± {write(uncertainty)}"


def _volts(value: float) -> str:
    return wording.quantity(value, "V")


def _hertz(value: float) -> str:
    return f"{value:.4f}{wording.SPACE}Hz"


def _plain(value: float) -> str:
    return f"{value:.3f}"
