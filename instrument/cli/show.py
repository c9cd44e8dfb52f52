"""`ohmsum show`: the figures of one run."""

from __future__ import annotations

from instrument.cli.options import Json, RunName, RunsFolder
from instrument.run_files import RESULTS


def show(run: RunName, *, folder: RunsFolder = RESULTS, json: Json = False) -> None:
    """Show what matters of one run: board, matrix, bits, budget, versions, files, its command.

    Bits predicted and measured, the worst outputs, each cause of the budget; which versions of
    ohmsum, of its libraries and of the board's firmware were at work; the files that the run has
    left, and the command that was given.
    """
    from instrument.cli.history_tables import print_figures
    from instrument.history import figures_of, find_run

    print_figures(figures_of(find_run(run, folder)), as_json=json)
