"""Check that Python imports ohmsum's own packages, not a person's modules of the same names."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
OWN_PACKAGES = "drivers", "simulator", "calibration", "kirchhoff"


def require_own_packages() -> None:
    """Raise ImportError if another `drivers`, `calibration` … hides a package of ohmsum.

    Such a file or folder beside a notebook, or in the working folder, is found before ours. A
    module that is already loaded is checked as well.
    """
    for name in OWN_PACKAGES:
        loaded = sys.modules.get(name)
        if loaded is not None:
            origin = getattr(loaded, "__file__", None)
        else:
            spec = PathFinder.find_spec(name)
            origin = None if spec is None else spec.origin
        if origin is None:
            raise ImportError(f"ohmsum's own package {name} is not beside {HOUSE}/instrument")
        if Path(origin).resolve().parents[1] != HOUSE:
            raise ImportError(
                f"{origin} is in the way of ohmsum's own package {name}: rename it, or start "
                "Python where it is not the first to be found"
            )
