"""The command line. What it needs is imported when signals are already listened to."""

from __future__ import annotations

import os
import sys

from instrument.cli.exits import run_to_exit_status


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run_to_exit_status(_command_line))


def _command_line() -> None:
    # Pictures are files here: what a notebook says of windows, or a name that nobody knows, would
    # end a run at its report.
    os.environ.pop("MPLBACKEND", None)
    from instrument.cli.commands import app

    app()
