"""Who answers on a link: a crossbar board, and after a reopening the same one."""

import time
from collections.abc import Callable
from dataclasses import astuple

from drivers import scpi
from drivers.errors import LinkGarbled, LinkLost, LinkTimeout, WrongInstrument
from drivers.link import Link

_MANUFACTURER = "OHMSUM"
_MODEL_START = "CROSSBAR "
_FIRST_CONTACT_SECONDS = 3.0


def type_of(identity: scpi.Identity) -> str:
    """Return the type of a board, such as "64x16"; the whole model of another instrument."""
    return identity.model.removeprefix(_MODEL_START)


def recognized(link: Link, retries: int) -> scpi.Identity:
    """Return the identity of a crossbar board.

    A fault is met by one repetition, and by up to `retries` of them within _FIRST_CONTACT_SECONDS:
    nobody shall wait long to hear that a name is not a board's. Raises WrongInstrument.
    """
    deadline = time.monotonic() + _FIRST_CONTACT_SECONDS
    for tried in range(retries + 1):
        try:
            identity = scpi.identity(link)
            break
        except (LinkTimeout, LinkLost, LinkGarbled):
            if tried == retries or (tried and time.monotonic() > deadline):
                raise
    if identity.manufacturer != _MANUFACTURER or type_of(identity) in ("", identity.model):
        said = f"{identity.manufacturer},{identity.model}"
        raise WrongInstrument(link.resource, said, f"{_MANUFACTURER},{_MODEL_START}<type>")
    return identity


def recognizer(link: Link, identity: scpi.Identity) -> Callable[[str], None]:
    """Return what is called with an answer to *IDN?; it raises WrongInstrument for another one."""

    def recognize(said: str) -> None:
        if scpi.identity_in(link, said) != identity:
            raise WrongInstrument(link.resource, said, ",".join(astuple(identity)))

    return recognize
