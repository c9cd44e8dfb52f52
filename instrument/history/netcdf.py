"""Arrays of a run as a dataset of xarray, and as the bytes of a netCDF file.

Importing this module loads xarray, which the extra `export` installs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from instrument.errors import FileNotWritten
from instrument.history.quantity import DIMENSIONS, Measured, Quantity


def labelled(measured: Measured) -> xarray.Dataset:
    """Return arrays as a dataset: named dimensions with labels, units, meanings, provenance."""
    return xarray.Dataset(
        {
            quantity.name: xarray.Variable(
                quantity.dimensions, quantity.values, _attributes(quantity)
            )
            for quantity in measured.quantities
        },
        {
            name: xarray.Variable((name,), labels, {"long_name": DIMENSIONS[name]})
            for name, labels in measured.labels.items()
        },
        dict(measured.provenance),
    )


def netcdf(dataset: xarray.Dataset, path: Path) -> bytes:
    """Return a dataset as the bytes of a netCDF file.

    Raises FileNotWritten, which names `path`, where there is no room for it.
    """
    try:
        # In a folder of its own: under its final name a file is whole, or not there.
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "run.nc"
            dataset.to_netcdf(part, engine="h5netcdf")
            return part.read_bytes()
    except OSError as error:
        raise FileNotWritten(f"{path}: cannot be written ({error.strerror or error})") from error


def _attributes(quantity: Quantity) -> dict[str, Any]:
    attributes: dict[str, Any] = {"units": quantity.unit, "long_name": quantity.meaning}
    if quantity.statuses is not None:
        # As the CF conventions write statuses.
        statuses = list(quantity.statuses)
        attributes["flag_values"] = np.array(statuses, dtype=quantity.values.dtype)
        attributes["flag_meanings"] = " ".join(status.name.lower() for status in statuses)
    return attributes
