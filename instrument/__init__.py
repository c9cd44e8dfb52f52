"""Controller: opens a bench, calibrates, programs, multiplies and validates.

    from ohmsum import open_bench

    with open_bench("sim:64x16") as bench:
        program = bench.program(weights)
        y = x @ program

It connects calibration, drivers and simulator, which do not know one another. `__all__` is the list
of public names, which `ohmsum` hands on. Read first: bench.py, then pipeline.py.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from instrument.own_packages import require_own_packages

if TYPE_CHECKING:
    from calibration.errors import MatrixError, OverloadError
    from drivers import InstrumentError
    from instrument.bench import Bench
    from instrument.board_calibration import Calibration
    from instrument.errors import UsageError
    from instrument.matrix import TiledMatrix
    from instrument.opening import open_bench

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
_HOMES = {
    "Bench": "instrument.bench",
    "Calibration": "instrument.board_calibration",
    "InstrumentError": "drivers",
    "MatrixError": "calibration.errors",
    "OverloadError": "calibration.errors",
    "TiledMatrix": "instrument.matrix",
    "UsageError": "instrument.errors",
    "open_bench": "instrument.opening",
}

require_own_packages()


def __getattr__(name: str) -> Any:
    # Imported late, so that `ohmsum --help` does not wait for numerical libraries.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
