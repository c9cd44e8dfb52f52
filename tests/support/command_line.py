"""The command line in this process, without what it prints."""

import signal
import sys
from pathlib import Path

import pytest

from instrument.cli import main


def run_in(folder: Path, *arguments: object) -> int:
    """Run the command line in this process, in a folder; return its exit status."""
    endings = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(sys, "argv", ["ohmsum", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            main()
    for number, handler in endings.items():
        signal.signal(number, handler)
    assert isinstance(leave.value.code, int)
    return leave.value.code
