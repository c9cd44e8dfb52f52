"""The other end of the wire: threads with a real socket or a real pty that follow a script."""

import contextlib
import os
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator

from tests.support.waiting import wait_until


class Stopped(Exception):
    """The test is over, or the host has gone."""


class Stream:
    """A script's side of the wire: whole messages of the host in, bytes out."""

    def __init__(self, fileno: int, stopping: threading.Event) -> None:
        self._fileno = fileno
        self._stopping = stopping
        self._unread = bytearray()
        self.messages: list[bytes] = []

    def message(self) -> bytes:
        """Return the next program message, without its line feed; blocks may hold line feeds."""
        while (end := _message_end(self._unread)) is None:
            self.take_some()
        message = bytes(self._unread[:end])
        del self._unread[: end + 1]
        self.messages.append(message)
        return message

    def take_some(self) -> None:
        """Read the bytes that come next, perhaps a part of a message."""
        while True:
            if self._stopping.is_set():
                raise Stopped
            if not select.select([self._fileno], [], [], 0.005)[0]:
                continue
            try:
                data = os.read(self._fileno, 1 << 18)
            except OSError:
                raise Stopped from None
            if not data:
                raise Stopped
            self._unread += data
            return

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the test is over."""
        if self._stopping.wait(seconds):
            raise Stopped

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            if self._stopping.is_set():
                raise Stopped
            if select.select([], [self._fileno], [], 0.005)[1]:
                try:
                    view = view[os.write(self._fileno, view[:65536]) :]
                except BlockingIOError:
                    continue
                except OSError:
                    raise Stopped from None


Script = Callable[[Stream], None]


def _message_end(data: bytearray) -> int | None:
    at = 0
    while at < len(data):
        if data[at] == ord("\n"):
            return at
        if data[at] == ord("#") and data[at + 1 : at + 2] in b"123456789":
            if len(data) < at + 2:
                return None
            digits = data[at + 1] - ord("0")
            length = bytes(data[at + 2 : at + 2 + digits])
            if len(length) < digits:
                return None
            if length.isdigit():
                at += 1 + digits + int(length)
        at += 1
    return None


class Peer:
    """A peer whose thread runs the scripts; `failure` is what a script raised."""

    resource: str

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.streams: list[Stream] = []
        self.connections_closed = 0
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _guarded(self) -> None:
        try:
            self.run()
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - shown by stop()
            self.failure = error

    def run(self) -> None:
        """Run the scripts, in the thread."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the thread; raise what a script raised."""
        self.stopping.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure

    def messages(self) -> list[bytes]:
        """Return the messages of all connections so far."""
        return [message for stream in self.streams for message in stream.messages]


class SocketPeer(Peer):
    """A listener: the n-th connection gets the n-th script, all later ones the last script."""

    def __init__(self, *scripts: Script, port: int = 0) -> None:
        super().__init__()
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.005)
        self.port: int = self._listener.getsockname()[1]
        self.resource = f"TCPIP::127.0.0.1::{self.port}::SOCKET"
        self.start()

    def run(self) -> None:
        with self._listener:
            number = 0
            while not self.stopping.is_set():
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                script = self._scripts[min(number, len(self._scripts) - 1)]
                number += 1
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.setblocking(False)
                    stream = Stream(connection.fileno(), self.stopping)
                    self.streams.append(stream)
                    with contextlib.suppress(Stopped):
                        script(stream)
                self.connections_closed += 1


class Relay(Peer):
    """A wire to a TCP resource that can be cut; the next connection to it goes through again."""

    def __init__(self, resource: str) -> None:
        super().__init__()
        _, host, port, _ = resource.split("::")
        self._far = host, int(port)
        self._cutting = threading.Event()
        self._in_silence = False
        self._kept = contextlib.ExitStack()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.005)
        self.resource = f"TCPIP::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"
        self.start()

    def run(self) -> None:
        with self._listener:
            while not self.stopping.is_set():
                try:
                    near, _ = self._listener.accept()
                except TimeoutError:
                    continue
                with near:
                    far = socket.create_connection(self._far)
                    self._kept.enter_context(far)
                    self._carry({near: far, far: near})
                if not self._in_silence:
                    far.close()
                self.connections_closed += 1
        self._kept.close()

    def cut(self, *, in_silence: bool = False) -> None:
        """End the connection at both ends; return when that is done.

        A wire that is cut in silence ends at the near end alone: the far end hears nothing of it.
        """
        before = self.connections_closed
        self._in_silence = in_silence
        self._cutting.set()
        wait_until(lambda: self.connections_closed > before)
        self._cutting.clear()

    def _carry(self, other_end: dict[socket.socket, socket.socket]) -> None:
        while not (self.stopping.is_set() or self._cutting.is_set()):
            for end in select.select([*other_end], [], [], 0.005)[0]:
                data = end.recv(1 << 16)
                if not data:
                    return
                other_end[end].sendall(data)


class PtyPeer(Peer):
    """A pty whose slave the host opens; one script runs on its master."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self.resource = f"ASRL{self.port}::INSTR"
        self.start()

    def run(self) -> None:
        stream = Stream(self._master, self.stopping)
        self.streams.append(stream)
        try:
            self._script(stream)
        finally:
            os.close(self._master)
            os.close(self._slave)


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[Peer]:
    """Stop the peer when the context ends."""
    try:
        yield peer
    finally:
        peer.stop()


def serve(answer: Callable[[bytes], bytes | None]) -> Script:
    """Return a script that answers every message with what `answer` returns."""

    def script(stream: Stream) -> None:
        while True:
            serve_one(stream, stream.message(), answer)

    return script


def serve_one(stream: Stream, message: bytes, answer: Callable[[bytes], bytes | None]) -> None:
    """Answer one message with what `answer` returns, and a resynchronization with its nonce."""
    if b"*ESE?;*ESE " in message:
        # A host that resynchronizes: its own number comes back.
        stream.send(b"0;%s\n" % message.rsplit(b"*ESE ", 1)[1].split(b";")[0])
    elif message and not message.startswith(b"*ESE "):
        reply = answer(message)
        if reply is not None:
            stream.send(reply + b"\n")
