"""Numbers as the report writes them: rounded, with units, independent of the locale."""

from __future__ import annotations

import math
from collections.abc import Mapping

SPACE, THIN = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"
"""Spaces before a unit, and between thousands."""
NONE = "–"
UNPREFIXED = {"", "ppm", "ppm/K", "steps", "Hz", "mΩ"}
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def bits(value: float) -> str:
    """Write bits with two decimals; ∞ where the error is exactly zero."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.2f}".replace("-", "−")


def scientific(value: float) -> str:
    """Write a small number as 1.95 × 10⁻⁴, in HTML."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = str(int(exponent)).replace("-", "−")
    return f"{mantissa}{THIN}×{THIN}10<sup>{power}</sup>"


def quantity(value: float, unit: str) -> str:
    """Write a value with its unit, prefixed to between 1 and 1000: 3.162 µS."""
    if not math.isfinite(value):
        return NONE
    # Rounded first: 999.96 is 1.000 of the next prefix.
    rounded = float(f"{value:.3e}")
    exponent = 3 * math.floor(math.log10(abs(rounded)) / 3) if rounded else 0
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    number = f"{rounded / 10.0**exponent:.4g}".replace("-", "−")
    return f"{number}{SPACE}{_PREFIXES[exponent]}{unit}"


def measured(value: float, uncertainty: float, unit: str = "") -> str:
    """Write a value with its uncertainty and one unit prefix: (5.834 ± 0.059) nV.

    The uncertainty has at least two significant digits, and both end at the same digit (JCGM
    100:2008, 7.2.6).
    """
    if not (math.isfinite(value) and math.isfinite(uncertainty)):
        return NONE
    larger = max(abs(value), uncertainty)
    exponent = 0
    if larger and unit not in UNPREFIXED:
        exponent = 3 * math.floor(math.log10(larger) / 3)
        exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    value, uncertainty = value / 10.0**exponent, uncertainty / 10.0**exponent
    # Rounded first: 0.0996 is 0.10 with two digits.
    rounded = float(f"{uncertainty:.1e}")
    decimals = max(1 - math.floor(math.log10(rounded)), 0) if rounded else 2
    both = f"{value:,.{decimals}f} ± {uncertainty:,.{decimals}f}"
    both = both.replace(",", THIN).replace("-", "−")
    named = f"{_PREFIXES[exponent]}{unit}"
    return f"({both}){SPACE}{named}" if named else both


def ppm(fraction: float) -> str:
    """Write a fraction in parts per million."""
    if not math.isfinite(fraction):
        return NONE
    return f"{significant(fraction * 1e6)}{SPACE}ppm"


def significant(value: float) -> str:
    """Write a number with three significant digits and separated thousands."""
    rounded = float(f"{value:.2e}")
    if rounded == 0:
        return "0"
    text = f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:#.3g}"
    return text.replace(",", THIN).replace("-", "−")


def count(value: int) -> str:
    """Write a whole number with separated thousands."""
    return f"{value:,}".replace(",", THIN)


def percent(fraction: float) -> str:
    """Write a fraction in percent; only exact values are written as 0 or 100 %."""
    if 0 < fraction < 1:
        fraction = min(max(fraction, 1e-4), 0.9999)
    return f"{round(100 * fraction, 2):g}{SPACE}%"


def duration(seconds: float) -> str:
    """Write a time in seconds, in minutes and seconds, or in hours and minutes."""
    if seconds < 120:
        return f"{seconds:.1f}{SPACE}s"
    whole = round(seconds)
    if whole < 7200:
        return f"{whole // 60}{SPACE}min {whole % 60}{SPACE}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}{SPACE}h {minutes % 60}{SPACE}min"


def recoveries(counts: Mapping[str, int]) -> str:
    """Write how often each kind of fault ended nothing, as in 2 × timeout, 1 × power on."""
    return ", ".join(f"{count} × {kind.replace('_', ' ')}" for kind, count in counts.items())
