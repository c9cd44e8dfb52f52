"""What the pages name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FOLDERS = "benchmarks|calibration|docs|drivers|examples|instrument|kirchhoff|ohmsum|simulator|tests"
NAMED = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]*[\w/]")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
TEST = re.compile(r"(?<![\w/])test_\w+\.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text("utf-8")
    # What a link names is beside the page, not below the root.
    named = [ROOT / path for path in NAMED.findall(LINKED.sub("", text))]
    linked = [page.parent / path for path in LINKED.findall(text)]
    # Without a folder a test is still one that is there.
    tests = [path for path in TEST.findall(text) if not any((ROOT / "tests").rglob(path))]
    assert [str(path) for path in named + linked if not path.exists()] + tests == []


def test_decisions_have_a_number_each():
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")]
    assert sorted(set(numbers)) == sorted(numbers)
