"""A calibration that is cut short leaves what it has measured."""

import json
import signal

import numpy as np
import pytest

from calibration.branches.rows_read import RowsRead
from drivers.crossbar_board import CrossbarBoard
from instrument import open_bench
from instrument.calibration_so_far import SO_FAR_FILE, keeping_so_far
from instrument.runs import claim_folder


class CutShort(BaseException):
    """What ends a calibration."""


def test_the_rows_that_were_read_are_there(tmp_path):
    told = []

    def measure(folder):
        with keeping_so_far(folder) as parts, open_bench("sim:8x4") as bench:

            def tell(part):
                parts.tell(part)
                told.append(part)
                if sum(len(read.rows) for read in told if isinstance(read, RowsRead)) >= 5:
                    raise CutShort

            parts.of(bench.identity)
            bench.calibrate(tell=tell)

    with pytest.raises(CutShort) as cut, claim_folder(tmp_path / "kept", "x") as folder:
        measure(folder)
    said = f"what was measured so far is in {folder.path} ({SO_FAR_FILE})"
    assert said in cut.value.__notes__

    with np.load(folder.path / SO_FAR_FILE) as kept:
        assert str(kept["run"]) == folder.id
        about = json.loads(str(kept["about"]))
        assert about["board"]["rows"] == 8
        np.testing.assert_array_equal(
            kept["converters.rows.coefficients"], told[0].rows.coefficients
        )
        rows, amperes = kept["rows.index"], kept["rows.amperes"]
        groups, volts = kept["rows.groups"], kept["rows.row_volts"]
        seconds, kelvin = kept["rows.seconds"], kept["rows.kelvin"]
    assert set(range(5)) <= set(rows.tolist())
    assert (np.diff(seconds) > 0).all()
    assert (np.abs(kelvin - 296) < 10).all()
    # As docs/files.md says: what closing each branch adds.
    siemens = (amperes[:, :, 0] - amperes[:, :, 1]).mean(axis=2) / (2 * volts)
    design = np.column_stack([np.ones(len(groups)), groups])
    branches = np.linalg.lstsq(design, np.moveaxis(siemens, 1, 0).reshape(len(groups), -1))[0][1:]
    nominal = 1e-5 / 10 ** (np.arange(10) / 10)
    assert (np.abs(branches / nominal[:, None] - 1) < 0.15).all()


def test_a_whole_calibration_leaves_nothing_of_its_parts(ohmsum, tmp_path):
    assert ohmsum("run", "--bench", "sim:8x4", "--matrix", "random", "--out", "kept").status == 0
    assert (tmp_path / "kept" / "calibration.npz").exists()
    assert not (tmp_path / "kept" / SO_FAR_FILE).exists()


@pytest.fixture(scope="module")
def scans_of_a_calibration():
    """How many scans a calibration takes: the last reads the reference after all rows."""
    with open_bench("sim:8x4") as bench, pytest.MonkeyPatch.context() as patched:
        scan, scans = CrossbarBoard.scan, []
        patched.setattr(CrossbarBoard, "scan", lambda *how: (scans.append(1), scan(*how))[1])
        bench.calibrate()
    return len(scans)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ended(
    number, start, ended, served, at_message, until, is_safe, scans_of_a_calibration, tmp_path
):
    runs = []

    def end():
        until((tmp_path / "kept" / SO_FAR_FILE).exists)
        runs[0].send_signal(number)

    scans = at_message(served, b":MEAS:SCAN?", scans_of_a_calibration, end)
    runs.append(start("run", "--bench", "bench.toml", "--matrix", "random", "--out", "kept"))
    outcome = ended(runs[0])
    assert len(scans) >= scans_of_a_calibration
    with np.load(tmp_path / "kept" / SO_FAR_FILE) as kept:
        assert np.isfinite(kept["converters.rows.coefficients"]).all()
        if number == signal.SIGTERM:
            assert set(kept["rows.index"].tolist()) == set(range(8))
    if number == signal.SIGTERM:
        assert outcome.err.splitlines()[-1].endswith(f"is in kept ({SO_FAR_FILE})")
        assert is_safe(served)
