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
        """Mask of the events that the summary includes."""
        return self._enable

    @enable.setter
    def enable(self, mask: int) -> None:
        self._enable = mask & 0x7FFF

    @property
    def summary(self) -> bool:
        """Whether an enabled event has happened."""
        return bool(self._event & self._enable)

    def set(self, bit: int, on: bool) -> None:
        """Set or clear a condition; its event is latched when the condition becomes true."""
        mask = 1 << bit
        if on:
            self._event |= mask & ~self.condition
            self.condition |= mask
        else:
            self.condition &= ~mask

    def take_event(self) -> int:
        """Return the event register and clear it."""
        event, self._event = self._event, 0
        return event


class Status:
    """Error queue, registers and enables of an instrument; a new one is as after power-on.

    `device_errors` gives the texts of the instrument's own (positive) error numbers.
    """

    def __init__(self, device_errors: Mapping[int, str] | None = None) -> None:
        self._texts = STANDARD_TEXTS | dict(device_errors or {})
        self.power_on()

    def power_on(self) -> None:
        """Empty the queue, clear registers and enables, and set the power-on event."""
        self._queue: deque[ScpiError] = deque()
        self.questionable = Register()
        self.operation = Register()
        self._standard_event = _POWER_ON
        self._standard_enable = 0
        self._service_enable = 0

    def report(self, error: ScpiError) -> None:
        """Queue an error and set its event bit; a full queue ends with -350 instead."""
        self._standard_event |= _event_bit(error.number)
        if len(self._queue) == MAX_QUEUE_ENTRIES:
            error = self._queue[-1] = ScpiError(-350)
            self._standard_event |= _event_bit(error.number)
        else:
            self._queue.append(error)

    def next_error(self) -> str:
        """Remove and return the oldest entry, as `<number>,"<text>;<detail>"`."""
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
        """Empty the queue and all event registers (`*CLS`)."""
        self._queue.clear()
        self._standard_event = 0
        self.questionable.take_event()
        self.operation.take_event()

    def preset(self) -> None:
        """Disable all questionable and operation events (`STATus:PRESet`)."""
        self.questionable.enable = self.operation.enable = 0

    def set_questionable(self, bit: int, on: bool) -> None:
        """Set or clear a questionable condition."""
        self.questionable.set(bit, on)

    def set_operation(self, bit: int, on: bool) -> None:
        """Set or clear an operation condition."""
        self.operation.set(bit, on)

    def complete_operation(self) -> None:
        """Set the operation-complete event (`*OPC`) at once, because commands are sequential."""
        self._standard_event |= _OPERATION_COMPLETE

    def take_standard_event(self) -> int:
        """Return the standard event register and clear it (`*ESR?`)."""
        event, self._standard_event = self._standard_event, 0
        return event

    @property
    def standard_enable(self) -> int:
        """Mask of the standard events that the status byte sums up (`*ESE`)."""
        return self._standard_enable

    @standard_enable.setter
    def standard_enable(self, mask: int) -> None:
        self._standard_enable = mask & 0xFF

    @property
    def service_enable(self) -> int:
        """Mask of the status byte's bits that the master summary includes (`*SRE`)."""
        return self._service_enable

    @service_enable.setter
    def service_enable(self, mask: int) -> None:
        self._service_enable = mask & 0xBF  # bit 6 is the summary itself

    @property
    def byte(self) -> int:
        """The status byte with the master summary in bit 6 (`*STB?`)."""
        byte = (
            bool(self._queue) << 2
            | self.questionable.summary << 3
            | bool(self._standard_event & self._standard_enable) << 5
            | self.operation.summary << 7
        )
        return byte | bool(byte & self._service_enable) << 6


def _event_bit(number: int) -> int:
    return _DEVICE_ERROR if number > 0 else _EVENT_BIT_BY_HUNDRED.get(-number // 100, 0)
