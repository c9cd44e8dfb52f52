"""What the curves of ADCs leave in products, against Monte Carlo (JCGM 101)."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.budget.products import column_bend_amperes
from calibration.transfer.measure import measure_transfer
from calibration.transfer.product_ranges import range_of_use, tie
from tests.support.branch_calibrations import converters_of

ROWS, COLUMNS, VECTORS, VOLTS, USED, WIDE = 48, 6, 40, 15 / 16, 1e-3, 3e-3


class Bent:
    """A board of exact conductances, read through the curves of its ADCs."""

    rows, columns = ROWS, COLUMNS

    def __init__(self, siemens, curves):
        self.siemens, self.curves, self.range_amperes = siemens, curves, USED

    def moment(self):
        return 0.0, 0.0

    def column_currents(self, row_volts):
        amperes = row_volts @ self.siemens
        bend = self.curves.deviation(amperes / self.range_amperes)
        return amperes + self.range_amperes * bend

    def measured_in(self, range_amperes):
        self.range_amperes = range_amperes
        return measure_transfer(self, ROWS, COLUMNS, VOLTS)


@pytest.mark.parametrize("siemens", [2e-5, 6e-5])
@pytest.mark.parametrize("full", [USED, WIDE])
def test_what_zero_and_transfer_matrix_have_taken_in_is_no_error(full, siemens):
    """Curves drawn from their covariance bend the zero, the transfer matrix and the products."""
    random = np.random.default_rng(3)
    curves = converters_of(ROWS, COLUMNS).columns
    conductances = siemens * random.uniform(0.5, 1.5, (ROWS, COLUMNS))
    volts = random.uniform(-VOLTS, VOLTS, (VECTORS, ROWS))
    squares = []
    for _ in range(300):
        drawn = [random.multivariate_normal(np.zeros(4), one) for one in curves.covariance]
        board = Bent(conductances, replace(curves, coefficients=np.array(drawn)))
        wide, used = board.measured_in(WIDE), board.measured_in(USED)
        tied = range_of_use(USED, COLUMNS) if full == USED else tie(used, wide, WIDE)
        board.range_amperes = full
        answered = tied.in_range_of_use(board.column_currents(volts)) - used.zero_amperes
        squares.append((answered - volts @ used.siemens) ** 2)
    ranges = np.full(VECTORS, full)
    predicted = column_bend_amperes(curves, conductances, volts, VOLTS, ranges, USED)
    found = np.mean(squares, axis=0)
    assert predicted.shape == (VECTORS, COLUMNS)
    # of what the curves deviate by, most is taken in
    deviation = full * curves.uncertainty(volts @ conductances / full)
    assert (predicted**2).sum() < 0.5 * (deviation**2).sum()
    assert (predicted**2).sum() == pytest.approx(found.sum(), rel=0.15)
