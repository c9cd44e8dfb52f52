"""The names of resources, as VISA writes them: what of them can be opened, and how it is found.

`TCPIP[board]::<host>::<port>::SOCKET` and `ASRL<port>[::INSTR]`, in any letter case (VPP-4.3,
4.3.1). A host is a name, an IPv4 address, or an IPv6 address in brackets. A port of digits alone is
COM<digits>; a path may hold spaces.
"""

import re
from dataclasses import dataclass

_SOCKET = re.compile(r"TCPIP\d*::(?P<host>\[[^\[\]\s]+\]|[^:\s\[\]]+)::(?P<port>\d+)::SOCKET", re.I)
_SERIAL = re.compile(r"ASRL(?P<port>\S|\S.*?\S)(?:::INSTR)?", re.I)


@dataclass(frozen=True)
class SocketName:
    """A raw TCP stream."""

    host: str
    port: int


@dataclass(frozen=True)
class SerialName:
    """A serial port, by the name that the system has for it."""

    port: str


def parse_resource(resource: str) -> SocketName | SerialName:
    """Reads a resource's name. Raises ValueError that says what can be opened."""
    if (found := _SOCKET.fullmatch(resource)) is not None:
        port = int(found["port"])
        if not 0 < port < 1 << 16:
            raise ValueError(f"at port {found['port']}, which is not one of 1 to 65535")
        return SocketName(found["host"].strip("[]"), port)
    found = _SERIAL.fullmatch(resource)
    if found is not None and "::" not in found["port"] and found["port"].isprintable():
        port_name = found["port"]
        return SerialName(f"COM{port_name}" if port_name.isdigit() else port_name)
    raise ValueError(
        "neither TCPIP::<host>::<port>::SOCKET (an IPv6 host in brackets) nor ASRL<port>::INSTR"
    )
