"""An open bench: calibrate, program, multiply, over each wire."""

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from calibration.branches.characterization import BranchStatus
from calibration.errors import MatrixError
from drivers.crossbar_board import CrossbarBoard
from drivers.errors import InstrumentError
from instrument import open_bench
from instrument.errors import UsageError
from simulator.bench import serve_bench
from simulator.preset import load_preset

RNG = np.random.default_rng(3)
WEIGHTS = RNG.uniform(-1, 1, (8, 4))
BATCH = RNG.uniform(-1, 1, (100, 8))


@pytest.fixture(scope="module", params=["socket", "serial"])
def bench(request):
    with open_bench("sim:8x4", seed=4, link=request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def calibration(bench):
    return bench.calibrate()


@pytest.fixture(scope="module")
def program(bench, calibration):
    return bench.program(WEIGHTS, calibration)


def bits(answered, exact):
    return -np.log2(np.linalg.norm(answered - exact) / np.linalg.norm(exact))


def test_calibration_knows_every_branch(bench, calibration):
    branches = calibration.branches
    assert branches.branch_siemens.shape == (8, 8, 10)
    assert (branches.status == BranchStatus.OK).all()
    # 10 % grade resistors, and converters of 0.15 % on both ends.
    nominal = 1 / bench.board.nominal_ohms
    assert (np.abs(branches.branch_siemens / nominal - 1) < 0.12).all()
    assert (branches.uncertainty_siemens < 2**-18 * nominal.sum()).all()
    assert calibration.bytes_moved > 4 * branches.readings
    assert calibration.bench_seconds > 0
    assert calibration.board == bench.identity


def test_products_are_right_to_eleven_bits(program):
    exact = BATCH @ WEIGHTS
    assert bits(program @ BATCH, exact) >= 11
    assert program.residual_rms < 2**-11
    assert np.abs(program.residual_of_largest).max() < 2**-9


def test_a_vector_and_batches(program):
    one = program @ BATCH[0]
    assert one.shape == (4,)
    assert (program @ BATCH[:1]).shape == (1, 4)
    assert (program @ BATCH[:7]).shape == (7, 4)
    assert (program @ np.zeros((0, 8))).shape == (0, 4)
    assert (program @ BATCH[0].tolist()).shape == (4,)
    assert bits(one, BATCH[0] @ WEIGHTS) > 9


def test_products_are_linear(program):
    x, y = BATCH[:2] / 2
    full_scale = np.abs(WEIGHTS).sum(axis=0).max()
    assert np.abs(program @ (x + y) - (program @ x) - (program @ y)).max() < 2**-10 * full_scale
    assert np.abs(program @ -x + (program @ x)).max() < 2**-10 * full_scale
    assert np.abs(program @ np.zeros(8)).max() < 2**-10 * full_scale


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.ones(7), "8 rows"),
        (np.ones((3, 9)), "8 rows"),
        (np.ones((2, 2, 8)), "8 rows"),
        (1.0, "8 rows"),
        ([], "8 rows"),
        ([np.nan] * 8, "NaN"),
        ([0] * 7 + [np.inf], "NaN or inf"),
        ([0] * 7 + [-1.01], "1.01 is beyond the full scale of 1"),
    ],
)
def test_inputs_that_are_no_inputs(program, x, complaint):
    with pytest.raises(ValueError, match=complaint):
        program @ x


def test_full_scale_is_stated_with_the_matrix(bench, calibration):
    program = bench.program(WEIGHTS, calibration, input_full_scale=1000.0)
    assert bits(program @ (1000 * BATCH), 1000 * BATCH @ WEIGHTS) >= 11
    with pytest.raises(ValueError, match="full scale of 1000"):
        program @ np.full(8, 1001.0)


def test_a_smaller_matrix_uses_a_part_of_the_board(bench, calibration):
    program = bench.program(WEIGHTS[:5, :3], calibration)
    assert bits(program @ BATCH[:, :5], BATCH[:, :5] @ WEIGHTS[:5, :3]) >= 11
    pattern = bench.board.pattern()
    assert pattern[:5, :6].any()
    assert not pattern[5:].any()
    assert not pattern[:, 6:].any()


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        (np.ones((8 * 64 + 1, 4)), "does not fit"),
        (np.ones(8), "2 dimensions"),
        (np.zeros((8, 4)), "zero"),
        ([["a"]], "real numbers"),
        ([[1, np.nan]], "row 1, output 2 is nan"),
    ],
)
def test_matrices_that_are_refused(bench, calibration, weights, complaint):
    moved = bench.board.bytes_moved
    with pytest.raises(MatrixError, match=complaint):
        bench.program(weights, calibration)
    assert bench.board.bytes_moved == moved  # refused before the board was touched


def test_a_calibration_of_another_board_is_refused(bench, calibration):
    other = replace(calibration, board=replace(calibration.board, serial="B000099"))
    with pytest.raises(UsageError, match=r"B000099 .* on the bench is .* B000004"):
        bench.program(WEIGHTS, other)


def test_without_a_calibration_one_is_measured(served, tmp_path):
    with open_bench(tmp_path / "bench.toml") as bench:
        program = bench.program(WEIGHTS)
        assert bits(program @ BATCH, BATCH @ WEIGHTS) >= 11


def test_bench_toml_is_obeyed(served, tmp_path):
    path = tmp_path / "bench.toml"
    more = ["row_volts = 0.5", "nplc = 2", "settle_seconds = 0.01", "watchdog_seconds = 7"]
    path.write_text(path.read_text() + "\n".join(more))
    with open_bench(path) as bench:
        assert served.crossbar.aperture_seconds == pytest.approx(2 / 50)
        assert served.crossbar.delay_seconds == pytest.approx(0.01)
        assert served.board.watchdog.seconds == 7
        assert bench.row_volts == 0.5


def test_the_same_seed_is_the_same_board():
    def products(seed):
        with open_bench("sim:8x4", seed=seed) as bench:
            return bench.program(WEIGHTS) @ BATCH

    assert (products(5) == products(5)).all()
    assert (products(5) != products(6)).any()


def test_ten_times_the_nonlinearity_of_the_converters_costs_no_precision(tmp_path):
    """What is corrected is gone: DACs of ±20 steps, which left alone are ten bits, and ADCs of ±30
    ppm do as well as perfect ones.
    """

    def precision(factor):
        path = tmp_path / f"bent{factor}.toml"
        text = (resources.files("simulator") / "presets" / "8x4.toml").read_text("utf-8")
        path.write_text(f"{text}\ndac_inl = {factor}\nadc_inl = {factor}\n")
        with open_bench(f"sim:{path}", seed=4) as bench:
            return bits(bench.program(WEIGHTS) @ BATCH, BATCH @ WEIGHTS)

    perfect, bent = precision(0), precision(10)
    assert perfect > 14
    assert bent > perfect - 0.4


def test_a_board_that_is_gone_is_told_by_its_resource(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text('[board]\nresource = "TCPIP::127.0.0.1::9::SOCKET"\n')
    with pytest.raises(InstrumentError, match=r"TCPIP::127\.0\.0\.1::9::SOCKET"):
        open_bench(path).__enter__()


def test_branches_are_read_over_whole_line_cycles_whatever_products_use(served, tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(path.read_text() + "nplc = 0.6\n")
    seen = []
    with open_bench(path) as bench:
        calibration = bench.calibrate(lambda *_: seen.append(served.crossbar.aperture_seconds))
        assert served.crossbar.aperture_seconds == pytest.approx(0.6 / 50)
    # Converters before, and ranges after, are read as products are.
    assert sorted(set(seen)) == pytest.approx([0.6 / 50, 1 / 50])
    assert calibration.branches.usable.all()


def test_boards_without_serial_numbers_are_known_by_their_branches(bench, calibration):
    of_nobody = replace(calibration, board=replace(calibration.board, serial=""))
    for seed, is_same in ((4, True), (5, False)):
        with serve_bench(load_preset("8x4"), seed, ("socket",)) as simulated:
            simulated.board.serial = ""
            resource = simulated.resources["board"]["socket"]
            board = CrossbarBoard.open(resource)
            with board:
                other = replace(bench, board=board)
                if is_same:
                    other.require(of_nobody)
                else:
                    with pytest.raises(
                        UsageError, match="its branches differ from the measured ones"
                    ):
                        other.require(of_nobody)
