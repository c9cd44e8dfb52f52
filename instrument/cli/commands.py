"""All commands in one application.

Heavy libraries are imported by the commands, not here, so that --help answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from instrument.cli.budget import budget
from instrument.cli.calibrate import calibrate
from instrument.cli.compare import compare
from instrument.cli.demo import demo
from instrument.cli.design import design
from instrument.cli.export import export
from instrument.cli.multiply import multiply
from instrument.cli.program import program
from instrument.cli.replay import replay, report
from instrument.cli.resume import resume
from instrument.cli.run import run
from instrument.cli.runs import runs
from instrument.cli.show import show
from instrument.cli.sim import sim
from instrument.cli.study import study
from instrument.cli.trend import trend
from instrument.cli.warm_up import warm_up

app = typer.Typer(
    name="ohmsum",
    # The first lines of --help; each command explains itself.
    help="Programmable conductances from imprecise resistors: calibrate a subset-sum crossbar, "
    "program a matrix into it, and prove the precision of its products.",
    epilog="Exit status: 0 done and within specification; 1 done, specification not met; 2 bad "
    "usage, file or configuration; 3 instrument, bus or board fault; 70 a fault of ohmsum; 74 a "
    "file cannot be written (disk full, quota, read-only folder); 130 interrupted (Ctrl-C, "
    "terminal gone); 141 the reader of stdout went away, all files are complete; 143 terminated "
    "(SIGTERM). In each case the outputs are off, or the last line on stderr says that they may "
    "not be, and what was measured is kept. Try first: ohmsum demo",
    no_args_is_help=True,
    # Plain help: rich takes as long to import as everything else.
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(sim)
app.command()(run)
app.command()(calibrate)
app.command()(program)
app.command()(multiply)
app.command()(resume)
app.command()(replay)
app.command()(report)
app.command()(budget)
app.command()(runs)
app.command()(show)
app.command()(compare)
app.command()(trend)
app.command()(export)
app.command()(design)
app.command()(warm_up)
app.add_typer(study, name="study")


def _print_version(wanted: bool) -> None:
    if wanted:
        from instrument.provenance import versions

        known = (f"{name} {number}" for name, number in versions().items() if number)
        print(", ".join(known))  # noqa: T201  (the result of --version)
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[  # noqa: ARG001  (its callback prints it)
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version of ohmsum, its commit where that is known, and Python's.",
        ),
    ] = False,
) -> None:
    from instrument.cli.logs import start_logging

    start_logging()
