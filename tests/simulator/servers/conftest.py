"""A tiny instrument, and an event loop in a thread to serve it while the test is the client."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from simulator.scpi import Block, Command, Engine, Integer, Real, ScpiError, Status
from simulator.steps import Steps

T = TypeVar("T")


class EchoInstrument:
    """Keeps one block and answers it; remembers in which order its marks were set."""

    def __init__(self) -> None:
        self.stored = b""
        self.marks: list[int] = []
        self.power_ons = 1
        self.turn = asyncio.Lock()
        self.sessions: list[EchoSession] = []
        self.steps_done = 0

    def open_session(self) -> "EchoSession":
        self.sessions.append(EchoSession(self))
        return self.sessions[-1]

    def commands(self) -> list[Command]:
        return [
            Command("*IDN?", lambda: "OHMSUM,ECHO,0,1.0"),
            Command("DATA", self._store, (Block(),)),
            Command("DATA?", lambda: self.stored),
            Command("MARK", self.marks.append, (Integer(0, 2**31),)),
            Command("FILL?", bytes, (Integer(0, 2**26),)),
            Command("WORK?", self._work, (Integer(0, 2**31),)),
            Command("WAIT?", self._wait, (Real("S"),)),
            Command("REST?", self._rest),
        ]

    def _store(self, payload: bytes) -> None:
        self.stored = payload

    def _work(self, steps: int) -> Steps[int]:
        """Takes so many steps of a millisecond."""
        for _ in range(steps):
            time.sleep(0.001)
            self.steps_done += 1
            yield 0.0
        return steps

    def _wait(self, seconds: float) -> Steps[bool]:
        """Owes the wall so much time."""
        yield seconds
        return True

    def _rest(self) -> Steps[bool]:
        """Lets others go first."""
        yield None
        return True


class EchoSession:
    """A session of its own status; records what the server told it."""

    def __init__(self, instrument: EchoInstrument) -> None:
        self.status = Status()
        self.events: list[str] = []
        self._instrument = instrument
        self._engine = Engine(instrument.commands(), self.status)

    def message_came(self) -> None:
        self.events.append("came")

    def needs_turn(self, message: bytes) -> bool:
        return message != b"*IDN?"

    def steps(self, message: bytes) -> Steps[bytes]:
        answer = yield from self._engine.steps(message)
        self.events.append("done")
        return answer

    def overrun(self) -> None:
        self.status.report(ScpiError(-363))

    def end(self) -> None:
        self.events.append("end")

    def close(self) -> None:
        self._instrument.sessions.remove(self)


class BackgroundLoop:
    """An event loop in a thread; what its callbacks and tasks fail with is kept in `faults`."""

    def __init__(self) -> None:
        self.faults: list[dict[str, Any]] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=30)

    def tasks(self) -> int:
        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return self.run(count())

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def background() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop()
    yield loop
    tasks_left = loop.tasks()
    loop.stop()
    assert loop.faults == []
    assert tasks_left == 0


@pytest.fixture
def instrument() -> EchoInstrument:
    return EchoInstrument()
