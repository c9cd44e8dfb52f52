"""Superposition fails by what is not linear, and by nothing else."""

import numpy as np
import pytest

from instrument.validation.linearity import superpose
from tests.support.programs import LINEAR, NOISY, program


def superposed(**effects):
    return superpose(program(**effects), np.random.default_rng(3))


def test_a_linear_board_superposes_whatever_its_weights_and_offsets_are():
    linearity = superposed(**LINEAR)
    for design in (linearity.shared_rows, linearity.rows_apart):
        assert design.relative_residual < 1e-12
        assert design.worst_of_full_scale < 1e-12


def test_bent_dacs_show_on_shared_rows_as_much_as_they_are_bent_and_not_on_rows_apart():
    bent = {factor: superposed(**LINEAR | {"dac_inl": factor}) for factor in (1.0, 10.0)}
    shared = {factor: linearity.shared_rows for factor, linearity in bent.items()}
    assert shared[1.0].relative_residual > 1e-5
    assert shared[10.0].relative_residual == pytest.approx(
        10 * shared[1.0].relative_residual, rel=0.02
    )
    assert shared[10.0].relative_nonlinearity == shared[10.0].relative_residual
    assert bent[10.0].rows_apart.relative_residual < 1e-12


def test_steps_of_the_dacs_show_on_shared_rows_alone():
    linearity = superposed(**LINEAR | {"dac_quantization": 1.0})
    assert linearity.shared_rows.relative_residual > 1e-6
    assert linearity.rows_apart.relative_residual < 1e-12


@pytest.mark.parametrize("effect", ["adc_inl", "adc_quantization"])
def test_the_columns_converters_show_in_both_designs(effect):
    linearity = superposed(**LINEAR | {effect: 10.0})
    for design in (linearity.shared_rows, linearity.rows_apart):
        assert design.relative_nonlinearity > 1e-7


def test_noise_is_told_from_nonlinearity():
    for design in (superposed(**NOISY).shared_rows, superposed(**NOISY).rows_apart):
        # 128 residuals of 3 degrees of freedom each: 4.5 % (standard) between the two.
        assert design.relative_noise == pytest.approx(design.relative_residual, rel=0.2)
    both = superposed(**NOISY | {"dac_inl": 30.0}).shared_rows
    bent = superposed(**LINEAR | {"dac_inl": 30.0}).shared_rows
    assert both.relative_residual > both.relative_nonlinearity
    assert both.relative_nonlinearity == pytest.approx(bent.relative_residual, rel=0.2)
