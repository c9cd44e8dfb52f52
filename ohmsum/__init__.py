"""What a person imports.

from ohmsum import open_bench

with open_bench("sim:64x16") as bench:
    program = bench.program(weights)
    y = x @ program
"""

# Nothing is imported here that takes time: the command line listens to no Ctrl-C before.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from instrument import (
        Bench,
        Calibration,
        InstrumentError,
        MatrixError,
        OverloadError,
        TiledMatrix,
        UsageError,
        open_bench,
    )

__all__ = [
    "Bench",
    "Calibration",
    "InstrumentError",
    "MatrixError",
    "OverloadError",
    "TiledMatrix",
    "UsageError",
    "open_bench",
]


def __getattr__(name: str) -> "Any":
    # Late, so that `ohmsum --help` does not wait for numerical libraries.
    if name == "__version__":
        from importlib.metadata import version

        return version("ohmsum")
    if name in __all__:
        require_own_instrument()
        import instrument

        return getattr(instrument, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def require_own_instrument() -> None:
    """Raise ImportError where a person's own `instrument` would be imported instead of ours. That
    one looks after the other packages.
    """
    from importlib.machinery import PathFinder
    from pathlib import Path

    found = PathFinder.find_spec("instrument")
    origin = None if found is None else found.origin
    if origin is None or Path(origin).parents[1] != Path(__file__).parents[1]:
        raise ImportError(
            f"{origin} is in the way of ohmsum's own package instrument: rename it, or start "
            "Python where it is not the first to be found"
        )
