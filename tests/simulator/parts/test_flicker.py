"""Noise of density 1/f: its level, its slope, its Allan variance."""

import numpy as np
import pytest

from simulator.parts.flicker import Flicker

CHANNELS = 200


def samples(count, spacing, aperture):
    """Averages (count, CHANNELS), one after another."""
    flicker = Flicker(np.random.default_rng(1), CHANNELS)
    return flicker.sample(aperture / 2 + spacing * np.arange(count), aperture)


def test_density_is_one_over_f():
    spacing = 0.02
    x = samples(4096, spacing, spacing)
    spectrum = np.abs(np.fft.rfft(x - x.mean(axis=0), axis=0)[1:]) ** 2
    density = (2 * spacing / len(x) * spectrum).mean(axis=1)  # one-sided
    hertz = np.fft.rfftfreq(len(x), spacing)[1:]
    # Well inside the band: the record's ends leak below, apertures average above.
    for low, high in ((0.1, 0.3), (0.3, 1.0), (1.0, 3.0), (3.0, 8.0)):
        inside = (hertz >= low) & (hertz < high)
        level = (density * hertz / np.sinc(hertz * spacing) ** 2)[inside].mean()
        assert level == pytest.approx(1.0, rel=0.15), (low, high)


@pytest.mark.parametrize("aperture", [0.02, 0.2, 2.0, 20.0])
def test_allan_variance_does_not_depend_on_the_averaging_time(aperture):
    x = samples(400, aperture, aperture)
    allan = (np.diff(x, axis=0) ** 2).mean() / 2
    # 2 ln 2 times the density at 1 Hz: no averaging makes 1/f noise smaller.
    assert allan == pytest.approx(2 * np.log(2), rel=0.1)


def test_channels_are_independent():
    x = samples(2000, 1.0, 1.0)
    steps = np.diff(x, axis=0)
    correlation = np.corrcoef(steps.T) - np.eye(CHANNELS)
    assert np.abs(correlation).max() < 6 / np.sqrt(len(steps) / 3)


def test_it_remembers_between_calls():
    whole = Flicker(np.random.default_rng(2), 5).sample(np.arange(10.0), 0.02)
    flicker = Flicker(np.random.default_rng(2), 5)
    parts = [flicker.sample(np.array([float(second)]), 0.02) for second in range(10)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
