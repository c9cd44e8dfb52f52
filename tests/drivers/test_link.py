"""The link against peers that answer late, torn, garbled, or no more, over real wires."""

import contextlib
import os
import pathlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from drivers.byte_streams import open_stream
from drivers.errors import InstrumentError, LinkGarbled, LinkLost, LinkTimeout
from drivers.link import Link
from drivers.scpi import encode_block
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.wire_peers import (
    Peer,
    PtyPeer,
    Script,
    SocketPeer,
    Stream,
    running,
    serve,
    serve_one,
)

SHORT_SECONDS = 0.15
MakePeer = Callable[[Script], Peer]
both_wires = pytest.mark.parametrize("make_peer", [SocketPeer, PtyPeer])
DATA = bytes(range(256)) * 8


def in_a_while() -> float:
    """A deadline that no sound exchange misses."""
    return time.monotonic() + PATIENCE_SECONDS


def echo(message: bytes) -> bytes | None:
    """Answers Q? with Q; what asks nothing gets nothing; BLOCK? gets a block."""
    if message == b"BLOCK?":
        return encode_block(DATA)
    return message[:-1] if message.endswith(b"?") else None


class Late:
    """Answers LATE? with `first` at once and `rest` too late.

    Too late is when `release` is set, or, if `with_next`, when the next message comes.
    """

    def __init__(self, first: bytes, rest: bytes, *, with_next: bool) -> None:
        self.first, self.rest, self.with_next = first, rest, with_next
        self.release, self.sent = threading.Event(), threading.Event()

    def __call__(self, stream: Stream) -> None:
        while True:
            message = stream.message()
            if message == b"LATE?":
                stream.send(self.first)
                if self.with_next:
                    message = stream.message()
                    stream.send(self.rest)
                else:
                    assert self.release.wait(5)
                    stream.send(self.rest)
                    self.sent.set()
                    continue
            serve_one(stream, message, echo)

    def come_late(self) -> None:
        if not self.with_next:
            self.release.set()
            assert self.sent.wait(5)


@both_wires
@pytest.mark.parametrize("with_next", [False, True])
def test_a_late_answer_goes_to_nobody(make_peer: MakePeer, with_next: bool) -> None:
    late = Late(b"", b"LATE\n", with_next=with_next)
    with (
        running(make_peer(late)) as peer,
        Link(peer.resource) as link,
    ):
        with pytest.raises(LinkTimeout, match=r"no answer within 0.15 s"):
            link.query("LATE?", timeout_seconds=SHORT_SECONDS)
        late.come_late()
        assert [link.query(f"Q{k}?") for k in range(5)] == [f"Q{k}" for k in range(5)]


@both_wires
@pytest.mark.parametrize("with_next", [False, True])
@pytest.mark.parametrize("cut", [1, 3, 100, len(encode_block(DATA))])
def test_the_rest_of_a_torn_block_goes_to_nobody(
    make_peer: MakePeer, with_next: bool, cut: int
) -> None:
    block = encode_block(DATA)
    late = Late(block[:cut], block[cut:] + b"\n", with_next=with_next)
    with (
        running(make_peer(late)) as peer,
        Link(peer.resource) as link,
    ):
        with pytest.raises(LinkTimeout, match=f"only {cut} bytes of an answer"):
            link.query_elements("LATE?", timeout_seconds=SHORT_SECONDS)
        late.come_late()
        assert link.query("NEXT?") == "NEXT"
        assert link.query_elements("BLOCK?") == [DATA]


@both_wires
def test_an_answer_that_trickles_ends_at_the_deadline(make_peer: MakePeer) -> None:
    def script(stream: Stream) -> None:
        while (message := stream.message()) != b"TRICKLE?":
            serve_one(stream, message, echo)
        while True:
            stream.send(b"x")
            stream.pause(0.005)

    with (
        running(make_peer(script)) as peer,
        Link(peer.resource) as link,
        pytest.raises(LinkTimeout, match="only"),
    ):
        link.query("TRICKLE?", timeout_seconds=SHORT_SECONDS)


def test_a_server_that_dies_is_lost_and_found_again() -> None:
    def dies(stream: Stream) -> None:
        assert stream.message() == b"ONE?"

    peer = SocketPeer(dies)
    with Link(peer.resource, timeout_seconds=5.0) as link:
        with pytest.raises(LinkLost, match=r"closed the connection|connection lost"):
            link.query("ONE?")
        peer.stop()
        with pytest.raises(LinkLost, match="nobody answers"):
            link.query("TWO?")
        with running(SocketPeer(serve(echo), port=int(peer.port))):
            assert link.query("THREE?") == "THREE"


def test_a_connection_that_ends_between_questions_is_told_once() -> None:
    released = threading.Event()

    def leaves(stream: Stream) -> None:
        stream.send(stream.message()[:-1] + b"\n")
        released.wait(5)

    with running(SocketPeer(leaves, serve(echo))) as peer, Link(peer.resource) as link:
        assert link.query("ONE?") == "ONE"
        released.set()
        wait_until(lambda: peer.connections_closed == 1)
        with pytest.raises(LinkLost):
            link.query("TWO?")
        assert link.query("THREE?") == "THREE"


def test_a_connection_that_ends_in_a_block_is_lost() -> None:
    def tears(stream: Stream) -> None:
        stream.message()
        stream.send(encode_block(DATA)[:500])

    with running(SocketPeer(tears, serve(echo))) as peer, Link(peer.resource) as link:
        with pytest.raises(LinkLost):
            link.query_elements("BLOCK?")
        assert link.query_elements("BLOCK?") == [DATA]


def test_a_port_that_dies_is_found_again_by_its_stable_name(tmp_path: pathlib.Path) -> None:
    def dies(stream: Stream) -> None:
        while (message := stream.message()) != b"ONE?":
            serve_one(stream, message, echo)

    name = tmp_path / "board"
    first = PtyPeer(dies)
    name.symlink_to(first.port)
    with Link(f"ASRL{name}::INSTR", timeout_seconds=5.0) as link:
        with pytest.raises(LinkLost, match="the port has gone"):
            link.query("ONE?")
        first.stop()
        name.unlink()
        with pytest.raises(LinkLost, match="no such file"):
            link.query("TWO?")
        with running(PtyPeer(serve(echo))) as second:
            name.symlink_to(str(second.port))
            assert link.query("THREE?") == "THREE"
            link.close()


@pytest.fixture(name="deaf_port", params=["127.0.0.1", "::1"])
def _deaf_port(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a listener whose queue is full, so that no further connection completes."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        try:
            listener.bind((request.param, 0))
        except OSError:
            pytest.skip(f"no {request.param} on this machine")
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(8):
            waiting = stack.enter_context(socket.socket(family))
            waiting.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                waiting.connect(address)
        host = f"[{request.param}]" if ":" in request.param else request.param
        yield f"TCPIP::{host}::{address[1]}::SOCKET"


def test_opening_ends_by_its_deadline_and_not_long_before(deaf_port: str) -> None:
    began = time.monotonic()
    with pytest.raises(LinkLost):
        Link(deaf_port, timeout_seconds=0.5)
    assert 0.45 < time.monotonic() - began < 2.5


def test_no_byte_leaves_a_serial_port_after_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        running(PtyPeer(serve(echo))) as peer,
        contextlib.closing(open_stream(peer.resource, in_a_while())) as stream,
    ):
        with monkeypatch.context() as patched:
            clock = SimpleNamespace(monotonic=lambda: 100.0)
            patched.setattr("drivers.byte_streams.time", clock)
            for deadline in (100.0, 99.0):
                with pytest.raises(LinkTimeout, match="not taken"):
                    stream.send(memoryview(b"LATE\n"), deadline)
        stream.send(memoryview(b"NEXT?\n"), in_a_while())
        assert stream.receive(in_a_while()) == b"NEXT\n"
        assert peer.messages() == [b"NEXT?"]


def test_a_refused_port_is_refused_when_opened() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        resource = f"TCPIP::127.0.0.1::{nobody.getsockname()[1]}::SOCKET"
        with pytest.raises(LinkLost) as caught:
            Link(resource)
    assert str(caught.value) == f"{resource}: nobody answers (connection refused)"


@pytest.mark.parametrize(
    "resource",
    [
        "",
        "board",
        "GPIB0::3::INSTR",
        "TCPIP::127.0.0.1::inst0::INSTR",
        "TCPIP::127.0.0.1::0::SOCKET",
        "TCPIP::127.0.0.1::70000::SOCKET",
        "TCPIP::127.0.0.1::port::SOCKET",
        "TCPIP::a..b::9::SOCKET",
        "ASRL/dev/no_such_port::INSTR",
    ],
)
def test_a_name_that_cannot_be_opened_is_named(resource: str) -> None:
    with pytest.raises(InstrumentError) as caught:
        Link(resource, timeout_seconds=SHORT_SECONDS)
    assert str(caught.value).startswith(f"{resource}: ")


def test_a_serial_port_belongs_to_one_program() -> None:
    with (
        running(PtyPeer(serve(echo))) as peer,
        Link(peer.resource) as link,
    ):
        with pytest.raises(LinkLost, match="another program uses the port"):
            Link(peer.resource)
        assert link.query("ONE?") == "ONE"


def test_a_program_that_is_refused_a_serial_port_costs_the_other_no_answer() -> None:
    with (
        running(PtyPeer(serve(echo))) as peer,
        contextlib.closing(open_stream(peer.resource, in_a_while())) as stream,
    ):
        stream.send(memoryview(b"ONE?\n"), in_a_while())
        wait_until(stream.has_unread)
        with pytest.raises(LinkLost, match="another program uses the port"):
            Link(peer.resource)
        assert stream.receive(in_a_while()) == b"ONE\n"


@both_wires
def test_every_thread_gets_its_own_answers(make_peer: MakePeer) -> None:
    answers: dict[str, list[str]] = {}

    def ask(link: Link, name: str) -> None:
        answers[name] = [link.query(f"{name}{k}?") for k in range(400)]

    with running(make_peer(serve(echo))) as peer, Link(peer.resource) as link:
        threads = [threading.Thread(target=ask, args=(link, name)) for name in ("A", "B", "C")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert link.exchanges == 1200
    assert answers == {name: [f"{name}{k}" for k in range(400)] for name in ("A", "B", "C")}


def press_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


@both_wires
def test_ctrl_c_in_a_long_exchange_leaves_the_link_usable(make_peer: MakePeer) -> None:
    """The instrument works on for longer than the link's own timeout: what follows waits for it."""

    def answer(message: bytes) -> bytes | None:
        if message == b"SCAN?":
            press_ctrl_c()
            # At work until the host asks again, and then for longer than that exchange may take.
            assert asks_again.wait(PATIENCE_SECONDS)
            assert not released.wait(2 * SHORT_SECONDS)
            return b"SCANNED"
        return echo(message)

    def trace(direction: str, _seconds: float, message: bytes) -> None:
        if direction == "sent" and b"SCAN?\n" in sent:
            asks_again.set()
        sent.append(message)

    sent: list[bytes] = []
    asks_again, released = threading.Event(), threading.Event()
    with (
        running(make_peer(serve(answer))) as peer,
        Link(peer.resource, trace=trace) as link,
    ):
        link.query("FIRST?")
        with pytest.raises(KeyboardInterrupt):
            link.query("SCAN?", timeout_seconds=5.0)
        assert link.query("NEXT?", timeout_seconds=SHORT_SECONDS) == "NEXT"


def torn_reader(then: Callable[[], None]) -> Script:
    """Takes the beginning of a block over a serial port, reads no more until `then` returns."""

    def script(stream: Stream) -> None:
        serve_one(stream, stream.message(), echo)
        assert stream.message() == b"*ESE 0"
        stream.take_some()
        then()
        serve(echo)(stream)

    return script


def test_a_block_cut_by_ctrl_c_swallows_nothing_of_what_follows() -> None:
    """A serial port has no sessions: the instrument still waits for the rest of the block."""
    with running(PtyPeer(torn_reader(press_ctrl_c))) as peer:
        with Link(peer.resource, timeout_seconds=5.0) as link:
            with pytest.raises(KeyboardInterrupt):
                link.write(b"PATTERN " + encode_block(b"\xaa" * 300_000))
            assert link.query("NEXT?") == "NEXT"
        torn, *empty, nonce, _, following = peer.messages()[2:]
        assert torn.startswith(b"PATTERN #6300000\xaa")
        assert torn.endswith(b"\n")
        assert set(empty) <= {b""}
        assert nonce.startswith(b"*CLS;*ESE?;*ESE ")
        assert following == b"NEXT?"


def test_a_message_that_is_not_taken_times_out_and_is_recovered_from() -> None:
    released = threading.Event()
    script = torn_reader(lambda: assert_true(released.wait(5)))
    with (
        running(PtyPeer(script)) as peer,
        Link(peer.resource) as link,
    ):
        with pytest.raises(LinkTimeout, match="not taken"):
            link.write(b"PATTERN " + encode_block(b"\xaa" * 300_000), timeout_seconds=SHORT_SECONDS)
        released.set()
        assert link.query("NEXT?") == "NEXT"


def test_a_socket_that_is_not_read_times_out_and_is_recovered_from() -> None:
    released = threading.Event()
    with (
        running(SocketPeer(lambda _: assert_true(released.wait(5)), serve(echo))) as peer,
        Link(peer.resource) as link,
    ):
        with pytest.raises(LinkTimeout, match="not taken"):
            link.write(b"PATTERN " + encode_block(bytes(16_000_000)), timeout_seconds=SHORT_SECONDS)
        released.set()
        assert link.query("NEXT?") == "NEXT"


def assert_true(condition: bool) -> None:
    assert condition


@both_wires
@pytest.mark.parametrize(
    "rubbish", [b"\xff\xfe\x00", b"#9999999999", b"A\nB", b"#0", b'"', b"#13abcd", b"\x00" * 5000]
)
def test_rubbish_is_garbled_and_gone(make_peer: MakePeer, rubbish: bytes) -> None:
    def answer(message: bytes) -> bytes | None:
        return rubbish if message == b"RUBBISH?" else echo(message)

    with running(make_peer(serve(answer))) as peer, Link(peer.resource) as link:
        with pytest.raises(LinkGarbled):
            link.query("RUBBISH?")
        assert link.query("NEXT?") == "NEXT"


@both_wires
def test_a_wrong_kind_of_answer_is_garbled(make_peer: MakePeer) -> None:
    with running(make_peer(serve(echo))) as peer, Link(peer.resource) as link:
        with pytest.raises(LinkGarbled):
            link.query("BLOCK?")
        assert link.query("NEXT?") == "NEXT"


@both_wires
def test_bytes_that_nobody_asked_for_answer_nothing(make_peer: MakePeer) -> None:
    answered, sent = threading.Event(), threading.Event()

    def script(stream: Stream) -> None:
        while not sent.is_set():
            message = stream.message()
            serve_one(stream, message, echo)
            if message == b"FIRST?":
                assert answered.wait(5)
                stream.send(b"rubbish\n")
                sent.set()
        serve(echo)(stream)

    with running(make_peer(script)) as peer, Link(peer.resource, timeout_seconds=5.0) as link:
        assert link.query("FIRST?") == "FIRST"
        answered.set()
        assert sent.wait(5)
        # A pty hands bytes on when it likes: only the link's own end tells that they have come.
        stream = link._stream
        assert stream is not None
        wait_until(stream.has_unread)
        assert link.query("NEXT?") == "NEXT"


@both_wires
def test_trace_and_counters_tell_every_byte(make_peer: MakePeer) -> None:
    told: list[tuple[str, float, bytes]] = []
    with (
        running(make_peer(serve(echo))) as peer,
        Link(peer.resource, trace=lambda *event: told.append(event)) as link,
    ):
        link.write("SET 1")
        assert link.query_elements("BLOCK?") == [DATA]
        sent = b"".join(data for direction, _, data in told if direction == "sent")
        received = b"".join(data for direction, _, data in told if direction == "received")
        assert sent.endswith(b"SET 1\nBLOCK?\n")
        assert received.endswith(encode_block(DATA) + b"\n")
        assert (link.bytes_sent, link.bytes_received) == (len(sent), len(received))
        times = [when for _, when, _ in told]
        assert times == sorted(times)
        assert link.exchanges == 2


@pytest.mark.parametrize("written", [b"%d", b"%+d", b"%d.0", b"%dE0", b"%.2E"])
@both_wires
def test_serial_recovery_restores_the_event_mask(make_peer: MakePeer, written: bytes) -> None:
    def script(stream: Stream) -> None:
        mask = 36
        while True:
            message = stream.message()
            for unit in message.split(b";"):
                if unit.startswith(b"*ESE "):
                    mask = int(unit[5:])
            if b"*ESE?;*ESE " in message:
                stream.send(b"%b;%b\n" % (written % 36, written % mask))
            elif message == b"MASK?":
                stream.send(b"%d\n" % mask)

    with running(make_peer(script)) as peer, Link(peer.resource) as link:
        assert link.query("MASK?") == "36"


def test_a_closed_link_says_so() -> None:
    with running(SocketPeer(serve(echo))) as peer:
        link = Link(peer.resource)
        link.close()
        link.close()
        with pytest.raises(LinkLost, match="closed"):
            link.query("ONE?")


def test_text_cannot_smuggle_a_second_message() -> None:
    with running(SocketPeer(serve(echo))) as peer, Link(peer.resource) as link:
        with pytest.raises(ValueError, match="line feed"):
            link.write("SET 1\nOUTP ON")
        assert link.query("NEXT?") == "NEXT"
        assert peer.messages() == [b"NEXT?"]


def test_reopening_leaves_no_descriptor_behind() -> None:
    def slams(stream: Stream) -> None:
        stream.message()

    with running(SocketPeer(slams)) as peer, Link(peer.resource, timeout_seconds=5.0) as link:
        before = len(os.listdir("/dev/fd"))
        for _ in range(10):
            with pytest.raises(LinkLost):
                link.query("ONE?")
        assert len(os.listdir("/dev/fd")) <= before + 1


def test_a_connection_that_is_gone_while_it_is_set_up_is_told_as_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = vars(socket) | {"TCP_NODELAY": 9999}  # the system knows no such option
    monkeypatch.setattr("drivers.byte_streams.socket", SimpleNamespace(**refused))
    with (
        running(SocketPeer(serve(echo))) as peer,
        pytest.raises(LinkLost, match="nobody answers"),
    ):
        Link(peer.resource)
