"""The simulated bench: physics, command sets and servers, written from docs/board-protocol.md."""
