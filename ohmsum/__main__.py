"""`python -m ohmsum`, and the command `ohmsum`."""

from __future__ import annotations

import signal
import sys

from ohmsum import require_own_instrument


def main() -> None:
    """Run the command line and exit with its status."""
    # Until somebody listens, Ctrl-C ends this without a traceback; in the background it is ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        require_own_instrument()
        import instrument.cli
    except ImportError as error:
        if sys.stderr is not None:
            print(f"ohmsum: {error}", file=sys.stderr)  # noqa: T201  (the way an error is told)
        sys.exit(2)
    instrument.cli.main()


if __name__ == "__main__":
    main()
