"""`ohmsum export`: a run in a format that other programs read."""

from __future__ import annotations

from typing import Annotated

import typer

from instrument.cli.options import Json, RunName, RunsFolder
from instrument.run_files import RESULTS


def export(
    run: RunName,
    *,
    to: Annotated[
        str,
        typer.Option(
            metavar="PATH", help="New file NAME.nc for netCDF, or a new folder for CSV files."
        ),
    ],
    folder: RunsFolder = RESULTS,
    json: Json = False,
) -> None:
    """Export what a run has measured, with units and provenance, to netCDF or CSV.

    A name that ends in .nc makes one netCDF file: every array has named dimensions (row, column,
    branch, output, vector …) and a unit, and the file says which run, command, board and versions
    it comes from. xarray.open_dataset reads it. Any other name makes a folder of CSV files, one for
    each set of dimensions, whose first lines name columns and units. Nothing that exists is
    replaced. netCDF needs `pip install 'ohmsum[export]'`.
    """
    from instrument.cli.history_tables import print_exported
    from instrument.history import export_run, find_run

    exported = find_run(run, folder)
    print_exported(exported.claim.id, export_run(exported, to), as_json=json)
