"""The engine that executes program messages with a table of commands."""

import logging
from collections.abc import Generator, Iterable
from itertools import islice

from simulator.scpi.answers import encode_answer
from simulator.scpi.commands import Command, CommandTree, Level
from simulator.scpi.errors import ScpiError
from simulator.scpi.mandatory import mandatory_commands
from simulator.scpi.parser import is_blank, parse_elements, parse_unit, split_units
from simulator.scpi.status import Status
from simulator.steps import Steps, finish

_logger = logging.getLogger(__name__)

# Bounds of one message: other hosts must not wait long, and memory must not fill.
MAX_UNITS = 1024
MAX_RESPONSE_BYTES = 16 * 2**20


class Engine:
    """An instrument's command interpreter.

    It adds the commands that need the status alone; the instrument declares `*IDN?`, `*RST` and
    `*TST?` itself. Raises ValueError if two commands claim the same header.
    """

    def __init__(self, commands: Iterable[Command], status: Status) -> None:
        self._tree = CommandTree([*commands, *mandatory_commands(status)])
        self._status = status

    def execute(self, message: bytes) -> bytes:
        """Execute one program message, without its line feed; errors are queued.

        Returns the response message with its line feed, empty if no query answered.
        """
        return finish(self.steps(message))

    def steps(self, message: bytes) -> Steps[bytes]:
        """Execute one program message in steps, at least one per unit."""
        if is_blank(message):
            return b""
        answers = []
        size = 0
        level = self._tree.root
        for number, unit in enumerate(split_units(message)):
            if number == MAX_UNITS or size > MAX_RESPONSE_BYTES:
                self._status.report(ScpiError(-223, "units or answers of one message"))
                break
            answer, level = yield from self._execute_unit(unit, level)
            if answer is not None:
                answers.append(answer)
                size += len(answer)
        return b";".join(answers) + b"\n" if answers else b""

    def may_be_executed_at_any_time(self, message: bytes) -> bool:
        """Return whether a message holds only queries that may be answered at any time."""
        level = self._tree.root
        try:
            for unit in islice(split_units(message), MAX_UNITS):
                header, _ = parse_unit(unit)
                command, _, level = self._tree.find(header, level)
                if not command.at_any_time:
                    return False
        except ScpiError:
            return False
        return True

    def _execute_unit(self, unit: bytes, level: Level) -> Steps[tuple[bytes | None, Level]]:
        yield 0.0
        next_level = self._tree.root
        try:
            header, parameters = parse_unit(unit)
            command, suffixes, next_level = self._tree.find(header, level)
            answer = yield from _run(command, suffixes, parameters)
            return answer, next_level
        except ScpiError as error:
            self._status.report(error)
        except Exception as error:
            _logger.exception("executing %r", unit[:80])
            self._status.report(ScpiError(-310, type(error).__name__))
        return None, next_level


def _run(command: Command, suffixes: tuple[int, ...], parameters: bytes) -> Steps[bytes | None]:
    given = command.suffix_values(suffixes)
    values = command.parameter_values(parse_elements(parameters))
    answer = command.handler(*given, *values)
    if isinstance(answer, Generator):
        answer = yield from answer
    if command.query:
        return encode_answer(answer)
    if answer is not None:
        raise TypeError(f"{command.header} is no query, yet its handler answers")
    return None
