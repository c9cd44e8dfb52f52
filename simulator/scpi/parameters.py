"""The kinds of parameters of a command, and the conversion of a received element to each."""

import math
from dataclasses import dataclass
from typing import Protocol

from simulator.scpi.errors import ScpiError
from simulator.scpi.keywords import forms
from simulator.scpi.parser import Data, Element, Number, Word

_PREFIX_POWERS = {
    "EX": 18, "PE": 15, "T": 12, "G": 9, "MA": 6, "K": 3, "": 0,
    "M": -3, "U": -6, "N": -9, "P": -12, "F": -15, "A": -18,
}  # fmt: skip
_UNITS_WITH_M_FOR_MEGA = ("HZ", "OHM")


class Parameter(Protocol):
    """One parameter of a command; optional ones stand last and pass None when left out."""

    @property
    def optional(self) -> bool:
        """Whether the parameter may be left out."""

    def convert(self, element: Element) -> object:
        """Return the value for the handler. Raises ScpiError if the element does not fit."""


@dataclass(frozen=True)
class Integer:
    """An integer between the limits, both included; decimal, or #H, #Q, #B."""

    low: int
    high: int
    optional: bool = False

    def convert(self, element: Element) -> int:
        """Return the integer. Raises ScpiError -104, -131, -222."""
        value = _unitless(element, "an integer").whole()
        if value is None:
            raise ScpiError(-104, "an integer is wanted")
        if not self.low <= value <= self.high:
            raise ScpiError(-222, f"allowed: {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class Real:
    """A number in SI units; `unit` and a prefix may follow it.

    MINimum, MAXimum and DEFault stand for limits and default that are not None.
    """

    unit: str = ""
    low: float | None = None
    high: float | None = None
    default: float | None = None
    optional: bool = False

    def convert(self, element: Element) -> float:
        """Return the value in units without prefix. Raises ScpiError -104, -131, -141, -222."""
        if isinstance(element, Word):
            return self._named(element.text)
        if not isinstance(element, Number):
            raise ScpiError(-104, "a number is wanted")
        value = element.real(self._power(element.unit))
        below = self.low is not None and value < self.low
        above = self.high is not None and value > self.high
        if below or above or not math.isfinite(value):
            raise ScpiError(-222, self._limits())
        return value

    def _limits(self) -> str:
        low = "" if self.low is None else f" from {self.low:g}"
        high = "" if self.high is None else f" up to {self.high:g}"
        return f"allowed:{low}{high} {self.unit}".rstrip() if low or high else "not finite"

    def _named(self, text: str) -> float:
        named = {"MINimum": self.low, "MAXimum": self.high, "DEFault": self.default}
        offered = {name: value for name, value in named.items() if value is not None}
        if not offered:
            raise ScpiError(-104, "a number is wanted")
        return offered[_choose(text, tuple(offered))]

    def _power(self, suffix: str) -> int:
        if not suffix:
            return 0
        prefix = suffix.removesuffix(self.unit)
        if not self.unit or prefix == suffix or prefix not in _PREFIX_POWERS:
            raise ScpiError(-131, suffix[:40])
        if prefix == "M" and self.unit in _UNITS_WITH_M_FOR_MEGA:
            return 6
        return _PREFIX_POWERS[prefix]


@dataclass(frozen=True)
class Boolean:
    """ON, OFF, or a number: rounded, 0 is off and anything else on."""

    optional: bool = False

    def convert(self, element: Element) -> bool:
        """Return True for on. Raises ScpiError -104, -131, -141, -222."""
        if isinstance(element, Word):
            return _choose(element.text, ("ON", "OFF")) == "ON"
        value = _unitless(element, "ON, OFF or a number").real()
        if not math.isfinite(value):
            raise ScpiError(-222)
        return abs(value) >= 0.5


@dataclass(frozen=True)
class Block:
    """A definite-length block."""

    optional: bool = False

    def convert(self, element: Element) -> bytes:
        """Return the block's bytes. Raises ScpiError -104."""
        if not isinstance(element, Data):
            raise ScpiError(-104, "a block is wanted")
        return element.payload


def _choose(text: str, options: tuple[str, ...]) -> str:
    for option in options:
        if text.upper() in forms(option):
            return option
    raise ScpiError(-141, text[:40])


def _unitless(element: Element, wanted: str) -> Number:
    if not isinstance(element, Number):
        raise ScpiError(-104, f"{wanted} is wanted")
    if element.unit:
        raise ScpiError(-131, element.unit[:40])
    return element
