"""Servers that put a simulated instrument on a wire: TCP and pseudo-terminal."""

from simulator.servers.pty import PtyUnavailableError, serve_pty
from simulator.servers.session import ConnectionCut, Send
from simulator.servers.tcp import MAX_SESSIONS, serve_tcp

__all__ = [
    "MAX_SESSIONS",
    "ConnectionCut",
    "PtyUnavailableError",
    "Send",
    "serve_pty",
    "serve_tcp",
]
