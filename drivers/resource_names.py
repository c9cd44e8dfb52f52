"""The names of resources as VISA writes them, and the two kinds that can be opened.

`TCPIP[board]::<host>::<port>::SOCKET` and `ASRL<port>[::INSTR]`, in any letter case (VPP-4.3,
4.3.1). A host is a name, an IPv4 address, or an IPv6 address in brackets. A port of digits alone is
COM<digits>; a path may hold spaces.
"""

import re
from dataclasses import dataclass

_SOCKET = re.compile(r"TCPIP\d*::(?P<host>\[[^\[\]\s]+\]|[^:\s\[\]]+)::(?P<port>\d+)::SOCKET", re.I)
_SERIAL = re.compile(r"ASRL(?P<port>\S|\S.*?\S)(?:::INSTR)?", re.I)
_MAX_PORT = 65_535


@dataclass(frozen=True)
class SocketName:
    """A raw TCP stream."""

    host: str
    port: int


@dataclass(frozen=True)
class SerialName:
    """A serial port, by the name that the operating system has for it."""

    port: str


def parse_resource(resource: str) -> SocketName | SerialName:
    """Parse a resource's name. Raises ValueError that says which names can be opened."""
    if (socket_name := _SOCKET.fullmatch(resource)) is not None:
        port = int(socket_name["port"])
        if not 1 <= port <= _MAX_PORT:
            raise ValueError(f"at port {socket_name['port']}, which is not one of 1 to 65535")
        return SocketName(socket_name["host"].strip("[]"), port)
    serial_name = _SERIAL.fullmatch(resource)
    port_name = serial_name["port"] if serial_name is not None else ""
    if port_name and "::" not in port_name and port_name.isprintable():
        return SerialName(f"COM{port_name}" if port_name.isdigit() else port_name)
    raise ValueError(
        "neither TCPIP::<host>::<port>::SOCKET (an IPv6 host in brackets) nor ASRL<port>::INSTR"
    )
