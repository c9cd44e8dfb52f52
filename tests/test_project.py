"""What is installed, which rooms have doors, which linters a commit runs."""

import re
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.development_packages import needed

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
NO_CODE = {
    "instrument/digits/digits.npz",
    "instrument/report/template.html",
    "simulator/presets/8x4.toml",
    "simulator/presets/64x16.toml",
    "simulator/presets/100x100.toml",
}
"""Files that the packages read when they run."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in the wheel that is built of this tree."""
    build = needed("hatchling.builders.wheel")
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = build.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_every_package_says_that_it_is_typed():
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []


def test_the_wheel_holds_every_file_of_every_package(wheel):
    of_packages = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert of_packages - wheel == set()
    assert of_packages >= NO_CODE | {f"{name}/py.typed" for name in PACKAGES}


def test_the_wheel_holds_nothing_else(wheel):
    folders = {name.split("/")[0] for name in wheel}
    assert {name for name in folders if not name.endswith(".dist-info")} == set(PACKAGES)


def test_the_same_packages_are_installed_typed_and_guarded():
    tool = PROJECT["tool"]
    assert set(tool["mypy"]["packages"]) == set(PACKAGES)
    assert set(tool["importlinter"]["root_packages"]) == set(PACKAGES)
    assert {path.parent.name for path in ROOT.glob("*/py.typed")} == set(PACKAGES)


def test_every_room_has_a_door():
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    guarded = {
        name.removesuffix(".*")
        for contract in contracts
        if contract["type"] == "protected"
        for name in contract["protected_modules"]
    }
    rooms = {
        path.parent.relative_to(ROOT)
        for name in PACKAGES
        for path in (ROOT / name).rglob("*/__init__.py")
    }
    # A room within another is behind its door.
    unguarded = [
        room.as_posix()
        for room in rooms
        if not any(".".join(part.parts) in guarded for part in (room, *room.parents))
    ]
    assert unguarded == []


def test_every_module_of_kirchhoff_is_a_door_or_behind_one():
    (contract,) = (
        contract
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("the doors of kirchhoff")
    )
    modules = {f"kirchhoff.{path.stem}" for path in (ROOT / "kirchhoff").glob("*.py")}
    doors = {"kirchhoff.__init__", "kirchhoff.compiled"}
    assert set(contract["protected_modules"]) == modules - doors


def test_the_tests_that_run_on_other_versions_are_there():
    script = (ROOT / ".ci" / "versions").read_text("utf-8")
    command = script.split("-m pytest", 1)[1].split("}\n", 1)[0]
    named = re.findall(r"tests/[\w/{,}.]+", command)
    paths = [
        head + name + tail
        for head, names, tail in (
            re.match(r"([^{]*){?([^}]*)}?(.*)", path).groups() for path in named
        )
        for name in names.split(",")
    ]
    assert len(paths) > len(named) > 0
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_a_commit_runs_the_linters_of_make_lint():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    linters = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"^ +entry: (.*)$", hooks, re.M) == linters
    assert set(re.findall(r"^ *- repo: (.*)$", hooks, re.M)) == {"local"}
