"""Steps 7, 9 and 10: from a weight matrix to a programmed board, and its watch while it is in use.

Read `targets` first (weights become conductance differences), then `refinement`, the loop, from top
to bottom: it selects pairs (`pairs`, `pattern_search`, `moves`), measures (`rounds`), learns
(`board_model`), chooses the scale (`scale`), and leaves the record `programmed`. After that
`sentinels`, which watch the drift of a programmed board; `tiles`, which cut a large matrix;
`precision_by_branches`, which predicts what fewer branches would reach.
"""

from calibration.programming.moves import make_moves
from calibration.programming.pairs import differences
from calibration.programming.precision_by_branches import PrecisionByBranches, bits_against_branches
from calibration.programming.programmed import Programmed
from calibration.programming.refinement import program, reprogram
from calibration.programming.sentinels import WATCH_SECONDS, Watch, watch, watched
from calibration.programming.targets import (
    REACH_FRACTION,
    Targets,
    check_matrix,
    choose_targets,
)
from calibration.programming.tiles import Tile, tiles_to_program

__all__ = [
    "REACH_FRACTION",
    "WATCH_SECONDS",
    "PrecisionByBranches",
    "Programmed",
    "Targets",
    "Tile",
    "Watch",
    "bits_against_branches",
    "check_matrix",
    "choose_targets",
    "differences",
    "make_moves",
    "program",
    "reprogram",
    "tiles_to_program",
    "watch",
    "watched",
]
