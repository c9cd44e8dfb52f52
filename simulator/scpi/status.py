"""Error queue and status registers (IEEE 488.2, chapter 11; SCPI-1999, volume 1, chapter 9)."""

from collections import deque
from collections.abc import Mapping

from simulator.scpi.errors import STANDARD_TEXTS, ScpiError

MAX_QUEUE_ENTRIES = 32
_MAX_ENTRY_CHARACTERS = 255

_OPERATION_COMPLETE, _POWER_ON = 1 << 0, 1 << 7
_QUERY_ERROR, _DEVICE_ERROR, _EXECUTION_ERROR, _COMMAND_ERROR = 1 << 2, 1 << 3, 1 << 4, 1 << 5
_EVENT_BIT_BY_HUNDRED = {
    1: _COMMAND_ERROR,
    2: _EXECUTION_ERROR,
    3: _DEVICE_ERROR,
    4: _QUERY_ERROR,
}


class Register:
    """Condition, event and enable of one SCPI status register; bit 15 is never used."""

    def __init__(self) -> None:
        self.condition = 0
        self._event = 0
        self._enable = 0

    @property
    def enable(self) -> int:
        return self._enable

    @enable.setter
    def enable(self, mask: int) -> None:
        self._enable = mask & 0x7FFF

    @property
    def summary(self) -> bool:
        return bool(self._event & self._enable)

    def set(self, bit: int, on: bool) -> None:
        """Sets or clears a condition; the event is latched when the condition comes up."""
        mask = 1 << bit
        if on:
            self._event |= mask & ~self.condition
            self.condition |= mask
        else:
            self.condition &= ~mask

    def take_event(self) -> int:
        """The event register, cleared by reading."""
        event, self._event = self._event, 0
        return event


class Status:
    """What an instrument says about itself. A new one is as after power-on.

    `device_errors` gives the texts of the instrument's own (positive) error numbers.
    """

    def __init__(self, device_errors: Mapping[int, str] | None = None) -> None:
        self._texts = STANDARD_TEXTS | dict(device_errors or {})
        self.power_on()

    def power_on(self) -> None:
        """Queue empty, registers and enables 0, and the power-on event."""
        self._queue: deque[ScpiError] = deque()
        self.questionable = Register()
        self.operation = Register()
        self._standard_event = _POWER_ON
        self._standard_enable = 0
        self._service_enable = 0

    def report(self, error: ScpiError) -> None:
        """Queues an error and sets its event bit; a full queue ends with -350 instead."""
        self._standard_event |= _event_bit(error.number)
        if len(self._queue) == MAX_QUEUE_ENTRIES:
            error = self._queue[-1] = ScpiError(-350)
            self._standard_event |= _event_bit(error.number)
        else:
            self._queue.append(error)

    def next_error(self) -> str:
        """The oldest entry, removed, as `<number>,"<text>;<detail>"`."""
        if not self._queue:
            return '0,"No error"'
        error = self._queue.popleft()
        hundreds = STANDARD_TEXTS.get(-100 * (-error.number // 100), "Device-specific error")
        text = self._texts.get(error.number, hundreds)
        if error.detail:
            text = f"{text};{error.detail}"
        printable = "".join(c if " " <= c <= "~" else "." for c in text[:_MAX_ENTRY_CHARACTERS])
        return f'{error.number},"{printable.replace(chr(34), chr(34) * 2)}"'

    @property
    def count(self) -> int:
        """Entries waiting in the error queue."""
        return len(self._queue)

    def clear(self) -> None:
        """`*CLS`: empties the queue and all event registers."""
        self._queue.clear()
        self._standard_event = 0
        self.questionable.take_event()
        self.operation.take_event()

    def preset(self) -> None:
        """`STATus:PRESet`: no questionable or operation event is enabled."""
        self.questionable.enable = self.operation.enable = 0

    def set_questionable(self, bit: int, on: bool) -> None:
        """Sets or clears a questionable condition."""
        self.questionable.set(bit, on)

    def set_operation(self, bit: int, on: bool) -> None:
        """Sets or clears an operation condition."""
        self.operation.set(bit, on)

    def complete_operation(self) -> None:
        """`*OPC`: everything before it is done, as commands are sequential."""
        self._standard_event |= _OPERATION_COMPLETE

    def take_standard_event(self) -> int:
        """`*ESR?`: the standard event register, cleared by reading."""
        event, self._standard_event = self._standard_event, 0
        return event

    @property
    def standard_enable(self) -> int:
        return self._standard_enable

    @standard_enable.setter
    def standard_enable(self, mask: int) -> None:
        self._standard_enable = mask & 0xFF

    @property
    def service_enable(self) -> int:
        return self._service_enable

    @service_enable.setter
    def service_enable(self, mask: int) -> None:
        self._service_enable = mask & 0xBF  # bit 6 is the summary itself

    @property
    def byte(self) -> int:
        """`*STB?`: the status byte with the master summary in bit 6."""
        byte = (
            bool(self._queue) << 2
            | self.questionable.summary << 3
            | bool(self._standard_event & self._standard_enable) << 5
            | self.operation.summary << 7
        )
        return byte | bool(byte & self._service_enable) << 6


def _event_bit(number: int) -> int:
    return _DEVICE_ERROR if number > 0 else _EVENT_BIT_BY_HUNDRED.get(-number // 100, 0)
