"""Servers that put a simulated instrument on a wire: TCP socket and pseudo-terminal.

Read `session.py` first: one host's conversation, whatever the wire, with its turns and its order of
answers. `tcp.py` and `pty.py` connect it to a wire.
"""

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
