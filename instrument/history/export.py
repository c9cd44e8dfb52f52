"""Export of a run: one netCDF file, or a folder of CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import FileNotWritten, UsageError
from instrument.files import require_new, write_new
from instrument.history.folders import KeptRun
from instrument.history.quantity import Measured, Quantity

if TYPE_CHECKING:
    import xarray

NETCDF = ".nc"
EXTRA = "xarray", "h5netcdf", "h5py"
"""What the extra `export` installs."""
PROVENANCE_FILE = "run.csv"


def check_export_path(path: str) -> None:
    """Raise UsageError where a run cannot be exported to a path: it is taken, or its folder absent.

    Raises it as well where netCDF is asked for and the packages that write it are not installed.
    """
    target = Path(path)
    if not path or target.name in ("", ".."):
        raise UsageError(f"{path or '--to'}: name a file NAME.nc or a new folder")
    require_new(target)
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}; make it first")
    if is_netcdf(path) and any(find_spec(name) is None for name in EXTRA):
        raise UsageError(
            f"{target}: netCDF needs packages that are not installed: pip install "
            "'ohmsum[export]'; or export to CSV files, with the name of a folder after --to"
        )


def export_run(run: KeptRun, path: str) -> list[Path]:
    """Export a run to a new netCDF file, if the path ends in .nc, or to a new folder of CSV files.

    Returns the files that were written. Raises UsageError where the path is taken, the run has no
    result or a damaged file; FileNotWritten where writing fails.
    """
    check_export_path(path)
    if is_netcdf(path):
        from instrument.history.netcdf import netcdf  # late: it loads xarray

        write_new(Path(path), netcdf(dataset_of(run), Path(path)))
        return [Path(path)]
    return _write_tables(_measured_by(run), Path(path))


def is_netcdf(path: str) -> bool:
    """Return whether a path is that of a netCDF file; a folder's ends in a slash, or not in .nc."""
    return path.endswith(NETCDF)


def dataset_of(run: KeptRun) -> xarray.Dataset:
    """Return what a run has measured as a dataset of xarray, with units and provenance.

    Raises UsageError where the run has no result or a damaged file, ImportError without xarray.
    """
    from instrument.history.netcdf import labelled

    return labelled(_measured_by(run))


def _measured_by(run: KeptRun) -> Measured:
    from instrument.history.quantities import measured_by  # late: it loads what reads calibrations

    return measured_by(run)


def _write_tables(measured: Measured, folder: Path) -> list[Path]:
    """Write a CSV file for each set of dimensions, and one of the provenance, to a new folder."""
    try:
        folder.mkdir()
    except FileExistsError:
        require_new(folder)
    except OSError as error:
        raise FileNotWritten(f"{folder}: cannot be made ({error.strerror or error})") from error
    facts: list[Sequence[Any]] = [("key", "value"), *measured.provenance.items()]
    tables: dict[tuple[str, ...], list[Quantity]] = {}
    for quantity in measured.quantities:
        tables.setdefault(quantity.dimensions, []).append(quantity)
    written: list[Path] = []
    try:
        for path, rows in (
            (folder / PROVENANCE_FILE, facts),
            *(
                (folder / f"{'-'.join(dimensions)}.csv", _table(measured, dimensions, quantities))
                for dimensions, quantities in tables.items()
            ),
        ):
            write_new(path, _csv(rows))
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        folder.rmdir()
        raise
    return written


def _table(
    measured: Measured, dimensions: Sequence[str], quantities: Sequence[Quantity]
) -> list[Sequence[Any]]:
    """Return a table with a row for each element: its labels, and its value of each quantity."""
    labels = np.meshgrid(*(measured.labels[name] for name in dimensions), indexing="ij")
    columns = [*labels, *(_words(quantity) for quantity in quantities)]
    header = [
        *dimensions,
        *(f"{quantity.name} ({quantity.unit})" for quantity in quantities),
    ]
    return [header, *zip(*(column.ravel().tolist() for column in columns), strict=True)]


def _words(quantity: Quantity) -> NDArray[Any]:
    """Return values as a table shows them: statuses by name, truth values as 0 and 1."""
    if quantity.statuses is not None:
        names = {int(status): status.name.lower() for status in quantity.statuses}
        return np.array([names[value] for value in quantity.values.ravel().tolist()])
    values = quantity.values
    return values.astype(np.int8) if values.dtype == np.bool_ else values


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
