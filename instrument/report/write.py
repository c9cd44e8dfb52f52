"""Write the report of a run."""

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

    The same run and circumstances give the same bytes. Raises FileNotWritten.
    """
    write_text(path, render(run, specification, classification, circumstances))
