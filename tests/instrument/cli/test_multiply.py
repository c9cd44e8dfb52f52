"""Products of a matrix that an earlier run has programmed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.instrument.conftest import run_in

BENCH = "--bench", "sim:8x4"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 12 × 3 weights, in two tiles, of a simulated board."""
    folder = tmp_path_factory.mktemp("measured")
    assert run_in(folder, "run", *BENCH, "--matrix", "random:12x3", "--out", "kept") == 0
    return folder / "kept"


@pytest.fixture
def kept(measured: Path, tmp_path: Path) -> dict[str, np.ndarray]:
    """Arrays of the run's products; its folder and its inputs are in tmp_path."""
    shutil.copytree(measured, tmp_path / "kept")
    with np.load(measured / "products.npz") as data:
        products = {name: data[name] for name in data}
    np.save(tmp_path / "X.npy", products["inputs"])
    return products


def multiply(*more: object) -> tuple[object, ...]:
    return "multiply", *BENCH, "--program", "kept", *more


def test_products_are_those_of_the_run_within_its_statement(ohmsum, tmp_path, kept):
    ended = ohmsum(*multiply("--inputs", "X.npy", "--output", "Y.npy", "--json"))
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    vectors, outputs = kept["exact"].shape
    assert (document["vectors"], document["outputs"]) == (vectors, outputs)
    assert len(document["gains"]) == 2
    products = np.load(tmp_path / "Y.npy")
    result = json.loads((tmp_path / "kept" / "result.json").read_text())
    low = result["validation"]["bits_interval"][0]
    error = np.linalg.norm(products - kept["exact"]) / np.linalg.norm(kept["exact"])
    assert -np.log2(error) > low
    # It has measured: these are no copies of the kept products.
    assert not np.array_equal(products, kept["answered"])
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "X.npy", "Y.npy"}


def test_a_text_holds_the_same_products_and_a_vector_gives_a_line(ohmsum, tmp_path, kept):
    np.save(tmp_path / "x.npy", kept["inputs"][0])
    for name in ("y.npy", "y.csv"):
        ended = ohmsum(*multiply("--inputs", "x.npy", "--output", name))
        assert ended.status == 0, ended.err
        assert ended.out == f"{name}: 1 vectors × 3 outputs\n"
    array = np.load(tmp_path / "y.npy")
    assert array.shape == (3,)
    # The same simulated board, asked the same: every digit is there.
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "y.csv", delimiter=","), array)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--inputs", "X.npy", "--output", "X.npy"), "X.npy: is there already"),
        (("--inputs", "X.npy", "--output", "Y.txt"), "Y.txt: products are written as .npy or .csv"),
        (
            ("--inputs", "narrow.npy", "--output", "Y.npy"),
            "narrow.npy: inputs are one vector (12,)",
        ),
        (("--inputs", "large.npy", "--output", "Y.npy"), "large.npy: an input of 50 is beyond"),
        (("--inputs", "none.npy", "--output", "Y.npy"), "none.npy: holds no vectors"),
        (("--inputs", "X.npy", "--output", "Y.npy", "--seed", "2"), "but on the bench is"),
        (("--inputs", "absent.npy", "--output", "Y.npy"), "absent.npy"),
    ],
)
def test_what_cannot_be_multiplied_is_refused_in_one_line(ohmsum, tmp_path, kept, more, complaint):
    inputs = kept["inputs"]
    np.save(tmp_path / "narrow.npy", inputs[:, :-1])
    np.save(tmp_path / "large.npy", np.full(12, 50.0))
    np.save(tmp_path / "none.npy", inputs[:0])
    ended = ohmsum(*multiply(*more))
    assert (ended.status, ended.out) == (2, "")
    assert complaint in ended.err
    assert ended.err.count("ohmsum: ") == 1
    assert not (tmp_path / "Y.npy").exists()
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), inputs)
