"""A thread that feeds an instrument's watchdog, however long the host computes.

It feeds nothing when the process is frozen or has ended: the watchdog exists for these cases.
"""

import threading
import weakref

from drivers.link import Link


class KeepAlive:
    """Sends the query `message` every `every_seconds` until it is stopped or the link is dropped.

    The link does not count these exchanges. A failure is reported by the next exchange.
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
        """End the thread; an exchange that is under way ends by its own deadline."""
        self._stopped.set()


def _feed(
    link: "weakref.ref[Link]", message: bytes, every_seconds: float, stopped: threading.Event
) -> None:
    while not stopped.wait(every_seconds):
        live_link = link()
        if live_link is None:
            return
        live_link.feed(message, timeout_seconds=every_seconds)
        del live_link
