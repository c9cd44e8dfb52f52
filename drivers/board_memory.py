"""What this host has set on a board, so that it can be set again."""

import math
import zlib
from dataclasses import dataclass
from typing import Literal, NamedTuple

_SAME = 1e-5
"""Relative difference up to which two settings are the same as printed."""


class Settings(NamedTuple):
    """The settings of the readings, as the board prints them."""

    range_amperes: float
    aperture_seconds: float
    delay_seconds: float

    def is_close(self, other: "Settings") -> bool:
        """Return whether both are the same but for rounding."""
        return all(
            math.isclose(mine, theirs, rel_tol=_SAME)
            for mine, theirs in zip(self, other, strict=True)
        )


_UNKNOWN = Settings(math.nan, math.nan, math.nan)


@dataclass
class BoardMemory:
    """Settings and pattern of a board as this host has set them."""

    settings: Settings = _UNKNOWN
    power_on: Settings = _UNKNOWN
    """Settings of the board after power-on."""
    lost: Literal["power_on", "watchdog"] | None = None
    """Why the board no longer holds it; None while it does, as far as this host knows."""
    _pattern: bytes | None = None
    _crc: int | None = None

    @property
    def pattern(self) -> bytes | None:
        """Block of the pattern that this host has set; None where it is unknown."""
        return self._pattern

    @property
    def held_crc(self) -> int | None:
        """CRC-32 of the pattern that the board holds; None where it is unknown."""
        return None if self.lost else self._crc

    def hold_pattern(self, block: bytes | None) -> None:
        """Take over a pattern that the board now holds; None for an unknown one."""
        self._pattern = block
        self._crc = None if block is None else zlib.crc32(block)

    def forget(self) -> None:
        """Take nothing for granted any more: another host has changed the board."""
        self.hold_pattern(None)
        self.lost = None
