"""The safe state of a board: outputs off and all switches open, reached with proof.

Called on every way out: `instrument/opening.py` closes the bench, `crossbar_board.py` the board and
`host_session.py` the session, which calls `make_safe`.
"""

import time

from drivers import scpi
from drivers.errors import (
    InstrumentError,
    LinkGarbled,
    LinkLost,
    LinkTimeout,
    OutputsUnproved,
    WrongInstrument,
)
from drivers.link import Link

_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.02, 0.5
_SWITCH_OFF = ":OUTP OFF;:ROUT:OPEN:ALL;:OUTP?;:ROUT:PATT:CRC?"
# Asks for the outputs again, because another host may have switched them on in between.
_DISARM = ":SYST:WATC 0;:OUTP?;:SYST:WATC?"


def make_safe(link: Link, *, watchdog_seconds: float, all_open_crc: int, may_be_on: bool) -> None:
    """Switch the outputs off and open all switches; then disarm the watchdog and clear the errors.

    The watchdog is disarmed only once the outputs are proved off. A step that fails is tried again,
    at least once, with pauses, until the instrument has had the link's timeout for it: a port may
    vanish and come back. Raises OutputsUnproved if nothing proves the outputs off. Where they
    cannot be on (`may_be_on` is False, or they were proved off and only a later step failed), the
    last failure is raised.
    """
    deadline = link.answers_by
    pause, tries = _FIRST_PAUSE_SECONDS, 0
    while True:
        tries += 1
        try:
            may_be_on = _ask(link, _SWITCH_OFF, all_open_crc, "closed switches")
            if not may_be_on:
                may_be_on = _ask(link, _DISARM, 0, "an armed watchdog")
                if not may_be_on:
                    scpi.drain(link)
                    return
            # The watchdog was disarmed on a proof that no longer holds: arm it again.
            link.write(f":SYST:WATC {watchdog_seconds!r}")
            failed = InstrumentError(link.resource, "the board says that they are on")
        except (LinkTimeout, LinkLost, LinkGarbled, WrongInstrument) as error:
            failed = error
        if tries > 1 and time.monotonic() + pause > deadline:
            if may_be_on:
                raise OutputsUnproved(link.resource, failed.text, watchdog_seconds) from failed
            raise failed
        time.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def _ask(link: Link, message: str, expected: int, instead: str) -> bool:
    """Send a message that asks for the outputs and for one number; return whether they are on.

    Raises LinkGarbled if the outputs are off and the number is not the expected one.
    """
    with link.lock:
        answers = link.query_elements(message)
        if len(answers) != 2:
            raise link.garbled(f"{len(answers)} answers to {message}")
        on = scpi.boolean(link, answers[0])
        if not on and scpi.real(link, answers[1]) != expected:
            raise link.garbled(f"{instead} after {message}")
        return on
