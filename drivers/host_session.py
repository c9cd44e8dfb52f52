"""A host's session with a crossbar board: ownership, outputs, watchdog, and the way out.

It also turns what the board reports of itself (interlock, watchdog, power) into errors of their
own, and sets again what the board has lost.
"""

import zlib
from dataclasses import replace
from typing import Literal

from drivers import scpi
from drivers.board_look import ANSWERS, LOOK, SETTINGS, read_look, read_settings
from drivers.board_memory import BoardMemory
from drivers.board_state import BoardState, is_printed, read_state, state_queries, watchdog_owner
from drivers.board_time import BoardTime
from drivers.errors import (
    BoardChanged,
    BoardInUse,
    BoardTakenOver,
    CommandRefused,
    InstrumentError,
    InterlockOpen,
    PowerCycled,
    SettingDiffers,
    WatchdogExpired,
)
from drivers.exchange_sizes import allowed_seconds
from drivers.keep_alive import KeepAlive
from drivers.link import Link
from drivers.recovery import Kind, Recovery, kind_of
from drivers.safe_state import make_safe

_UNDEFINED_HEADER, _INTERLOCK_OPEN, _WATCHDOG_EXPIRED, _OUTPUTS_OFF = -113, 101, 102, 104
# A busy host may miss one or two of them.
_FEEDS_PER_INTERVAL = 4


class HostSession:
    """A host's session with the board on a link; CrossbarBoard sends its messages through it.

    `protocol` is the version of docs/board-protocol.md that the board follows, `memory` what this
    host has set on the board, `time` the board's time, and `recovery` carries out exchanges.
    """

    def __init__(
        self,
        link: Link,
        watchdog_seconds: float,
        *,
        retries: int = 0,
        reconnect_seconds: float = 0.0,
    ) -> None:
        """Clear the session's errors and events and ask for the protocol's version."""
        self.link = link
        self.watchdog_seconds = watchdog_seconds
        self.memory = BoardMemory()
        self.time = BoardTime()
        self.recovery = Recovery(
            link,
            self._regain,
            retries=retries,
            reconnect_seconds=reconnect_seconds,
            # A session that died without a word is nobody's once it has been silent for so long.
            held_seconds=watchdog_seconds + link.timeout_seconds,
        )
        self._printed_watchdog_seconds = watchdog_seconds
        self._claimed = False
        self._armed = False
        self._driving = False  # as far as this host knows
        self._may_be_on = False
        self._keep_alive: KeepAlive | None = None
        self._withheld: bytes | None = None  # the link's greeting, during a recovery
        # Errors of others, and the power-on bit of a session that lasts as long as the power.
        self.recovery.run("*CLS", lambda _: scpi.checked_write(link, "*CLS"))
        self.protocol = self.recovery.run("SYST:BOAR:PROT?", lambda _: self._read_protocol())

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
        raise self._reported(refused.numbers) or refused

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
        readings depend on: those of this session, its settings, and those of `expected`. Raises
        BoardChanged, InterlockOpen, WatchdogExpired or PowerCycled where they differ.
        """
        self.hold()
        expected = replace(
            expected,
            **self.memory.settings._asdict(),
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
            raise self._given_up(InterlockOpen(self.link.resource))
        state = read_state(self.link, names, answers[len(answers) - len(names) :])
        if state.differences(expected) or refused is not None:
            raise self.explained(state, expected, refused)
        self._driving = True
        data = answers[leading] if len(answers) == leading + 1 + len(names) else ""
        if not isinstance(data, bytes):
            raise self.link.garbled(f"no block in answer to {scpi.abbreviated(command)}")
        return data

    # ownership, and the way out

    def claim(self, *, take_over: bool, left_on: bool = False) -> None:
        """Arm the watchdog and begin to feed it.

        With `left_on`, outputs that are on were left by an earlier process of this host, unless
        another session holds the watchdog. Raises BoardInUse where another host works with the
        board, unless `take_over` is set.
        """
        on = self.recovery.run(":OUTP?", lambda _: self._first_look())
        owner = self.recovery.run(":SYST:WATC:OWN?", lambda _: self._owner())
        if not take_over and (owner == "OTH" or (on and not left_on)):
            reason = "its outputs are on" if on else "another session holds its watchdog"
            raise BoardInUse(
                self.link.resource,
                f"somebody works with this board: {reason}. Wait until that host has ended (one "
                "that died is ended by the board's watchdog), or take the board over: --take-over",
            )
        self._may_be_on = on
        self.recovery.run(":OUTP OFF", lambda _: self._switch_off())
        self.recovery.run(":SYST:WATC", lambda _: self._arm())
        self._claimed = True
        fed = b":SYST:WATC:FEED?" if self.protocol >= (1, 1) else b":SYST:WATC?"
        self._keep_alive = KeepAlive(self.link, fed, self.watchdog_seconds / _FEEDS_PER_INTERVAL)

    @property
    def armed(self) -> bool:
        """Whether this host has armed the watchdog, and nothing has happened to it since."""
        return self._armed

    def hold(self) -> None:
        """Arm the watchdog again where it may no longer be armed, and set again what is lost.

        Raises BoardChanged where another host has taken the board over.
        """
        if not self._armed:
            if self._owner() == "OTH":
                self._withheld = None
                raise BoardTakenOver(self.link.resource)
            self._arm()
        if self.memory.lost:
            self._set_again()

    def settings_texts(self, *units: str) -> list[str]:
        """Send message units that set range, aperture or delay; return how all three are told."""
        return self.texts(";".join([*units, SETTINGS]), 3)

    def set_pattern(self, block: bytes, crc: int, *, unless_held: bool) -> None:
        """Set all switches from a pattern block, whose CRC-32 the board tells afterwards.

        With `unless_held`, the CRC of the pattern that the board holds is asked first. Raises
        SettingDiffers where the board then holds another pattern.
        """
        self.memory.hold_pattern(None)
        if not unless_held or self._read_crc() != crc:
            command = b":ROUT:PATT %s,%d;:ROUT:PATT:CRC?" % (scpi.encode_block(block), crc)
            seconds = allowed_seconds(self.link.timeout_seconds, 0.0, len(block))
            answers = self.ask(command, timeout_seconds=seconds)
            held = scpi.integer(self.link, answers[0] if len(answers) == 1 else b"")
            if held != crc:
                raise SettingDiffers(
                    self.link.resource, f"holds a pattern of CRC {held}, {crc} was sent"
                )
        self.memory.hold_pattern(block)

    def rest(self) -> None:
        """Switch the outputs off, if they may be on; the next measurement switches on again."""
        with self.link.lock:
            if self._may_be_on:
                self.hold()
                self._switch_off()

    def make_safe(self, all_open: bytes) -> None:
        """Make the board safe with drivers.safe_state.make_safe, which says what it raises."""
        with self.link.lock:
            self.memory.hold_pattern(None)
            make_safe(
                self.link,
                watchdog_seconds=self.watchdog_seconds,
                all_open_crc=zlib.crc32(all_open),
                may_be_on=self._may_be_on,
            )
            self._driving = self._may_be_on = self._armed = False
            self.link.greeting = None
            self.memory.hold_pattern(all_open)

    def close(self, all_open: bytes) -> bool:
        """Make the board safe, unless another host has taken it over, and close the link.

        Returns whether the board was made safe.
        """
        self.recovery.stop()
        try:
            if self._keep_alive is not None:
                self._keep_alive.stop()
            return self._leave(all_open)
        except InstrumentError:
            raise
        except BaseException:
            # Interrupted, for instance by Ctrl-C: the outputs may still be on.
            self._leave(all_open)
            raise
        finally:
            self.link.close()

    def _leave(self, all_open: bytes) -> bool:
        with self.link.lock:
            if self._withheld is not None:
                # Cut short in a recovery: a session of this host that died may own the watchdog.
                self.link.greeting = self._withheld
            try:
                if self._is_taken_over():
                    return False
            except InstrumentError:
                pass  # making the board safe meets the same fault, and tries again
            self.make_safe(all_open)
            return True

    def _is_taken_over(self) -> bool:
        """Return whether another host has taken the board over meanwhile."""
        if self.protocol >= (1, 1):
            return self._owner() == "OTH"
        if self._may_be_on:
            return False
        return self._read_outputs()

    def _read_outputs(self) -> bool:
        return scpi.boolean(self.link, self.texts(":OUTP?", 1)[0])

    def _first_look(self) -> bool:
        """Note the board's time; return whether the outputs are on."""
        on, seconds = self.texts(":OUTP?;:SYST:TIME?", 2)
        self.note_time(scpi.real(self.link, seconds))
        return scpi.boolean(self.link, on)

    def _read_crc(self) -> int:
        return scpi.integer(self.link, self.texts(":ROUT:PATT:CRC?", 1)[0])

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
        self._withheld = None
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

    # what the board has lost

    def _regain(self) -> Kind | None:
        """Bring the board back to where this host had set it after a fault.

        Returns why the board has lost what was set, None where it has not. Raises BoardChanged
        where another host is at work.
        """
        if not self._claimed:
            scpi.identity(self.link)
            return None
        # A reopened link must not take the board back from a host that has it by now.
        self._withheld = self.link.greeting or self._withheld
        self.link.greeting = None
        self._driving = self._armed = False
        self._look()
        lost = self.memory.lost
        self.hold()
        return lost

    def _look(self) -> None:
        """Look at the board after a fault, and note what it has lost."""
        answers, refused = scpi.query_with_refusal(self.link, LOOK)
        texts = [answer for answer in answers if isinstance(answer, str)]
        if not len(texts) == len(answers) == ANSWERS:
            raise refused or self.link.garbled(f"{len(answers)} answers to {LOOK}")
        look = read_look(self.link, texts)
        if look.outputs:
            look = replace(look, events=0)  # power that came on leaves them off
        anew = self.time.lags(look.seconds) or not look.watchdog_seconds
        if look.power_failed(self.link, self.memory, self.time, anew=anew):
            self._lose_to_power(look.seconds)
        elif self._may_be_on and (
            look.watchdog_has_fired or (refused and _WATCHDOG_EXPIRED in refused.numbers)
        ):
            self._lose("watchdog")
        if self.memory.lost and not look.outputs:
            self._may_be_on = False
        if look.outputs and not self._may_be_on:
            raise self._given_up(
                BoardChanged.because(self.link.resource, "outputs are on, off was set")
            )

    def note_time(self, seconds: float) -> float:
        """Return the board's time, of which the board tells `seconds` since its power-on.

        Raises PowerCycled where its clock ran backwards.
        """
        if self._claimed and self.time.ran_backwards(seconds):
            self._lose_to_power(seconds)
            raise PowerCycled(self.link.resource)
        return self.time.reported(seconds)

    def _lose_to_power(self, seconds: float) -> None:
        self.time.go_on(seconds)
        self._lose("power_on")

    def _lose(self, why: Literal["power_on", "watchdog"]) -> None:
        """Note that the board has opened its switches, and perhaps lost its settings."""
        if self.memory.lost != "power_on":
            self.memory.lost = why
        self._driving = self._armed = False
        # A reopened link must not take the board back from the host that has it by now.
        self.link.greeting = None

    def _set_again(self) -> None:
        """Set the settings and the pattern that this host had set before the board lost them."""
        memory, wanted = self.memory, self.memory.settings
        if memory.lost == "power_on":
            texts = self.settings_texts(
                f":CURR:RANG {wanted.range_amperes!r}",
                f":CURR:APER {wanted.aperture_seconds!r}",
                f":TRIG:DEL {wanted.delay_seconds!r}",
            )
            settings = read_settings(self.link, texts)
            if not settings.is_close(wanted):
                raise SettingDiffers(
                    self.link.resource, f"holds {settings}, {wanted} was set again"
                )
        block = memory.pattern
        if block is not None:
            try:
                self.set_pattern(block, zlib.crc32(block), unless_held=True)
            finally:
                if memory.lost:
                    memory.hold_pattern(block)  # still to be set again
        memory.lost = None

    # reports of the board

    def _given_up(self, error: InstrumentError) -> InstrumentError:
        """Take no setting for granted any more: each is set again before it counts."""
        self.memory.forget()
        self._driving = self._armed = False
        self.link.greeting = self._withheld = None
        return error

    def explained(  # noqa: PLR0911  (one return for each cause, in the order of their weight)
        self, state: BoardState, expected: BoardState, refused: CommandRefused | None = None
    ) -> InstrumentError:
        """Return the error that says why the board is not as it was set."""
        names = state.names()
        texts = self.texts(f"{LOOK};:STAT:QUES?;{state_queries(names)}", ANSWERS + 1 + len(names))
        look = replace(
            read_look(self.link, texts[:ANSWERS]),
            questionable=scpi.integer(self.link, texts[ANSWERS]),
        )
        anew = self.time.lags(look.seconds)
        if look.power_failed(self.link, self.memory, self.time, anew=anew):
            self._lose_to_power(look.seconds)
            return PowerCycled(self.link.resource)
        numbers = set() if refused is None else refused.numbers
        if state.outputs is False:
            if look.interlock_opened:
                numbers.add(_INTERLOCK_OPEN)
            if look.watchdog_fired:
                numbers.add(_WATCHDOG_EXPIRED)
        reported = self._reported(numbers)
        if reported is not None:
            return reported
        if refused is not None and kind_of(refused):
            return refused  # the message was damaged: what was set still counts
        second = read_state(self.link, names, list(texts[ANSWERS + 1 :]))
        if refused is None and not second.differences(expected):
            return self.link.garbled("an answer that the board does not confirm")
        if state.watchdog_owner == "OTH":
            return self._given_up(BoardTakenOver(self.link.resource))
        if refused is not None and _OUTPUTS_OFF not in numbers:
            return self._given_up(refused)
        changed = BoardChanged.because(self.link.resource, *state.differences(expected))
        return self._given_up(changed)

    def _reported(self, numbers: set[int]) -> InstrumentError | None:
        """Return the error for a report of the board among these numbers, None without one."""
        if _INTERLOCK_OPEN in numbers:
            return self._given_up(InterlockOpen(self.link.resource))
        if _WATCHDOG_EXPIRED in numbers:
            self._lose("watchdog")
            return WatchdogExpired(self.link.resource, self.watchdog_seconds)
        return None
