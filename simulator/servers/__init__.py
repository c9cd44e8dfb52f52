"""Servers that put a simulated instrument on a wire: TCP and pseudo-terminal."""

from simulator.servers.pty import PtyServer, PtyUnavailableError, serve_pty
from simulator.servers.session import Instrument
from simulator.servers.tcp import TcpServer, serve_tcp

__all__ = [
    "Instrument",
    "PtyServer",
    "PtyUnavailableError",
    "TcpServer",
    "serve_pty",
    "serve_tcp",
]
