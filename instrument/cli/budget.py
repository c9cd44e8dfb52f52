"""`ohmsum budget`: the causes of the error of a run's products."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import Json


def budget(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of a run, with its result.json.")
    ],
    *,
    json: Json = False,
) -> None:
    """Show the error budget of a run: each cause's share of its products' relative error.

    Prints what each cause should contribute, their sum, and what was measured. The causes are
    predicted from the calibration and from what was measured when the matrix was programmed; the
    measured error is that of the run's own inputs.
    """
    from instrument.cli.printed_result import print_budget
    from instrument.results import load_budget

    print_budget(load_budget(folder), as_json=json)
