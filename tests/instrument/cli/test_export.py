"""`ohmsum export`: netCDF or CSV, nothing overwritten, one line for what is wrong."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest

from tests.support.development_packages import needed

HEADERS = {
    "row-column-branch.csv": ["row", "column", "branch", "branch_status (1)", "branch_siemens (S)"],
    "vector-output.csv": ["vector", "output", "exact (1)", "answered (1)"],
    "cause.csv": ["cause", "budget_relative_error (1)"],
    "branch.csv": ["branch", "nominal_ohms (ohm)"],
    "run.csv": ["key", "value"],
}


@pytest.fixture
def tables(ohmsum, kept_runs, tmp_path):
    """The tables of a run by their file: lists of rows, the header first."""
    outcome = ohmsum("export", kept_runs / "a", "--to", "tables/", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    files = sorted((tmp_path / "tables").iterdir())
    assert sorted(document["files"]) == [f"tables/{path.name}" for path in files]
    return {path.name: list(csv.reader(path.read_text("utf-8").splitlines())) for path in files}


def test_tables_begin_with_names_and_units(tables):
    for name, header in HEADERS.items():
        assert tables[name][0][: len(header)] == header
    for name, (header, *rows) in tables.items():
        assert {len(row) for row in rows} == {len(header)}
        if name != "run.csv":
            dimensions = name.removesuffix(".csv").split("-")
            assert header[: len(dimensions)] == dimensions
            assert all(column.endswith(")") for column in header[len(dimensions) :])


def test_tables_hold_every_value_exactly(tables, kept_runs):
    with np.load(kept_runs / "a" / "calibration.npz") as calibration:
        siemens = calibration["branches.branch_siemens"]
    header, *rows = tables["row-column-branch.csv"]
    column = header.index("branch_siemens (S)")
    places = np.array([row[:3] for row in rows], dtype=int)
    np.testing.assert_array_equal(places[[0, -1]], [[1, 1, 1], siemens.shape])
    values = [float(row[column]) for row in rows]
    np.testing.assert_array_equal(values, siemens[tuple(places.T - 1)])
    assert {row[header.index("branch_status (1)")] for row in rows} == {"ok"}
    result = json.loads((kept_runs / "a" / "result.json").read_text("utf-8"))
    facts = dict(tables["run.csv"][1:])
    assert facts["id"] == result["run"]["id"]
    assert float(facts["bits"]) == result["validation"]["bits"]


def test_netcdf_by_the_ending_of_the_name(ohmsum, kept_runs, tmp_path):
    needed("xarray")
    outcome = ohmsum("export", kept_runs / "b", "--to", "b.nc")
    assert (outcome.status, outcome.out, outcome.err) == (0, "b.nc\n", "")
    assert (tmp_path / "b.nc").read_bytes()[:4] == b"\x89HDF"


def test_without_the_extra_the_line_names_it(ohmsum, kept_runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)  # as where it is not installed
    refused = ohmsum("export", kept_runs / "a", "--to", "a.nc")
    assert (refused.status, refused.out) == (2, "")
    assert "pip install 'ohmsum[export]'" in refused.err
    assert len(refused.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert ohmsum("export", kept_runs / "a", "--to", "tables").status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a", "--to", "taken.nc"), "taken.nc: is there already"),
        (("a", "--to", "taken/"), "taken: is there already"),
        (("a", "--to", "taken"), "taken: is there already"),
        (("a", "--to", "absent/new"), "absent/new: there is no folder absent"),
        (("a", "--to", ""), "--to: name a file NAME.nc or a new folder"),
        (("a", "--to", "."), ".: name a file NAME.nc or a new folder"),
        (("cut", "--to", "new"), "cut: this run has no result.json"),
        (("nothing", "--to", "new"), "nothing: no such folder, and no run in ohmsum-results"),
        (("taken", "--to", "new"), "taken: no run: there is no run.json in it"),
    ],
)
def test_bad_usage_is_one_line_and_nothing_is_overwritten(
    ohmsum, kept_runs, tmp_path, arguments, says
):
    shutil.copytree(kept_runs, tmp_path / "ohmsum-results")
    (tmp_path / "taken.nc").write_text("kept")
    (tmp_path / "taken").mkdir()
    before = sorted(tmp_path.rglob("*"))
    refused = ohmsum("export", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert says in refused.err
    assert len(refused.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "taken.nc").read_text() == "kept"


def test_a_damaged_file_leaves_no_half_an_export(ohmsum, kept_runs, tmp_path):
    folder = shutil.copytree(kept_runs / "a", tmp_path / "a")
    (folder / "products.npz").write_bytes(b"torn")
    refused = ohmsum("export", "a", "--to", "tables")
    assert refused.status == 2
    assert refused.err.startswith("ohmsum: a/products.npz: not the products of a run")
    assert not (tmp_path / "tables").exists()
