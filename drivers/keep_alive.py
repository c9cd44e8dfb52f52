"""A thread that lets an instrument know that its host lives, however long the host computes.

It feeds nothing when the process is frozen or gone: that is what a watchdog is for.
"""

import threading
import weakref

from drivers.link import Link


class KeepAlive:
    """Asks `message` every `every_seconds` until it is stopped, or nobody uses the link any more.

    Nothing of it is counted by the link, and its failures are found out by the next exchange.
    """

    def __init__(self, link: Link, message: bytes, every_seconds: float) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=_feed,
            args=(weakref.ref(link), message, every_seconds, self._stopped),
            name=f"keep-alive of {link.resource}",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends it; what is under way ends by its own deadline."""
        self._stopped.set()


def _feed(
    link: "weakref.ref[Link]", message: bytes, every_seconds: float, stopped: threading.Event
) -> None:
    while not stopped.wait(every_seconds):
        alive = link()
        if alive is None:
            return
        alive.feed(message, timeout_seconds=every_seconds)
        del alive
