"""Contrasts see of a noise what its density says."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

from calibration.statistics.allan import (
    THREE_SPANS,
    TWO_SPANS,
    contrast_weights,
    contrasts,
    flicker_square,
)

SPANS = pytest.mark.parametrize("spans", [TWO_SPANS, THREE_SPANS])


@SPANS
@pytest.mark.parametrize("span", [1, 2, 7])
def test_contrasts_of_white_noise_have_its_variance_and_are_independent(span, spans):
    series = np.eye(60)  # one reading in each column: contrasts become their own weights
    weights = contrasts(series, span, spans)
    assert len(weights) == 60 // (span * len(spans))
    np.testing.assert_allclose(weights @ weights.T, np.eye(len(weights)), atol=1e-14)
    np.testing.assert_allclose(weights @ np.ones(60), 0, atol=1e-14)


def test_three_spans_cancel_a_steady_drift():
    drift = np.outer(np.arange(48.0), [1.0, -3.0])
    assert np.abs(contrasts(drift, 4, THREE_SPANS)).max() < 1e-12
    assert np.abs(contrasts(drift, 4, TWO_SPANS)).min() > 1


@pytest.mark.parametrize("span", [1, 4, 64])
def test_allan_variance_of_flicker_does_not_depend_on_the_span(span):
    """2·ln 2 for a density of 1/f (Allan 1966); a contrast's mean square is m times that."""
    square = flicker_square(contrast_weights(span, TWO_SPANS), 0.02, 0.02)
    assert square == pytest.approx(2 * np.log(2) * span, rel=1e-9)


@SPANS
@pytest.mark.parametrize("signs", [1.0, -1.0])
def test_flicker_as_its_density_integrates(spans, signs):
    """∫ |Σ wₙ e^(2πi f tₙ) sinc(fT)|² df / f, with dead time and with alternating signs."""
    period, aperture = 0.03, 0.02
    weights = contrast_weights(2, spans) * signs ** np.arange(2 * len(spans))

    log_hertz = np.arange(np.log(1e-6), np.log(2e4), 1e-4)  # fine for the fastest turns
    hertz = np.exp(log_hertz)[:, None]
    waves = np.exp(2j * np.pi * hertz * period * np.arange(len(weights)))
    passed = np.abs(waves @ weights) ** 2 * np.sinc(hertz[:, 0] * aperture) ** 2
    integral = trapezoid(passed, log_hertz)
    assert flicker_square(weights, period, aperture) == pytest.approx(integral, rel=1e-5)
