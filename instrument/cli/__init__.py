"""The command line: one file for each command, and the ways out of all of them.

Signals are handled before anything heavy is imported. commands.py lists the commands; `run` and
`demo` plan a job (plan.py) and carry it out (job.py); exits.py turns errors and signals into exit
statuses. Read first: commands.py, then job.py.
"""

from __future__ import annotations

import os
import sys

from instrument.cli.exits import run_to_exit_status


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run_to_exit_status(_command_line))


def _command_line() -> None:
    # Pictures are files here. A notebook's backend, or an unknown one, in MPLBACKEND would end a
    # run at its report.
    os.environ.pop("MPLBACKEND", None)
    from instrument.cli.commands import app

    app()
