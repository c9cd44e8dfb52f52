"""What has been done: runs listed, shown, compared, followed over time, exported.

A run is a folder; there is no index beside the folders that could disagree with them. `runs_in`
reads the runs of a folder, `find_run` one of them. Read first: documents.py (what is read of a
run) and folders.py, then listing.py, figures.py and comparison.py.
"""

from instrument.history.comparison import Cause, Comparison, compare_runs
from instrument.history.drawn import draw_comparison
from instrument.history.figures import figures_of
from instrument.history.folders import Found, KeptRun, find_run, read_run, runs_in
from instrument.history.listing import Wanted, moment_of, runs_document

__all__ = [
    "Cause",
    "Comparison",
    "Found",
    "KeptRun",
    "Wanted",
    "compare_runs",
    "draw_comparison",
    "figures_of",
    "find_run",
    "moment_of",
    "read_run",
    "runs_document",
    "runs_in",
]
