"""Servers that put a simulated instrument on a wire: TCP and pseudo-terminal."""

from simulator.servers.pty import PtyUnavailableError, serve_pty
from simulator.servers.session import Send, WireCut
from simulator.servers.tcp import MAX_SESSIONS, serve_tcp

__all__ = [
    "MAX_SESSIONS",
    "PtyUnavailableError",
    "Send",
    "WireCut",
    "serve_pty",
    "serve_tcp",
]
