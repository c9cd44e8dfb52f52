"""What has been done: runs listed, shown, compared, followed over time, exported.

A run is a folder; there is no index beside the folders that could disagree with them. `runs_in`
reads the runs of a folder, `find_run` one of them. Read first: documents.py (what is read of a
run) and folders.py, then listing.py, figures.py, comparison.py, trend.py and
export.py.
"""

from instrument.history.comparison import Cause, Comparison, compare_runs
from instrument.history.drawn import draw_comparison, draw_trend
from instrument.history.export import check_export_path, dataset_of, export_run
from instrument.history.figures import figures_of
from instrument.history.folders import (
    Found,
    KeptRun,
    claim_of,
    find_folder,
    find_run,
    read_run,
    runs_in,
)
from instrument.history.listing import Wanted, moment_of, runs_document
from instrument.history.trend import Trend, follow_board
from instrument.history.trend_records import CalibrationPoint, Changes, MovedBranch

__all__ = [
    "CalibrationPoint",
    "Cause",
    "Changes",
    "Comparison",
    "Found",
    "KeptRun",
    "MovedBranch",
    "Trend",
    "Wanted",
    "check_export_path",
    "claim_of",
    "compare_runs",
    "dataset_of",
    "draw_comparison",
    "draw_trend",
    "export_run",
    "figures_of",
    "find_folder",
    "find_run",
    "follow_board",
    "moment_of",
    "read_run",
    "runs_document",
    "runs_in",
]
