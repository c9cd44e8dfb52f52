"""Measure the figures of docs/measured.md: `python -m benchmarks.measured`.

`--section NAME`, as often as wanted, measures these sections anew and leaves the others as they
were; `--quick` measures the smallest alone. The raw figures are kept beside the page, in
measured.json. Both files are written after each section.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measured import QUICK, SECTIONS, Record, write_page

DOCS = Path(__file__).parents[2] / "docs"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen sections and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measured", description=__doc__)
    parser.add_argument("--section", action="append", choices=SECTIONS, help="measure this alone")
    parser.add_argument("--quick", action="store_true", help=f"the same as --section {QUICK}")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of both files [docs]")
    given = parser.parse_args(arguments)
    chosen = [QUICK] if given.quick else given.section or list(SECTIONS)
    record = Record(given.out / "measured.json")
    for name in [] if given.page else chosen:
        record.measure(SECTIONS[name])
        record.write()
        write_page(record, given.out / "measured.md")
    write_page(record, given.out / "measured.md")


if __name__ == "__main__":
    main()
