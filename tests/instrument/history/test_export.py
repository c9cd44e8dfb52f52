"""What a run has measured as netCDF: it comes back equal, with dimensions, units and provenance."""

import json
import shutil

import numpy as np
import pytest

from calibration.branches.characterization import BranchStatus
from instrument.board_calibration.file import load_calibration
from instrument.errors import UsageError
from instrument.history import dataset_of, export_run, read_run
from tests.support.development_packages import needed

xarray = needed("xarray")
needed("h5netcdf")

DIMENSIONS = {
    "branch_siemens": ("row", "column", "branch"),
    "branch_uncertainty_siemens": ("row", "column", "branch"),
    "branch_status": ("row", "column", "branch"),
    "branch_per_kelvin": ("row", "column", "branch"),
    "open_siemens": ("row", "column"),
    "nominal_ohms": ("branch",),
    "row_offset_volts": ("row",),
    "zero_amperes": ("column",),
    "range_factor": ("range", "column"),
    "weights": ("matrix_row", "output"),
    "pattern": ("tile", "row", "column", "branch"),
    "transfer_siemens": ("tile", "row", "column"),
    "inputs": ("vector", "matrix_row"),
    "exact": ("vector", "output"),
    "answered": ("vector", "output"),
    "output_bits": ("output",),
    "budget_relative_error": ("cause",),
}
UNITS = (
    ("_siemens", "S"),
    ("_volts", "V"),
    ("volts_per_unit", "V"),
    ("_amperes", "A"),
    ("_ohms", "ohm"),
    ("_bits", "bit"),
    ("_per_kelvin", "1/K"),
)
"""Endings of names, and the units that they stand for; other arrays have none."""


@pytest.fixture
def run(kept_runs):
    return read_run(kept_runs / "a")


@pytest.fixture
def read_back(run, tmp_path):
    """The dataset of the file that a run was exported to."""
    (path,) = export_run(run, str(tmp_path / "run.nc"))
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        return dataset.load()


def test_the_file_is_what_was_exported(run, read_back):
    xarray.testing.assert_identical(read_back, dataset_of(run))


def test_every_array_has_named_dimensions_a_unit_and_a_meaning(read_back):
    for name, dimensions in DIMENSIONS.items():
        assert read_back[name].dims == dimensions
    for name, array in read_back.data_vars.items():
        assert array.attrs["long_name"]
        assert array.attrs["units"] == next(
            (u for ending, u in UNITS if name.endswith(ending)), "1"
        )
    assert all(label.attrs["long_name"] for label in read_back.coords.values())


def test_the_arrays_are_those_of_the_runs_files(read_back, kept_runs):
    folder = kept_runs / "a"
    calibration = load_calibration(folder / "calibration.npz")
    with np.load(folder / "products.npz") as products, np.load(folder / "program.npz") as program:
        for name, array in (
            ("branch_siemens", calibration.branches.branch_siemens),
            ("branch_uncertainty_siemens", calibration.branches.uncertainty_siemens),
            ("branch_status", calibration.branches.status),
            ("row_offset_volts", calibration.converters.offsets.row_volts),
            ("column_curve", calibration.converters.columns.coefficients),
            ("range_factor", calibration.ranges.factors),
            ("inputs", products["inputs"]),
            ("answered", products["answered"]),
            ("weights", program["weights"]),
            ("pattern", program["pattern"][None]),
            ("transfer_siemens", program["transfer_siemens"][None]),
            ("scale_siemens", program["scale_siemens"][None]),
        ):
            np.testing.assert_array_equal(read_back[name].values, array)


def test_labels_count_as_on_the_board(read_back, kept_runs):
    for name in ("row", "column", "branch", "output", "vector", "matrix_row", "tile"):
        labels = read_back[name].values
        np.testing.assert_array_equal(labels, np.arange(1, len(labels) + 1))
    result = json.loads((kept_runs / "a" / "result.json").read_text("utf-8"))
    for row in result["budget"]["rows"]:
        error = read_back["budget_relative_error"].sel(cause=row["cause"])
        assert float(error) == row["relative_error"]
    status = read_back["branch_status"].attrs
    assert status["flag_meanings"].split() == [one.name.lower() for one in BranchStatus]
    assert status["flag_values"].tolist() == list(BranchStatus)


def test_the_file_says_where_it_comes_from(read_back, kept_runs):
    result = json.loads((kept_runs / "a" / "result.json").read_text("utf-8"))
    about, attributes = result["run"], read_back.attrs
    for key in ("id", "command", "host", "started", "finished", "title", "bench"):
        assert attributes[key] == about[key]
    assert attributes["ohmsum_version"] == about["versions"]["ohmsum"]
    assert attributes["firmware"] == "1.0"
    assert attributes["board_serial"] == "B000001"
    assert attributes["matrix_sha256"] == about["matrix"]["sha256"]
    assert attributes["specification_met"] == "true"
    assert attributes["bits"] == result["validation"]["bits"]
    assert "note" not in attributes  # none was given


def test_tiles_are_put_together(ohmsum, tmp_path):
    """12 × 6 weights on a board of 8 × 4 pairs."""
    run = ("run", "--bench", "sim:8x4", "--matrix", "random:12x6", "--out", "tiled")
    assert ohmsum(*run).status == 0
    dataset = dataset_of(read_run(tmp_path / "tiled"))
    files = sorted((tmp_path / "tiled").glob("program-*.npz"))
    assert dataset.sizes["tile"] == len(files) > 1
    assert (dataset.sizes["row"], dataset.sizes["matrix_row"]) == (8, 12)
    exact = dataset["inputs"].values @ dataset["weights"].values
    np.testing.assert_allclose(dataset["exact"].values, exact, rtol=1e-12, atol=1e-12)
    for index, tile in enumerate(files):
        with np.load(tile) as program:
            here = dataset.isel(tile=index)
            np.testing.assert_array_equal(here["pattern"].values, program["pattern"])
            rows = len(program["transfer_siemens"])
            transfer = here["transfer_siemens"].values
            np.testing.assert_array_equal(transfer[:rows], program["transfer_siemens"])
            assert np.isnan(transfer[rows:]).all()
            first, outputs = int(program["first_output"]), int(program["tile.outputs"])
            scale = here["scale_siemens"].values
            of_tile = np.isin(np.arange(6), first + np.arange(outputs))
            np.testing.assert_array_equal(scale[of_tile], program["scale_siemens"])
            assert np.isnan(scale[~of_tile]).all()


def test_a_given_calibration_is_exported_as_well(kept_runs, tmp_path):
    folder = shutil.copytree(kept_runs / "a", tmp_path / "a")
    own = dataset_of(read_run(folder))
    (folder / "calibration.npz").rename(folder / "given-calibration.npz")
    xarray.testing.assert_identical(dataset_of(read_run(folder)), own)
    (folder / "given-calibration.npz").unlink()
    assert "branch_siemens" not in dataset_of(read_run(folder))


DAMAGED = {
    "calibration.npz": {"sha256": np.asarray("0" * 64)},
    "products.npz": {"exact": np.zeros((3, 3))},
    "program.npz": {"pattern": np.zeros((8, 8, 10))},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_files_that_do_not_fit_are_refused_by_name(kept_runs, tmp_path, name):
    folder = shutil.copytree(kept_runs / "a", tmp_path / "a")
    with np.load(folder / name) as arrays:
        changed = {**arrays, **DAMAGED[name]}
    np.savez(folder / name, **changed)
    with pytest.raises(UsageError, match=r"a/\w+\.npz: |a: exact has 3 of "):
        export_run(read_run(folder), str(tmp_path / "run.nc"))
    (folder / name).write_bytes(b"torn")
    with pytest.raises(UsageError, match=f"a/{name}: "):
        export_run(read_run(folder), str(tmp_path / "run.nc"))
    assert not (tmp_path / "run.nc").exists()


@pytest.mark.parametrize("place", [(-1, 0), (5, 0), (0, 3)])
def test_a_tile_beyond_its_matrix_is_refused(kept_runs, tmp_path, place):
    folder = shutil.copytree(kept_runs / "a", tmp_path / "a")
    with np.load(folder / "program.npz") as arrays:
        changed = {**arrays}
    changed["first_row"], changed["first_output"] = map(np.asarray, place)
    np.savez(folder / "program.npz", **changed)
    with pytest.raises(UsageError, match=r"a/program\.npz: "):
        dataset_of(read_run(folder))


def test_texts_that_a_file_cannot_hold_are_written_as_python_escapes_them(kept_runs, tmp_path):
    folder = shutil.copytree(kept_runs / "a", tmp_path / "a")
    document = json.loads((folder / "result.json").read_text("utf-8"))
    document["run"]["title"] = "a\0b\ud800"
    document["budget"]["rows"][0]["cause"] = "\ud800"
    (folder / "result.json").write_text(json.dumps(document))
    (path,) = export_run(read_run(folder), str(tmp_path / "run.nc"))
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset.attrs["title"] == "a\\x00b\\ud800"
        assert dataset["cause"].values[0] == "\\ud800"
