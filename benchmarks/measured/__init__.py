"""The figures of docs/measured.md: measured by commands, filled into a page."""

from benchmarks.measured.boards import BOARDS, write_boards
from benchmarks.measured.page import write_page
from benchmarks.measured.record import Record
from benchmarks.measured.sections import QUICK, SECTIONS

__all__ = ["BOARDS", "QUICK", "SECTIONS", "Record", "write_boards", "write_page"]
