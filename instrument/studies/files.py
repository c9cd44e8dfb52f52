"""What a study leaves in its folder: tables, a document, a picture."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration.studies.frame import Row, Study, Summary
from instrument.errors import UsageError


def make_folder(folder: Path) -> None:
    """Make a folder for results. Raises UsageError where it cannot be one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = error.strerror or error
        raise UsageError(f"{folder}: cannot be the folder of the results ({said})") from error


def study_document(study: Study, seed: int, summary: Summary) -> dict[str, Any]:
    """Return all that a study found as one document."""
    return {
        "study": study.name,
        "title": study.title,
        "source": study.source,
        "notes": list(study.notes),
        "seed": seed,
        "findings": [dict(row) for row in summary.findings],
        "rows": [dict(row) for row in summary.rows],
    }


def write_document(document: dict[str, Any], path: Path) -> None:
    """Write a document as JSON."""
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", "utf-8")


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write rows as CSV with a header; a missing value is an empty field."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
