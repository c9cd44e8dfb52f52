"""What the curves of ADCs leave in products, against Monte Carlo (JCGM 101)."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.products import column_bend_amperes
from calibration.transfer import measure_transfer
from tests.calibration.calibrations import converters_of

ROWS, COLUMNS, VECTORS, VOLTS, RANGE = 48, 6, 40, 15 / 16, 1e-3


class Bent:
    """A board of exact conductances, read through the curves of its ADCs."""

    rows, columns = ROWS, COLUMNS

    def __init__(self, siemens, curves):
        self.siemens, self.curves = siemens, curves

    def moment(self):
        return 0.0, 0.0

    def column_currents(self, row_volts):
        amperes = row_volts @ self.siemens
        return amperes + RANGE * self.curves.deviation(amperes / RANGE)


@pytest.mark.parametrize("siemens", [2e-5, 6e-5])
def test_of_the_curves_a_constant_and_a_gain_are_no_error(siemens):
    """Curves drawn from their covariance bend the zero, the transfer matrix and the products."""
    random = np.random.default_rng(3)
    curves = converters_of(ROWS, COLUMNS).columns
    conductances = siemens * random.uniform(0.5, 1.5, (ROWS, COLUMNS))
    volts = random.uniform(-VOLTS, VOLTS, (VECTORS, ROWS))
    squares = []
    for _ in range(300):
        drawn = [random.multivariate_normal(np.zeros(4), one) for one in curves.covariance]
        board = Bent(conductances, replace(curves, coefficients=np.array(drawn)))
        measured = measure_transfer(board, ROWS, COLUMNS, VOLTS)
        answered = board.column_currents(volts) - measured.zero_amperes
        squares.append((answered - volts @ measured.siemens) ** 2)
    predicted = column_bend_amperes(curves, conductances, volts, VOLTS, np.full(VECTORS, RANGE))
    found = np.mean(squares, axis=0)
    assert predicted.shape == (VECTORS, COLUMNS)
    # of what the curves deviate by, most is a constant and a gain
    deviation = RANGE * curves.uncertainty(volts @ conductances / RANGE)
    assert (predicted**2).sum() < 0.3 * (deviation**2).sum()
    assert (predicted**2).sum() == pytest.approx(found.sum(), rel=0.3)
