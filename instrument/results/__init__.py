"""The result document: what `--json` prints and result.json keeps."""

from instrument.results.budget import RESULT_FILE, load_budget
from instrument.results.document import Specification, result_document, unforeseen_of

__all__ = [
    "RESULT_FILE",
    "Specification",
    "load_budget",
    "result_document",
    "unforeseen_of",
]
