"""The circuit law: the exact wire network of a crossbar. Nothing random, no I/O."""

from kirchhoff.gradient import transfer_change, transfer_gradient
from kirchhoff.network import column_currents, transfer_matrix
from kirchhoff.update import updated_transfer
from kirchhoff.wire import Wire

__all__ = [
    "Wire",
    "column_currents",
    "transfer_change",
    "transfer_gradient",
    "transfer_matrix",
    "updated_transfer",
]
