"""Pictures of runs as files; what draws is loaded when something is drawn, and not before."""

from __future__ import annotations

from pathlib import Path

from instrument.errors import UsageError
from instrument.files import require_new, write_new
from instrument.history.comparison import Comparison
from instrument.history.trend import Trend

ENDING = ".svg"


def check_picture_path(path: Path) -> None:
    """Raise UsageError, which names the path, unless it is a new one that ends in .svg."""
    if path.suffix.lower() != ENDING:
        raise UsageError(f"{path}: pictures are SVG: name it {path.with_suffix(ENDING).name}")
    require_new(path)


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draw the waterfalls of both budgets into a new file.

    Raises UsageError where the path is no new one that ends in .svg or no budget is there,
    FileNotWritten where writing fails.
    """
    check_picture_path(path)
    if not comparison.causes:
        raise UsageError(
            f"{comparison.b.path}: neither run has a budget to draw: compare runs that have "
            "validated products"
        )
    from instrument.history.pictures import waterfalls

    write_new(path, waterfalls(comparison))


def draw_trend(trend: Trend, path: Path) -> None:
    """Draw a board over its runs into a new file.

    Raises UsageError where the path is no new one that ends in .svg, FileNotWritten where writing
    fails.
    """
    check_picture_path(path)
    from instrument.history.trend_pictures import over_runs

    write_new(path, over_runs(trend))
