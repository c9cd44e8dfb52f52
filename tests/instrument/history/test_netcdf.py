"""Arrays of every kind come back from netCDF as they were: so do those of other versions of xarray.

.ci/versions runs it with the lowest versions; it needs no board.
"""

import numpy as np
import pytest

from calibration.branches import BranchStatus
from instrument.history.quantity import Measured, Quantity
from tests.support.development_packages import needed

xarray = needed("xarray")
needed("h5netcdf")

QUANTITIES = (
    Quantity("open_siemens", ("row", "column"), "S", "conductance", np.arange(6.0).reshape(2, 3)),
    Quantity("output_bits", ("output",), "bit", "bits", np.array([15.5, np.nan])),
    Quantity("pattern", ("row", "column"), "1", "closed", np.eye(2, 3, dtype=bool)),
    Quantity(
        "branch_status", ("row",), "1", "status", np.array([0, 3], dtype=np.int8), BranchStatus
    ),
    Quantity("budget_relative_error", ("cause",), "1", "error", np.array([1e-300, 0.0])),
)
MEASURED = Measured(
    {"id": "20260101T000000Z-00000000", "title": "Ω \u202f µ", "bits": 15.25, "count": 3},
    QUANTITIES,
    {
        "row": np.arange(1, 3),
        "column": np.arange(1, 4),
        "output": np.arange(1, 3),
        "cause": np.array(["DAC noise", "1/f noise"]),
    },
)


@pytest.fixture
def read_back(tmp_path):
    from instrument.history.netcdf import labelled, netcdf

    path = tmp_path / "run.nc"
    path.write_bytes(netcdf(labelled(MEASURED), path))
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        xarray.testing.assert_identical(dataset.load(), labelled(MEASURED))
        return dataset


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
def test_values_types_and_units_are_kept(read_back, quantity):
    array = read_back[quantity.name]
    assert (array.dims, array.dtype) == (quantity.dimensions, quantity.values.dtype)
    np.testing.assert_array_equal(array.values, quantity.values)
    assert array.attrs["units"] == quantity.unit
    assert array.attrs["long_name"] == quantity.meaning


def test_labels_and_provenance_are_kept(read_back):
    assert float(read_back["budget_relative_error"].sel(cause="1/f noise")) == 0.0
    assert float(read_back["open_siemens"].sel(row=2, column=3)) == 5.0
    assert read_back.attrs == dict(MEASURED.provenance)
    status = read_back["branch_status"].attrs
    assert status["flag_meanings"] == "ok open short stuck"
    assert status["flag_values"].tolist() == [0, 1, 2, 3]
