"""Names of resources: one parser, whoever asks."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.link import Link
from drivers.resource_names import SerialName, SocketName, parse_resource
from tests.support.wire_peers import PtyPeer, running, serve

NAMES = {
    "TCPIP::192.0.2.7::5025::SOCKET": SocketName("192.0.2.7", 5025),
    "tcpip0::Bench-2.lab::05025::socket": SocketName("Bench-2.lab", 5025),
    "TCPIP::[::1]::5025::SOCKET": SocketName("::1", 5025),
    "TCPIP::[fe80::1%eth0]::9::SOCKET": SocketName("fe80::1%eth0", 9),
    "ASRL/dev/ttyACM0::INSTR": SerialName("/dev/ttyACM0"),
    "asrl/dev/serial/by-id/usb-My Board-if00::instr": SerialName(
        "/dev/serial/by-id/usb-My Board-if00"
    ),
    "ASRLCOM3::INSTR": SerialName("COM3"),
    "ASRL4::INSTR": SerialName("COM4"),
    "ASRL/dev/ttyUSB0": SerialName("/dev/ttyUSB0"),
}


@pytest.mark.parametrize("resource", NAMES)
def test_names_that_can_be_opened(resource: str) -> None:
    assert parse_resource(resource) == NAMES[resource]


@pytest.mark.parametrize(
    "resource",
    [
        "",
        "COM4",
        "ASRL::INSTR",
        "ASRL ::INSTR",
        "ASRL/dev/a::b::INSTR",
        "ASRL/dev/tty\x1b[31m::INSTR",
        "TCPIP::::1::5025::SOCKET",
        "TCPIP::host::5025",
        "TCPIP::host::inst0::INSTR",
        "TCPIP::host::0::SOCKET",
        "TCPIP::host::65536::SOCKET",
        "GPIB0::3::INSTR",
        "USB0::1::2::INSTR",
    ],
)
def test_names_that_cannot_are_refused_in_words(resource: str) -> None:
    with pytest.raises(ValueError, match=r"^(neither TCPIP|at port)"):
        parse_resource(resource)


@pytest.mark.parametrize("port", [1, 65_535])
def test_first_and_last_port_of_a_host(port: int) -> None:
    assert parse_resource(f"TCPIP::host::{port}::SOCKET") == SocketName("host", port)


@pytest.mark.parametrize("port", [0, 65_536])
def test_a_port_that_no_host_has_is_named(port: int) -> None:
    with pytest.raises(ValueError, match=f"^at port {port}, which is not one of 1 to 65535$"):
        parse_resource(f"TCPIP::host::{port}::SOCKET")


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    for resource in (text, f"TCPIP::{text}::SOCKET", f"ASRL{text}::INSTR"):
        with contextlib.suppress(ValueError):
            parse_resource(resource)


def test_a_port_with_spaces_in_its_name_opens(tmp_path: pytest.TempPathFactory) -> None:
    with running(PtyPeer(serve(lambda message: message.removesuffix(b"?")))) as peer:
        name = tmp_path / "my board"  # type: ignore[operator]
        name.symlink_to(str(peer.port))  # type: ignore[attr-defined]
        with Link(f"asrl{name}::instr") as link:
            assert link.query("ONE?") == "ONE"
