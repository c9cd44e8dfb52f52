"""The report: one HTML file that states what a run reached, shows it, and says how it was found.

Importing this package loads matplotlib; the command line does so when a run is over.
"""

from __future__ import annotations

from pathlib import Path

from instrument.digits import Classification
from instrument.files.writing import write_text
from instrument.pipeline import Run
from instrument.report.page import Circumstances, render
from instrument.results.document import Specification

__all__ = ["Circumstances", "write_report"]


def write_report(
    run: Run,
    specification: Specification,
    classification: Classification | None,
    circumstances: Circumstances,
    path: Path,
) -> None:
    """Write the report of a run to `path`, as one HTML file that needs no other.

    The same run and circumstances give the same bytes. Raises FileNotWritten.
    """
    write_text(path, render(run, specification, classification, circumstances))
