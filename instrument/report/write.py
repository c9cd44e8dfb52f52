"""Writing of a run's report."""

from __future__ import annotations

from pathlib import Path

from instrument.digits import Classification
from instrument.files import write_text
from instrument.pipeline import Run
from instrument.report.page import Circumstances, render
from instrument.results import Specification


def write_report(
    run: Run,
    specification: Specification,
    classification: Classification | None,
    circumstances: Circumstances,
    path: Path,
) -> None:
    """Write the report of a run to `path`, as one HTML file that needs no other.

    The same run and circumstances give the same bytes. Raises FileNotWritten where that fails.
    """
    write_text(path, render(run, specification, classification, circumstances))
