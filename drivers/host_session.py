"""A host's session with a crossbar board: ownership, outputs, watchdog, and the way out.

It also turns what the board reports of itself (interlock, watchdog) into errors of their own.
"""

from dataclasses import replace

from drivers import scpi
from drivers.board_state import BoardState, is_printed, read_state, state_queries, watchdog_owner
from drivers.errors import (
    BoardChanged,
    BoardInUse,
    CommandRefused,
    InstrumentError,
    InterlockOpen,
    SettingDiffers,
    WatchdogExpired,
)
from drivers.keep_alive import KeepAlive
from drivers.link import Link
from drivers.safe_state import make_safe

_UNDEFINED_HEADER, _INTERLOCK_OPEN, _WATCHDOG_EXPIRED, _OUTPUTS_OFF = -113, 101, 102, 104
_INTERLOCK_BIT, _WATCHDOG_BIT = 1 << 9, 1 << 10
# A busy host may miss one or two of them.
_FEEDS_PER_INTERVAL = 4
_TAKEN_OVER = "it has taken it over"


class HostSession:
    """A host's session with the board on a link; CrossbarBoard sends its messages through it.

    `protocol` is the version of docs/board-protocol.md that the board follows. `held_crc` is the
    CRC-32 of the pattern that this host has set on the board, None if it is unknown.
    """

    def __init__(self, link: Link, watchdog_seconds: float) -> None:
        """Ask for the protocol's version; change nothing."""
        self.link = link
        self.watchdog_seconds = watchdog_seconds
        self.held_crc: int | None = None
        self._printed_watchdog_seconds = watchdog_seconds
        self._armed = False
        self._driving = False  # as far as this host knows
        self._may_be_on = False
        self._keep_alive: KeepAlive | None = None
        self.protocol = self._read_protocol()

    # messages

    def ask(
        self, command: str | bytes, *, timeout_seconds: float | None = None
    ) -> list[str | bytes]:
        """Send queries as scpi.checked_query does, and return their answers.

        Raises InterlockOpen or WatchdogExpired where the board reports that, and what
        scpi.checked_query raises.
        """
        answers, refused = scpi.query_with_refusal(
            self.link, command, timeout_seconds=timeout_seconds
        )
        if refused is None:
            return answers
        reported = self._reported(refused.numbers)
        if reported is None:
            raise refused
        self._forget()
        raise reported

    def texts(self, command: str, count: int) -> list[str]:
        """Send queries that `count` texts answer; return the texts. Raises as `ask` does."""
        answers = self.ask(command)
        texts = [answer for answer in answers if isinstance(answer, str)]
        if not len(texts) == len(answers) == count:
            raise self.link.garbled(f"{len(answers)} answers to {command}")
        return texts

    def measure(self, command: bytes, expected: BoardState, timeout_seconds: float) -> bytes:
        """Send a query with the outputs on; return the block of readings that answers it.

        The message switches the outputs on where they are off, and asks back the settings that the
        readings depend on: those of this session, and those of `expected`. Raises BoardChanged,
        InterlockOpen or WatchdogExpired where they differ.
        """
        self.hold()
        expected = replace(
            expected,
            outputs=True,
            watchdog_seconds=self._printed_watchdog_seconds,
            watchdog_owner="OWN" if self.protocol >= (1, 1) else None,
        )
        names = expected.names()
        before = b"" if self._driving else b":OUTP:INT?;:OUTP ON;"
        message = before + command + b";" + state_queries(names).encode()
        leading = 0 if self._driving else 1
        self._may_be_on, self._driving = True, False
        answers, refused = scpi.query_with_refusal(
            self.link, message, timeout_seconds=timeout_seconds
        )
        if len(answers) < leading + len(names):
            raise refused or self.link.garbled(
                f"{len(answers)} answers to {scpi.abbreviated(message)}"
            )
        if leading and not scpi.boolean(self.link, answers[0]):
            self._forget()
            raise InterlockOpen(self.link.resource)
        state = read_state(self.link, names, answers[len(answers) - len(names) :])
        differences = state.differences(expected)
        if differences or refused is not None:
            self._forget()
            raise self._explained(state, differences, refused)
        self._driving = True
        data = answers[leading] if len(answers) == leading + 1 + len(names) else ""
        if not isinstance(data, bytes):
            raise self.link.garbled(f"no block in answer to {scpi.abbreviated(command)}")
        return data

    # ownership, and the way out

    def claim(self, *, take_over: bool) -> None:
        """Arm the watchdog and begin to feed it.

        Raises BoardInUse where another host works with the board, unless `take_over` is set.
        """
        (text,) = self.texts(":OUTP?", 1)
        on = scpi.boolean(self.link, text)
        if not take_over and (on or self._owner() == "OTH"):
            what = "its outputs are on" if on else "another session holds its watchdog"
            raise BoardInUse(
                self.link.resource,
                f"somebody works with this board: {what}. Wait until that host has ended (one "
                "that died is ended by the board's watchdog), or take the board over: --take-over",
            )
        self._may_be_on = on
        self._switch_off()
        self._arm()
        fed = b":SYST:WATC:FEED?" if self.protocol >= (1, 1) else b":SYST:WATC?"
        self._keep_alive = KeepAlive(self.link, fed, self.watchdog_seconds / _FEEDS_PER_INTERVAL)

    def hold(self) -> None:
        """Arm the watchdog again where it may no longer be armed.

        Raises BoardChanged where another host has taken the board over.
        """
        if self._armed:
            return
        if self._owner() == "OTH":
            raise BoardChanged.because(self.link.resource, _TAKEN_OVER)
        self._arm()

    def rest(self) -> None:
        """Switch the outputs off, if they may be on; the next measurement switches on again."""
        with self.link.lock:
            if self._may_be_on:
                self.hold()
                self._switch_off()

    def make_safe(self, all_open_crc: int) -> None:
        """Make the board safe with drivers.safe_state.make_safe, which says what it raises."""
        with self.link.lock:
            self.held_crc = None
            make_safe(
                self.link,
                watchdog_seconds=self.watchdog_seconds,
                all_open_crc=all_open_crc,
                may_be_on=self._may_be_on,
            )
            self._driving = self._may_be_on = self._armed = False
            self.link.greeting = None
            self.held_crc = all_open_crc

    def close(self, all_open_crc: int) -> bool:
        """Make the board safe, unless another host has taken it over, and close the link.

        Returns whether the board was made safe.
        """
        try:
            if self._keep_alive is not None:
                self._keep_alive.stop()
            return self._leave(all_open_crc)
        except InstrumentError:
            raise
        except BaseException:
            # Interrupted, for instance by Ctrl-C: the outputs may still be on.
            self._leave(all_open_crc)
            raise
        finally:
            self.link.close()

    def _leave(self, all_open_crc: int) -> bool:
        with self.link.lock:
            try:
                if self._is_taken_over():
                    return False
            except InstrumentError:
                pass  # making the board safe meets the same fault, and tries again
            self.make_safe(all_open_crc)
            return True

    def _is_taken_over(self) -> bool:
        """Return whether another host has taken the board over meanwhile."""
        if self.protocol >= (1, 1):
            return self._owner() == "OTH"
        if self._may_be_on:
            return False
        return scpi.boolean(self.link, self.texts(":OUTP?", 1)[0])

    def _owner(self) -> str:
        """Return whose the watchdog is: NOB, OWN or OTH; NOB for a board of protocol 1.0."""
        if self.protocol < (1, 1):
            return "NOB"
        return watchdog_owner(self.link, self.texts(":SYST:WATC:OWN?", 1)[0])

    def _switch_off(self) -> None:
        if not self._may_be_on:
            return
        (text,) = self.texts(":OUTP OFF;:OUTP?", 1)
        if scpi.boolean(self.link, text):
            raise InstrumentError(self.link.resource, "the outputs did not switch off")
        self._driving = self._may_be_on = False

    def _arm(self) -> None:
        """Arm the watchdog, also in every later session of the link."""
        arm = f":SYST:WATC {self.watchdog_seconds!r}"
        (text,) = self.texts(f"{arm};:SYST:WATC?", 1)
        printed = scpi.real(self.link, text)
        if not is_printed(self.watchdog_seconds, text):
            raise SettingDiffers.of(self.link.resource, "watchdog (s)", text, self.watchdog_seconds)
        self._printed_watchdog_seconds = printed
        self.link.greeting = arm.encode()
        self._armed = True

    def _read_protocol(self) -> tuple[int, int]:
        """Read the protocol's version; a board of 1.0 has no query for it."""
        try:
            (text,) = self.texts(":SYST:BOAR:PROT?", 1)
        except CommandRefused as refused:
            if refused.numbers != {_UNDEFINED_HEADER}:
                raise
            return 1, 0
        numbers = text.strip().split(".")
        if not (len(numbers) == 2 and all(number.isdecimal() for number in numbers)):
            raise self.link.garbled(f"not a version: {text[:80]!r}")
        return int(numbers[0]), int(numbers[1])

    # reports of the board

    def _forget(self) -> None:
        """Take no setting for granted any more: each is set again before it counts."""
        self.held_crc = None
        self._driving = self._armed = False
        # A reopened link must not take the board back from the host that has it by now.
        self.link.greeting = None

    def _explained(
        self, state: BoardState, differences: list[str], refused: CommandRefused | None
    ) -> InstrumentError:
        """Return the error that says why the board is not as it was set."""
        numbers = set() if refused is None else refused.numbers
        if state.outputs is False:
            condition, event = self.texts(":STAT:QUES:COND?;:STAT:QUES?", 2)
            bits = scpi.integer(self.link, condition) | scpi.integer(self.link, event)
            if bits & _INTERLOCK_BIT:
                numbers.add(_INTERLOCK_OPEN)
            if bits & _WATCHDOG_BIT:
                numbers.add(_WATCHDOG_EXPIRED)
        reported = self._reported(numbers)
        if reported is not None:
            return reported
        if state.watchdog_owner == "OTH":
            return BoardChanged.because(self.link.resource, _TAKEN_OVER)
        if refused is not None and _OUTPUTS_OFF not in numbers:
            return refused
        return BoardChanged.because(self.link.resource, *differences)

    def _reported(self, numbers: set[int]) -> InstrumentError | None:
        """Return the error for a report of the board among these numbers, None without one."""
        if _INTERLOCK_OPEN in numbers:
            return InterlockOpen(self.link.resource)
        if _WATCHDOG_EXPIRED in numbers:
            return WatchdogExpired(self.link.resource, self.watchdog_seconds)
        return None
