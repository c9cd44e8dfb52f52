"""docs/measured.md: its figures are those of the commands, and of nothing else."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.measured import BOARDS, SECTIONS, Record, write_boards, write_page
from benchmarks.measured.__main__ import main
from simulator.preset import load_preset

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_its_record_gives(tmp_path):
    """Nobody has written a figure on the page by hand."""
    write_page(Record(DOCS / "measured.json"), tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text("utf-8") == (DOCS / "measured.md").read_text("utf-8")


def test_a_page_without_a_record_has_no_figures(tmp_path):
    write_page(Record(tmp_path / "none.json"), tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text("utf-8")
    assert text.count("Not measured: ") == len(SECTIONS)
    assert "Nothing has been measured." in text
    assert not re.search(r"\d\.\d{2}", text)


def test_a_quick_measurement_replaces_its_own_section_alone(tmp_path):
    before = dict.fromkeys(
        ("date", "ohmsum", "python", "numpy", "numba", "cores", "processor", "system"), "of before"
    )
    tiling = {"conditions": before, "measured": []}
    (tmp_path / "measured.json").write_text(json.dumps({"tiling": tiling}), "utf-8")
    main(["--quick", "--out", str(tmp_path)])
    kept = json.loads((tmp_path / "measured.json").read_text("utf-8"))
    assert kept.keys() == {"small", "tiling"}
    assert kept["tiling"] == tiling
    (figures,) = kept["small"]["measured"]
    assert figures["board"] == "8x4"
    assert abs(figures["bits"] - figures["predicted_bits"]) < 1
    page = (tmp_path / "measured.md").read_text("utf-8")
    assert f"| `{figures['command']}` | {figures['bits']:.2f} |" in page
    assert "of before" in page


def test_a_command_that_fails_leaves_the_record(tmp_path):
    section = type(SECTIONS["small"])("small", ("ohmsum run --bench sim:none --matrix random",))
    record = Record(tmp_path / "measured.json")
    with pytest.raises(RuntimeError, match="ended with status 2"):
        record.measure(section)
    assert record.sections == {}


def test_boards_are_presets_with_lines_changed(tmp_path):
    write_boards(tmp_path)
    boards = {path.stem: load_preset(str(path)) for path in tmp_path.iterdir()}
    assert boards.keys() == BOARDS.keys()
    defects = boards["100x100-defects"].defects
    assert (defects.open, defects.short, defects.stuck_on, defects.stuck_off) == (0.005,) * 4
    assert boards["8x4-slower-10"].settling.dac_seconds == pytest.approx(5e-4)
    assert boards["8x4-slower-1000"].settling.switch_seconds == pytest.approx(2e-2)
