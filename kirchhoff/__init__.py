"""The circuit law: the exact wire network of a crossbar. Nothing random, no I/O."""

from kirchhoff.network import column_currents, transfer_matrix
from kirchhoff.wire import Wire

__all__ = ["Wire", "column_currents", "transfer_matrix"]
