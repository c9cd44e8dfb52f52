"""The command line. Heavy libraries are imported by the commands, not here, so that --help answers
at once.
"""

from __future__ import annotations

import io
import sys

import typer

from instrument.cli.budget import budget
from instrument.cli.demo import demo
from instrument.cli.design import design
from instrument.cli.exits import run_to_exit_status
from instrument.cli.run import run
from instrument.cli.sim import sim
from instrument.cli.study import study

app = typer.Typer(
    name="ohmsum",
    help="Programmable conductances from imprecise resistors: calibrate a subset-sum crossbar, "
    "program a matrix into it, and prove the precision of its products.",
    epilog="Exit status: 0 done and within specification; 1 specification not met; 2 bad usage, "
    "file or configuration; 3 instrument, bus or board fault; 74 a file cannot be written (full "
    "disk, read-only folder); 130 interrupted. In each case the outputs are off and what was "
    "measured is kept.",
    no_args_is_help=True,
    # Plain help: the rich kind takes as long to import as all the rest.
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(sim)
app.command()(run)
app.command()(budget)
app.command()(design)
app.add_typer(study, name="study")


def main() -> None:
    """Run the command line and exit with its status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without our characters gets a question mark, not an error after the whole run.
        sys.stdout.reconfigure(errors="replace")
    sys.exit(run_to_exit_status(app))
