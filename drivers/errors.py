"""Errors of instruments: one family of exceptions; every message names the resource."""

from typing import Self


class InstrumentError(Exception):
    """Something went wrong between the host and the instrument behind `resource`."""

    def __init__(self, resource: str, text: str) -> None:
        super().__init__(f"{resource}: {text}")
        self.resource = resource
        self.text = text


class LinkTimeout(InstrumentError):
    """The instrument did not answer, or did not take what was sent, before the deadline."""


class LinkLost(InstrumentError):
    """No instrument is at the other end of the wire: refused, closed, unplugged."""


class LinkGarbled(InstrumentError):
    """The bytes that came over the wire are no answer to the query."""


class CommandRefused(InstrumentError):
    """The instrument queued an error for `command`.

    `number` and `error` are the oldest entry of its error queue, `later` the newer ones in order.
    """

    def __init__(
        self,
        resource: str,
        command: str,
        number: int,
        error: str,
        later: tuple[tuple[int, str], ...] = (),
    ) -> None:
        text = f"{command} refused: {number}, {error}"
        if later:
            text += " (then " + "; ".join(f"{n}, {message}" for n, message in later) + ")"
        super().__init__(resource, text)
        self.command = command
        self.number = number
        self.error = error
        self.later = later

    @property
    def numbers(self) -> set[int]:
        """The error numbers of all entries."""
        return {self.number, *(number for number, _ in self.later)}


class WrongInstrument(InstrumentError):
    """Another instrument answers: `said` is its *IDN?, `wanted` the expected one."""

    def __init__(self, resource: str, said: str, wanted: str) -> None:
        super().__init__(resource, f"{said!r} answers, {wanted} is wanted")
        self.said = said
        self.wanted = wanted


class SettingDiffers(InstrumentError):
    """The instrument holds another value of a setting than this host has just sent."""

    @classmethod
    def of(cls, resource: str, name: str, printed: str, sent: float) -> Self:
        """Return the error for a setting that reads `printed` after `sent`."""
        return cls(resource, f"the {name} is {printed[:40]}, {sent:g} was sent")


class BoardInUse(InstrumentError):
    """Another host works with the board: its outputs are on, or it has the watchdog armed."""


class BoardChanged(InstrumentError):
    """The board is not as this host has set it, and the board reports no reason for it."""

    @classmethod
    def because(cls, resource: str, *differences: str) -> Self:
        """Return the error that lists the settings that differ."""
        return cls(resource, "another host has changed the board: " + "; ".join(differences))


class BoardTakenOver(BoardChanged):
    """Another session of the board, which lives, has armed the watchdog."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource, "another host has changed the board: it has taken it over")


class PowerCycled(InstrumentError):
    """The board's power has failed and come back: what was set is gone, its clock began anew."""

    def __init__(self, resource: str) -> None:
        super().__init__(
            resource,
            "the board's power has failed: its switches are open and its settings are those of "
            "power-on",
        )


class WatchdogExpired(InstrumentError):
    """The board heard nothing from this host for its watchdog's interval, and opened everything."""

    def __init__(self, resource: str, watchdog_seconds: float) -> None:
        super().__init__(
            resource,
            f"the board's watchdog expired (102): the board heard nothing from this host for "
            f"{watchdog_seconds:g} s, switched its outputs off and opened its switches. The host "
            "was stopped or its link was down; if that may last longer, raise watchdog_seconds in "
            "bench.toml",
        )


class InterlockOpen(InstrumentError):
    """The board's interlock is open, or has been: its outputs are off."""

    def __init__(self, resource: str) -> None:
        super().__init__(
            resource,
            "Interlock open (101): the board has its outputs off; close the fixture and start "
            "again",
        )


class OutputsUnproved(InstrumentError):
    """The outputs could not be proved off; the board's watchdog may have to switch them off."""

    def __init__(self, resource: str, why: str, watchdog_seconds: float) -> None:
        super().__init__(
            resource,
            f"the outputs may still be on ({why}): the board's watchdog switches them off "
            f"{watchdog_seconds:g} s after it last heard from this host",
        )
        self.watchdog_seconds = watchdog_seconds
