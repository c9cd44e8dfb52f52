"""Entry point of `python -m ohmsum` and of the command `ohmsum`."""

from __future__ import annotations

import signal
import sys

from ohmsum import require_own_instrument


def main() -> None:
    """Run the command line and exit with its status."""
    # Until signals are handled, Ctrl-C ends the process without a traceback. A process in the
    # background, which ignores Ctrl-C, goes on ignoring it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        require_own_instrument()
        import instrument.cli
    except ImportError as error:
        if sys.stderr is not None:
            print(f"ohmsum: {error}", file=sys.stderr)  # noqa: T201  (errors go to stderr)
        sys.exit(2)
    instrument.cli.main()


if __name__ == "__main__":
    main()
