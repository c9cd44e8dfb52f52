"""The controller: opens a bench, calibrates, programs, multiplies, proves the precision.

from ohmsum import open_bench

with open_bench("sim:64x16") as bench:
    program = bench.program(weights)
    y = program @ x
"""

from typing import TYPE_CHECKING, Any

from instrument.neighbours import require_own_packages

if TYPE_CHECKING:
    from instrument.bench import Bench, open_bench

__all__ = ["Bench", "open_bench"]

require_own_packages()


def __getattr__(name: str) -> Any:
    # Late, so that `ohmsum --help` does not wait for numerical libraries.
    if name in __all__:
        from instrument import bench

        return getattr(bench, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
