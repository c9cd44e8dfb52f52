"""Result document of a run: what `--json` prints and result.json keeps.

`result_document` builds it, `Specification` decides its `ok`, and `load_budget` reads a part of it
again. Read first: document.py, then validation.py and budget.py for their sections.
"""

from instrument.results.budget import load_budget
from instrument.results.document import (
    Specification,
    SpecificationScope,
    partial_document,
    result_document,
    unforeseen_of,
)
from instrument.run_files import RESULT_FILE

__all__ = [
    "RESULT_FILE",
    "Specification",
    "SpecificationScope",
    "load_budget",
    "partial_document",
    "result_document",
    "unforeseen_of",
]
