"""The board as the bench needs it: the `Crossbar` of calibration, and what only a bench asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from calibration.crossbar import Crossbar
from drivers import Identity, SpentSeconds


class Board(Crossbar, Protocol):
    """An open board: `drivers.CrossbarBoard`, or one whose exchanges a journal holds."""

    @property
    def identity(self) -> Identity:
        """The board's answer to *IDN?."""
        ...

    @property
    def type(self) -> str:
        """Type of the board, for instance "64x16"."""
        ...

    @property
    def line_hertz(self) -> float:
        """Frequency of the power line, hertz."""
        ...

    @property
    def dac_bits(self) -> int:
        """Resolution of the row drivers, bits."""
        ...

    @property
    def adc_bits(self) -> int:
        """Resolution of the column readers, bits."""
        ...

    @property
    def lock(self) -> threading.RLock:
        """Lock of the board: while a thread holds it, other threads wait for the board."""
        ...

    @property
    def held_crc(self) -> int | None:
        """CRC-32 of the pattern that this host has set on the board; None if it is unknown."""
        ...

    @property
    def bytes_moved(self) -> int:
        """Bytes sent to and received from the board so far."""
        ...

    @property
    def recovery(self) -> Mapping[str, int]:
        """Number of recoveries from faults of the wire so far, by kind."""
        ...

    def seconds(self) -> float:
        """Return the time on the board's own clock, s."""
        ...

    def spent_seconds(self) -> SpentSeconds:
        """Return the time the board has spent since power-on, s, by purpose."""
        ...

    def temperature_kelvin(self) -> float:
        """Return the reading of the board's temperature sensor, K."""
        ...
