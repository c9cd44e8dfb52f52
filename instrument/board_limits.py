"""Limits of the boards that this controller supports, among those the protocol allows."""

from __future__ import annotations

from drivers import CrossbarBoard, InstrumentError

MIN_COLUMNS = 2
"""Minimum number of columns: an output is the difference of two."""
MAX_BRANCHES = 32
"""Maximum number of branches of a crosspoint: both sides of a pair are selected together, 64 signed
branches.
"""
MAX_COVARIANCES = 1 << 26
"""Maximum number of float64 in the covariances of all crosspoints, rows · columns · (1 +
branches)²: half a gigabyte, of which a run holds about four at a time.
"""


def require_supported(board: CrossbarBoard, resource: str) -> None:
    """Raise InstrumentError, which begins with `resource`, if a board's shape is not supported.

    The limits are in docs/board-protocol.md.
    """
    rows, columns, branches = board.rows, board.columns, board.branches
    covariances = rows * columns * (1 + branches) ** 2
    complaint = None
    if columns < MIN_COLUMNS:
        complaint = "an output is the difference of two columns"
    elif branches > MAX_BRANCHES:
        complaint = f"up to {MAX_BRANCHES} branches a crosspoint are selected"
    elif covariances > MAX_COVARIANCES:
        complaint = (
            f"rows × columns × (1 + branches)² are {covariances:,}, of at most {MAX_COVARIANCES:,} "
            "that are kept in memory"
        )
    if complaint is not None:
        raise InstrumentError(
            resource,
            f"a board of {rows} × {columns} × {branches} cannot be used: {complaint}",
        )
