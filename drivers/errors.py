"""What can go wrong with an instrument: one family, every message names the resource."""


class InstrumentError(Exception):
    """Something went wrong between the host and the instrument behind `resource`."""

    def __init__(self, resource: str, text: str) -> None:
        super().__init__(f"{resource}: {text}")
        self.resource = resource
        self.text = text


class LinkTimeout(InstrumentError):
    """The instrument did not answer, or did not take what was sent, before the deadline."""


class LinkLost(InstrumentError):
    """Nobody is at the other end of the wire: refused, closed, unplugged."""


class LinkGarbled(InstrumentError):
    """What came over the wire is not an answer to what was asked."""


class CommandRefused(InstrumentError):
    """The instrument queued an error for `command`.

    `number` and `error` are the oldest entry of its queue, `later` the entries behind it, in order.
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


class WrongInstrument(InstrumentError):
    """Another instrument answers here: `said` is its *IDN?, `wanted` what was looked for."""

    def __init__(self, resource: str, said: str, wanted: str) -> None:
        super().__init__(resource, f"{said!r} answers, {wanted} is wanted")
        self.said = said
        self.wanted = wanted
