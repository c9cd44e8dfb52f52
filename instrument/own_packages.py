"""The packages that stand beside this one, and a person's own modules of the same names."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
OWN_PACKAGES = "drivers", "simulator", "calibration", "kirchhoff"


def require_own_packages() -> None:
    """Raise ImportError where a person's own `drivers.py`, `calibration/`… beside a notebook or
    in the working folder is imported, or would be, instead of ours.
    """
    for name in OWN_PACKAGES:
        loaded = sys.modules.get(name)
        if loaded is not None:
            origin = getattr(loaded, "__file__", None)
        else:
            found = PathFinder.find_spec(name)
            origin = None if found is None else found.origin
        if origin is None:
            raise ImportError(f"ohmsum's own package {name} is not beside {HOUSE}/instrument")
        if Path(origin).resolve().parents[1] != HOUSE:
            raise ImportError(
                f"{origin} is in the way of ohmsum's own package {name}: rename it, or start "
                "Python where it is not the first to be found"
            )
