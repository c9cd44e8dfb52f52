"""`ohmsum trend`: a board over all of its runs."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from instrument.cli.options import Json, Picture, RunsFolder
from instrument.run_files import RESULTS

_log = logging.getLogger(__name__)


def trend(
    board: Annotated[
        str, typer.Argument(metavar="BOARD", help="Serial number of the board: B000017.")
    ],
    *,
    folder: RunsFolder = RESULTS,
    picture: Picture = None,
    json: Json = False,
) -> None:
    """Follow a board over its runs: bits, gains, offsets, and which branches are failing.

    Every run that has calibrated the board counts. The change of each conductance since the first
    calibration is taken apart: the effect of temperature, what is common to the board, the gain of
    its row, the gain of its column, and the branch's own. Branches whose own change is large
    against its uncertainty are listed, the worst first.
    """
    from instrument.cli.trend_tables import print_trend
    from instrument.history import draw_trend, follow_board, runs_in

    found = runs_in(folder)
    followed = follow_board(found.runs, board)
    for line in (*found.skipped, *followed.changes.skipped):
        _log.warning("%s", line)
    if picture is not None:
        draw_trend(followed, picture)
    print_trend(followed, as_json=json)
