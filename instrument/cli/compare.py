"""`ohmsum compare`: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from instrument.cli.options import Json, Picture, RunsFolder
from instrument.run_files import RESULTS


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A run: its folder or its id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another run, for instance a later one.")],
    *,
    folder: RunsFolder = RESULTS,
    picture: Picture = None,
    json: Json = False,
) -> None:
    """Compare two runs: which settings differ, how many bits each has, which cause got worse.

    The rows of both budgets stand side by side, the largest change first. Each cause is a relative
    error, and their squares add up: a cause that doubles matters only if it was large. With
    --picture, the waterfalls of both budgets are drawn on one scale.
    """
    from instrument.cli.history_tables import print_comparison
    from instrument.history import compare_runs, draw_comparison, find_run

    compared = compare_runs(find_run(a, folder), find_run(b, folder))
    if picture is not None:
        draw_comparison(compared, picture)
    print_comparison(compared.document(), as_json=json)
