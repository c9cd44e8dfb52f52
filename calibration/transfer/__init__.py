"""Step 8: the transfer matrix of a pattern, its wires, line gains and product ranges.

Read `measure` first: the weighing design that measures the matrix. Then `wires`, which identifies
the wires' resistances from it and removes their drop from the branch values; `line_gains`, which
fits the gains of rows and columns; `product_ranges`, which ties wider ranges to the range of use.
"""

from calibration.transfer.line_gains import Gains, GainSpread, fit_gains
from calibration.transfer.measure import TransferMeasurement, measure_transfer, weighing_signs
from calibration.transfer.product_ranges import (
    ProductRange,
    driven_lower,
    range_of_use,
    ranges_of_products,
    tie,
)
from calibration.transfer.wires import WireEstimate, identify_wire, without_wire_drop

__all__ = [
    "GainSpread",
    "Gains",
    "ProductRange",
    "TransferMeasurement",
    "WireEstimate",
    "driven_lower",
    "fit_gains",
    "identify_wire",
    "measure_transfer",
    "range_of_use",
    "ranges_of_products",
    "tie",
    "weighing_signs",
    "without_wire_drop",
]
