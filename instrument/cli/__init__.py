"""The command line. What it needs is imported when signals are already listened to."""

from __future__ import annotations

import sys

from instrument.cli.exits import run_to_exit_status


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run_to_exit_status(_command_line))


def _command_line() -> None:
    from instrument.cli.commands import app

    app()
