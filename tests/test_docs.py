"""What the pages name is there, and the code in them runs."""

import ast
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), ROOT / "examples" / "README.md", *sorted(DOCS.rglob("*.md"))]
FOLDERS = "benchmarks|calibration|docs|drivers|examples|instrument|kirchhoff|ohmsum|simulator|tests"
NAMED = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]*[\w/]")
LINKED = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
TEST = re.compile(r"(?<![\w/])test_\w+\.py")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```\s*?$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"\s*^```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
CONTENTS = re.compile(r"^```{toctree}\n.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
INDENTED_CODE = re.compile(r"^ {4}(?:from [\w.]+ import |import \w)", re.MULTILINE)
PACKAGES = ("ohmsum", "instrument", "calibration", "kirchhoff", "drivers", "simulator")
INNER = {  # rooms of one package's own, which the API pages leave out
    "instrument.cli",
    "instrument.digits",
    "calibration.selection.nearest",
    "calibration.selection.window",
}


def called(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What `page.md#…` may say: headings as GitHub writes them."""
    headings = HEADING.findall(without_code(page))
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = CONTENTS.sub("", page.read_text("utf-8"))
    # What a link names is beside the page, not below the root.
    named = [ROOT / path for path in NAMED.findall(LINKED.sub("", text))]
    linked = [page.parent / path for path, _ in LINKED.findall(text)]
    # Without a folder a test is still one that is there.
    tests = [path for path in TEST.findall(text) if not any((ROOT / "tests").rglob(path))]
    assert [str(path) for path in named + linked if not path.exists()] + tests == []


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_every_heading_that_a_link_names_exists(page: Path) -> None:
    missing = [
        f"{path}#{anchor}"
        for path, anchor in LINKED.findall(without_code(page))
        if anchor and anchor not in anchors(page.parent / path if path else page)
    ]
    assert missing == []


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# 9. Boards of version 1.0\n## The [noise](noise.md) survey\n```\n# none\n```\n### `a_b`\n"
    )
    assert anchors(page) == {"9-boards-of-version-10", "the-noise-survey", "a_b"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_that_a_docstring_names_exists(package: str) -> None:
    """Beside the module, from the root of its package, or from the root of the checkout."""
    missing = []
    for module in (ROOT / package).rglob("*.py"):
        said = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", said):
            places = module.parent, ROOT / package, ROOT
            if not any((place / name).exists() for place in places):
                missing.append(f"{called(module)}: {name}")
    assert missing == []


def test_decisions_have_a_number_each() -> None:
    numbers = [path.name[:4] for path in (DOCS / "decisions").glob("[0-9]*.md")]
    assert sorted(set(numbers)) == sorted(numbers)


class Block(NamedTuple):
    """A fenced Python block of a page."""

    marks: frozenset[str]
    """Behind the word python: `slow`, `no-run`."""
    code: str
    """With as many empty lines in front as make its line numbers those of the page."""
    shown: str | None
    """What its last line, an expression, is shown as by the text block that follows at once; `…`
    stands for anything.
    """


def python_blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    blocks = []
    for fence in FENCE.finditer(text):
        language, *marks = fence[1].split() or [""]
        if language.startswith("py"):
            above = text.count("\n", 0, fence.start(2))
            shown = SHOWN.match(text, fence.end())
            code = "\n" * above + fence[2]
            blocks.append(Block(frozenset(marks), code, shown[1] if shown else None))
    return blocks


def pages_with(*marks: str) -> list[Path]:
    """Pages that have a block with exactly these marks."""
    return [page for page in PAGES if any(it.marks == set(marks) for it in python_blocks(page))]


def run_page(page: Path, *, slow: bool) -> None:
    """Run a page's blocks in order, in one namespace, in the working folder."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in python_blocks(page):
        if "no-run" not in block.marks and (slow or "slow" not in block.marks):
            run_block(block, page, namespace)


def run_block(block: Block, page: Path, namespace: dict[str, object]) -> None:
    if block.shown is None:
        exec(compile(block.code, str(page), "exec"), namespace)
        return
    tree = ast.parse(block.code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, str(page), "exec"), namespace)
    value = eval(compile(ast.Expression(last.value), str(page), "eval"), namespace)
    expected = ".*".join(map(re.escape, block.shown.split("…")))
    assert re.fullmatch(expected, repr(value)), f"{page}: {value!r} is shown as {block.shown}"


@pytest.mark.parametrize("page", pages_with(), ids=called)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("slow"), ids=called)
def test_the_slow_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, slow=True)


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_code_that_does_not_run_is_python_all_the_same(page: Path) -> None:
    blocks = python_blocks(page)
    assert {mark for block in blocks for mark in block.marks} <= {"slow", "no-run"}
    for block in blocks:
        compile(block.code, str(page), "exec")
    # Indented, it would be checked by nobody.
    assert not INDENTED_CODE.findall(without_code(page))


def load_drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drawing", DOCS / "architecture_picture.py")
    assert spec is not None
    assert spec.loader is not None
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    return drawing


def test_the_picture_is_that_of_the_import_contracts() -> None:
    drawing = load_drawing()
    assert drawing.PICTURE.read_text("utf-8") == drawing.picture(drawing.floors())


def test_every_room_of_a_floor_has_its_place_in_the_architecture() -> None:
    page = (DOCS / "architecture.md").read_text("utf-8")
    rooms = {room for house in load_drawing().floors() for floor in house for room in floor}
    names = {room.rpartition(".")[2] for room in rooms}
    assert sorted(name for name in names if not re.search(rf"`{name}/?`", page)) == []


def test_every_door_has_its_place_in_the_api_pages() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", pages, re.MULTILINE))
    doors = {
        name
        for package in PACKAGES
        for _, name, is_package in pkgutil.walk_packages([ROOT / package], f"{package}.")
        if is_package and getattr(importlib.import_module(name), "__all__", [])
    }
    assert sorted(doors - INNER - documented) == []
    # The door for people exports late: Sphinx is given every name.
    exported = importlib.import_module("ohmsum").__all__
    assert sorted(name for name in exported if f"ohmsum.{name}" not in documented) == []


def test_every_page_is_in_the_site() -> None:
    listed = set()
    for page in DOCS.rglob("*.md"):
        for kind, body in FENCE.findall(page.read_text("utf-8")):
            if kind == "{toctree}":
                entries = (line for line in body.splitlines() if line and line[0] != ":")
                listed |= {found for it in entries for found in page.parent.glob(f"{it}.md")}
    assert sorted(called(it) for it in set(DOCS.rglob("*.md")) - listed) == ["docs/index.md"]
