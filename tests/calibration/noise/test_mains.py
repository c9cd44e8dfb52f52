"""Pickup of the mains is found where it is, and where there is none, nothing is."""

import numpy as np
import pytest

from calibration.noise.mains import LINE_TOLERANCE, fit_line

PERIOD, APERTURE, COUNT, COLUMNS = 15e-3, 10e-3, 40, 12
HERTZ = 50.0


def readings(draw, amplitude, hertz, noise, common=0.0):
    """Averages over apertures of a sine with a phase for each column, and noise."""
    seconds = PERIOD * np.arange(COUNT)[:, None] + 3.7
    phases = draw.uniform(0, 2 * np.pi, COLUMNS)
    passed = np.sinc(hertz * APERTURE)
    pickup = amplitude * passed * np.sin(2 * np.pi * hertz * seconds + phases)
    own = noise * draw.standard_normal((COUNT, COLUMNS))
    return 0.3 + pickup + own + common * draw.standard_normal((COUNT, 1))


@pytest.mark.parametrize("hertz", [49.7, 50.02, 50.4])
def test_a_pure_sine_is_found_exactly(hertz):
    line = fit_line(readings(np.random.default_rng(1), 2.0, hertz, 1e-9), PERIOD, APERTURE, HERTZ)
    assert line.hertz.value == pytest.approx(hertz, abs=1e-8)
    assert line.square.value == pytest.approx(4.0, rel=1e-7)


@pytest.mark.parametrize("common", [0.0, 0.1])
@pytest.mark.parametrize("amplitude", [0.0, 0.02, 0.3])
def test_uncertainties_are_those_of_repeated_measurements(amplitude, common):
    draw = np.random.default_rng(2)
    hertz = HERTZ * (1 + LINE_TOLERANCE / np.sqrt(3) * draw.standard_normal(200))
    scores = []
    for one in hertz:
        line = fit_line(readings(draw, amplitude, one, 0.05, common), PERIOD, APERTURE, HERTZ)
        scores.append(
            [
                (line.hertz.value - one) / line.hertz.uncertainty,
                (line.square.value - amplitude**2) / line.square.uncertainty,
            ]
        )
    spread = np.sqrt((np.array(scores) ** 2).mean(axis=0))
    assert (spread > 0.6).all()
    assert (spread < 1.4).all()


def test_without_pickup_the_frequency_is_what_was_known_before():
    line = fit_line(readings(np.random.default_rng(5), 0.0, 50.0, 1.0), PERIOD, APERTURE, 60.0)
    assert line.hertz.uncertainty > 0.5 * 60 * LINE_TOLERANCE / np.sqrt(3)
    assert not line.square.resolved
