"""Public door of ohmsum: what a person's own program imports.

    from ohmsum import open_bench

    with open_bench("sim:64x16") as bench:
        program = bench.program(weights)
        y = x @ program

The names are those of `instrument.__all__`, which is the only list of them. Read first:
instrument/bench.py.
"""

# Nothing that takes time is imported here: the command line does not handle Ctrl-C yet.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from instrument import *  # noqa: F403
    from instrument import __all__ as __all__


def __getattr__(name: str) -> "Any":
    # `instrument.__all__` is the one list of public names. It is read late, so that the first
    # import of ohmsum loads nothing else.
    if name == "__version__":
        from importlib.metadata import version

        return version("ohmsum")
    if name == "__all__" or not name.startswith("_"):
        require_own_instrument()
        import instrument

        if name == "__all__" or name in instrument.__all__:
            return getattr(instrument, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def require_own_instrument() -> None:
    """Raise ImportError if Python would import another package called `instrument` than ours.

    Our `instrument` then checks the other packages.
    """
    from importlib.machinery import PathFinder
    from pathlib import Path

    spec = PathFinder.find_spec("instrument")
    origin = None if spec is None else spec.origin
    if origin is None or Path(origin).parents[1] != Path(__file__).parents[1]:
        raise ImportError(
            f"{origin} is in the way of ohmsum's own package instrument: rename it, or start "
            "Python where it is not the first to be found"
        )
