"""Which boards the controller can work with, of all that the protocol allows."""

from __future__ import annotations

from drivers import CrossbarBoard, InstrumentError

MIN_COLUMNS = 2
"""An output is the difference of two columns."""
MAX_BRANCHES = 32
"""Of a crosspoint: the two sides of a pair are selected together, 64 signed branches."""
MAX_COVARIANCES = 1 << 26
"""Numbers of float64 in the covariances of all crosspoints, rows · columns · (1 + branches)²: half
a gigabyte, of which a run holds some four at a time.
"""


def require_supported(board: CrossbarBoard, resource: str) -> None:
    """Raise InstrumentError that begins with `resource` unless this host can work with a board of
    this shape. The limits stand in docs/board-protocol.md.
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
