"""A living host feeds the watchdog however long it computes; nothing of that is counted."""

import gc
import threading
from collections.abc import Iterator

import pytest

from drivers.crossbar_board import CrossbarBoard
from drivers.link import Link
from tests.support.tiny_board import TinyBoard
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.wire_peers import SocketPeer, Stopped, Stream, running, serve


@pytest.fixture(name="tiny")
def _tiny() -> TinyBoard:
    return TinyBoard()


@pytest.fixture(name="resource")
def _resource(tiny: TinyBoard) -> Iterator[str]:
    with running(SocketPeer(serve(tiny.handle))) as peer:
        yield peer.resource


@pytest.fixture(name="board")
def _board(resource: str) -> Iterator[CrossbarBoard]:
    with CrossbarBoard.open(resource, watchdog_seconds=0.1) as board:
        yield board


def is_kept_alive(resource: str) -> bool:
    return any(resource in thread.name for thread in threading.enumerate())


def fed(tiny: TinyBoard) -> int:
    return tiny.log.count(b":SYST:WATC?")


def test_an_idle_board_is_fed_and_nothing_is_counted(
    board: CrossbarBoard, resource: str, tiny: TinyBoard
) -> None:
    before, moved = fed(tiny), board.bytes_moved
    assert is_kept_alive(resource)
    with board.lock:  # a host that computes holds the board
        wait_until(lambda: fed(tiny) >= before + 3)
    assert board.bytes_moved == moved
    assert board.seconds() == 12.5


def test_nobody_feeds_a_closed_board(board: CrossbarBoard, resource: str, tiny: TinyBoard) -> None:
    board.close()
    before = fed(tiny)
    wait_until(lambda: not is_kept_alive(resource))
    assert fed(tiny) == before


def test_a_board_that_nobody_uses_any_more_is_not_fed(resource: str) -> None:
    board = CrossbarBoard.open(resource, watchdog_seconds=0.1)
    # A board that is dropped closes nothing: what else could close its socket after the test?
    stream = board._link._stream
    assert stream is not None
    del board
    gc.collect()
    wait_until(lambda: not is_kept_alive(resource))
    stream.close()


def test_feeding_waits_for_no_exchange_and_fails_in_silence() -> None:
    busy, go_on = threading.Event(), threading.Event()

    def script(stream: Stream) -> None:
        while True:
            message = stream.message()
            if message == b"LONG?":
                busy.set()
                assert go_on.wait(PATIENCE_SECONDS)
            if message == b"BYE?":
                raise Stopped
            stream.send(message + b"\n")

    with running(SocketPeer(script)) as peer, Link(peer.resource, timeout_seconds=5.0) as link:
        asking = threading.Thread(target=lambda: link.query("LONG?"))
        asking.start()
        assert busy.wait(PATIENCE_SECONDS)
        link.feed(b"FEED?", timeout_seconds=5.0)  # returns at once
        go_on.set()
        asking.join()
        link.feed(b"FEED?", timeout_seconds=5.0)
        link.feed(b"BYE?", timeout_seconds=5.0)  # the other end goes
        assert link.query("NEXT?") == "NEXT?"
        assert peer.messages() == [b"LONG?", b"FEED?", b"BYE?", b"NEXT?"]
        assert link.exchanges == 2


def test_a_new_session_hears_the_greeting_first() -> None:
    def slams(stream: Stream) -> None:
        stream.message()

    def answer(message: bytes) -> bytes | None:
        return message[:-1] if message.endswith(b"?") else None

    with (
        running(SocketPeer(slams, serve(answer))) as peer,
        Link(peer.resource, timeout_seconds=5.0) as link,
    ):
        link.greeting = b"ARM"
        link.feed(b"FEED?", timeout_seconds=5.0)
        assert link.query("ONE?") == "ONE"
        assert peer.messages()[-2:] == [b"ARM", b"ONE?"]
