"""Files of a study: its document and its tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration.studies import Row, Study, Summary
from instrument.files import write_text


def study_document(study: Study, seed: int, summary: Summary) -> dict[str, Any]:
    """Return the findings and all rows of a study as one document."""
    return {
        "study": study.name,
        "title": study.title,
        "source": study.source,
        "notes": list(study.notes),
        "seed": seed,
        "findings": [dict(row) for row in summary.findings],
        "rows": [dict(row) for row in summary.rows],
    }


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write rows as CSV with a header; a missing value is an empty field.

    Raises FileNotWritten where that fails.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
