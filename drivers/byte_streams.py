"""Byte streams over the resources that PyVISA opens; each call keeps a deadline.

PyVISA opens the resource; the bytes then go straight over the session's own socket or serial port.
PyVISA's reads and writes cannot keep a deadline, read serial ports byte by byte, and take a refused
connection for an open one.
"""

import contextlib
import errno
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol, cast

import pyvisa
import serial
from pyvisa.constants import AccessModes

from drivers.errors import InstrumentError, LinkLost, LinkTimeout
from drivers.resource_names import SerialName, SocketName, parse_resource

_RECEIVE_BYTES = 1 << 18
_SERIAL_WAIT_SECONDS = 0.05


class ByteStream(Protocol):
    """A byte stream to one instrument. All deadlines are times of time.monotonic()."""

    # True where a new connection drops all that was under way on the old one.
    new_session_when_reopened: ClassVar[bool]

    def send(self, data: memoryview, deadline: float) -> None:
        """Send all of `data`. Raises LinkTimeout, LinkLost."""

    def receive(self, deadline: float) -> bytes:
        """Return the bytes that have come, at least one. Raises LinkTimeout, LinkLost."""

    def has_unread(self) -> bool:
        """Return whether bytes wait to be read. Raises LinkLost if the other end has gone."""

    def close(self) -> None:
        """Give the resource back; called once."""


def open_stream(resource: str, deadline: float) -> ByteStream:
    """Open a VISA resource by the deadline.

    Resolving a host name may take longer than the deadline. Raises LinkLost if no instrument is
    there, InstrumentError for a name that cannot be opened.
    """
    try:
        name = parse_resource(resource)
    except ValueError as error:
        raise InstrumentError(resource, f"is {error}") from error
    if isinstance(name, SocketName):
        return SocketStream(resource, name, deadline)
    return SerialStream(resource, name, deadline)


def _open_session(resource: str, name: str, deadline: float) -> tuple[Any, Callable[[], None]]:
    """Open a PyVISA session; return its socket or serial port, and the function that closes both.

    `name` is one that PyVISA can parse.
    """
    manager = pyvisa.ResourceManager("@py")
    library = cast(Any, manager.visalib)
    milliseconds = max(1, round(1000 * (deadline - time.monotonic())))
    try:
        session, _ = manager.open_bare_resource(name, AccessModes.no_lock, milliseconds)
    except Exception as error:  # pyvisa-py raises Exception itself
        raise LinkLost(resource, f"cannot be opened ({_reason(error)})") from error
    return library.sessions[session].interface, lambda: library.close(session)


class SocketStream:
    """A raw TCP stream."""

    new_session_when_reopened: ClassVar[bool] = True

    def __init__(self, resource: str, name: SocketName, deadline: float) -> None:
        self._resource = resource
        # PyVISA leaves its socket open when a name does not resolve: resolve it first.
        try:
            addresses = socket.getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise LinkLost(resource, f"no host named {name.host}") from error
        self._socket: socket.socket
        # PyVISA parses and resolves no IPv6 address.
        if socket.AF_INET not in (family for family, *_ in addresses):
            allowed = max(0.001, deadline - time.monotonic())
            try:
                self._socket = socket.create_connection((name.host, name.port), allowed)
            except OSError as error:
                raise self._nobody(error) from error
            self._close: Callable[[], None] = self._socket.close
        else:
            visa_name = f"TCPIP::{name.host}::{name.port}::SOCKET"
            self._socket, self._close = _open_session(resource, visa_name, deadline)
        try:
            self._check_connected()
            # Otherwise a message sent in pieces waits 40 ms for the acknowledgement of the first.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setblocking(False)
        except OSError as error:  # the connection has ended again already
            self.close()
            raise self._nobody(error) from error
        except BaseException:
            self.close()
            raise

    def _check_connected(self) -> None:
        """Raise LinkLost unless the socket is connected: PyVISA takes a refused one for open."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if code:
                raise OSError(code, os.strerror(code))
            # A port of the ephemeral range without a listener can connect to itself.
            if self._socket.getpeername() == self._socket.getsockname():
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        except OSError as error:
            raise self._nobody(error) from error

    def _nobody(self, error: OSError) -> LinkLost:
        return LinkLost(self._resource, f"nobody answers ({_reason(error)})")

    def send(self, data: memoryview, deadline: float) -> None:
        """Send all of `data`. Raises LinkTimeout, LinkLost."""
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                remaining = max(0.0, deadline - time.monotonic())
                if not select.select([], [self._socket], [], remaining)[1]:
                    raise LinkTimeout(self._resource, "the message was not taken") from None
            except OSError as error:
                raise self._lost(error) from error

    def receive(self, deadline: float) -> bytes:
        """Return the bytes that have come, at least one. Raises LinkTimeout, LinkLost."""
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([self._socket], [], [], remaining)[0]:
            raise LinkTimeout(self._resource, "no answer")
        return self._received(0)

    def has_unread(self) -> bool:
        """Return whether bytes wait to be read. Raises LinkLost if the other end has gone."""
        if not select.select([self._socket], [], [], 0)[0]:
            return False
        return bool(self._received(socket.MSG_PEEK))

    def close(self) -> None:
        """Close the connection."""
        self._close()

    def _received(self, flags: int) -> bytes:
        try:
            data = self._socket.recv(_RECEIVE_BYTES, flags)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise LinkLost(self._resource, "the instrument closed the connection")
        return data

    def _lost(self, error: OSError) -> LinkLost:
        return LinkLost(self._resource, f"connection lost ({_reason(error)})")


class SerialStream:
    """A serial port: USB CDC-ACM, RS-232, a pty. 8 data bits, no parity, raw."""

    # A serial port has no sessions: an exchange that was under way stays under way.
    new_session_when_reopened: ClassVar[bool] = False

    def __init__(self, resource: str, name: SerialName, deadline: float) -> None:
        self._resource = resource
        self._port: serial.Serial
        with _claimed(resource, name.port):
            self._port, self._close = _open_session(resource, f"ASRL{name.port}::INSTR", deadline)
        try:
            # Two programs on one port would read some of each other's answers.
            self._port.exclusive = True
            self._port.timeout = _SERIAL_WAIT_SECONDS
        except OSError as error:
            self.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EBUSY):
                raise _in_use(resource) from error
            raise LinkLost(resource, f"cannot be opened ({_reason(error)})") from error
        except BaseException:
            self.close()
            raise

    def send(self, data: memoryview, deadline: float) -> None:
        """Send all of `data`. Raises LinkTimeout, LinkLost."""
        try:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise LinkTimeout(self._resource, "the message was not taken")
            self._allow(remaining)
            self._port.write(bytes(data))
        except serial.SerialTimeoutException as error:
            raise LinkTimeout(self._resource, "the message was not taken") from error
        except OSError as error:
            raise self._lost(error) from error

    def _allow(self, seconds: float) -> None:
        """Set the port's own timeout for a write; only seldom, because it costs system calls."""
        allowed = self._port.write_timeout
        if allowed is None or not seconds <= allowed <= seconds + 1.0:
            self._port.write_timeout = seconds + 0.5

    def receive(self, deadline: float) -> bytes:
        """Return the bytes that have come, at least one. Raises LinkTimeout, LinkLost."""
        try:
            while time.monotonic() < deadline:
                waiting = self._port.in_waiting
                data = self._port.read(waiting or 1)
                if data:
                    return data if waiting else data + self._port.read(self._port.in_waiting)
        except OSError as error:
            raise self._lost(error) from error
        raise LinkTimeout(self._resource, "no answer")

    def has_unread(self) -> bool:
        """Return whether bytes wait to be read. Raises LinkLost if the port has gone."""
        try:
            return self._port.in_waiting > 0
        except OSError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Close the port."""
        self._close()

    def _lost(self, error: OSError) -> LinkLost:
        return LinkLost(self._resource, f"the port has gone ({_reason(error)})")


@contextlib.contextmanager
def _claimed(resource: str, path: str) -> Iterator[None]:
    """Hold the port's lock while PyVISA opens it. Raises LinkLost if another program has it.

    Opening drops received bytes that were not read, which may be an answer to the other program.
    PyVISA reports a port that cannot be opened. Windows opens a port for one program alone.
    """
    descriptor = None
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise _in_use(resource) from error
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _in_use(resource: str) -> LinkLost:
    return LinkLost(resource, "another program uses the port")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
