"""A matrix in tiles answers as one board that is large enough would."""

import json
import threading
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.crossbar import Moment
from calibration.programming.board_model import first_estimate
from calibration.programming.pairs import board_pattern
from calibration.programming.programmed import Programmed
from calibration.programming.targets import Targets
from calibration.programming.tiles import Tile, cut
from calibration.transfer.measure import TransferMeasurement
from calibration.transfer.product_ranges import range_of_use
from calibration.transfer.wires import WireEstimate
from drivers.patterns import pattern_crc
from instrument import open_bench
from instrument.bench_file import bench_toml
from instrument.budget import budgets_of
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.matrix.tiled import BATCH_VECTORS, ProgrammedTile, TiledMatrix
from instrument.results.budget import load_budget
from instrument.validation import compare
from instrument.validation.hysteresis import leave_and_return
from instrument.validation.products import validate
from kirchhoff import Wire
from simulator.bench import serve_bench
from simulator.preset import load_preset
from tests.support.branch_calibrations import calibration_of

BRANCH_SIEMENS = 2.0 ** np.arange(5)
RANGES_AMPERES = 1.0, 2.0
SENTINELS = 8
"""Readings at the beginning of a tile's turn."""
AGREES = 1.4
"""Factor between what is predicted and what is measured."""


class IdealBoard:
    """A board of whole numbers: branches of 1, 2, 4, 8, 16 S, no wires, converters without end."""

    def __init__(self, rows, outputs):
        self.rows, self.columns = rows, 2 * outputs
        self.shape = rows, 2 * outputs, len(BRANCH_SIEMENS)
        self.pattern = np.zeros(self.shape, dtype=bool)
        self.range_amperes = 0.0
        self.row_volts_limit = 1.0
        self.applied = 0
        self.driven = 0
        self.lock, self.held_crc = threading.RLock(), None

    def apply(self, pattern):
        self.pattern = pattern
        self.held_crc = pattern_crc(pattern)
        self.applied += 1

    def configure(self, *, range_amperes):
        self.range_amperes = range_amperes

    def moment(self):
        return 0.0, 300.0

    def column_currents(self, row_volts):
        self.driven += len(row_volts)
        return row_volts @ (self.pattern @ BRANCH_SIEMENS)

    def program(self, weights, scale_siemens, range_amperes):
        """Return whole numbers (rows, outputs) programmed without error at a scale."""
        wanted = weights * scale_siemens
        sides = np.array([np.maximum(wanted, 0), np.maximum(-wanted, 0)]).astype(int)
        closed = (np.moveaxis(sides, 0, -1)[..., None] >> np.arange(len(BRANCH_SIEMENS)) & 1) > 0
        pattern = board_pattern(closed, weights.shape, self.shape)
        self.apply(pattern)
        branches = calibration_of(np.broadcast_to(BRANCH_SIEMENS, self.shape))
        programmed = Programmed(
            pattern=pattern,
            targets=Targets(wanted, np.full(weights.shape[1], scale_siemens), 1.0),
            transfer=TransferMeasurement(
                (pattern @ BRANCH_SIEMENS)[: len(weights)],
                np.zeros(self.columns),
                np.full(self.columns, 1e-9),
                volts=1.0,
            ),
            ranges=(range_of_use(range_amperes, self.columns),),
            round_residuals=(0.0,),
            wire=WireEstimate(Wire(0, 0, 0, 0), Wire(0, 0, 0, 0)),
            estimate=first_estimate(branches, Wire(0, 0, 0, 0)),
            unreachable=np.zeros(weights.shape, dtype=bool),
            coarse=np.zeros(weights.shape, dtype=bool),
            lost=np.zeros(weights.shape[1], dtype=bool),
        )
        return ProgrammedMatrix(self, self, weights, programmed, 1.0, 9.0)


def tiled(board, weights, tiles, random):
    """Return weights programmed in tiles, each at a scale and in a range of its own."""
    return TiledMatrix(
        weights,
        tuple(
            ProgrammedTile(
                tile,
                board.program(
                    weights[tile.block], float(random.choice([1, 2])), random.choice(RANGES_AMPERES)
                ),
            )
            for tile in tiles
        ),
    )


whole_numbers = st.integers(0, 2**32).map(np.random.default_rng)


@settings(deadline=None)
@given(whole_numbers, *[st.integers(1, 12)] * 2, *[st.integers(3, 9)] * 2)
def test_tiled_equals_untiled_on_an_ideal_board(random, rows, outputs, most_rows, most_outputs):
    weights = random.integers(-15, 16, (rows, outputs)).astype(float)
    x = random.integers(-9, 10, (5, rows)).astype(float)
    large = IdealBoard(rows, outputs)
    untiled = tiled(large, weights, [Tile(0, rows, 0, outputs)], random)
    small = IdealBoard(most_rows, most_outputs)
    in_tiles = tiled(small, weights, cut(rows, outputs, most_rows, most_outputs), random)
    np.testing.assert_array_equal(untiled @ x, x @ weights)
    np.testing.assert_array_equal(in_tiles @ x, x @ weights)
    np.testing.assert_array_equal(in_tiles @ x[0], x[0] @ weights)
    assert not in_tiles.residual_weights.any()
    assert not in_tiles.residual_of_largest.any()


@pytest.fixture
def four():
    board, random = IdealBoard(8, 4), np.random.default_rng(1)
    weights = random.integers(-15, 16, (16, 8)).astype(float)
    program = tiled(board, weights, cut(16, 8, 8, 4), random)
    board.applied = board.driven = 0
    return board, program


def test_each_tile_is_set_once_for_all_vectors_and_in_its_range(four):
    board, program = four
    vectors, seen = 2 * BATCH_VECTORS + 1, []
    program.partial_products(np.ones((vectors, 16)), lambda done, total: seen.append((done, total)))
    assert board.applied == 4
    assert board.driven == 4 * (vectors + SENTINELS)
    assert board.range_amperes == program.tiles[-1].matrix.programmed.range_amperes
    assert [done for done, _ in seen] == [
        tile * vectors + end for tile in range(4) for end in (64, 128, 129)
    ]
    assert {total for _, total in seen} == {4 * vectors}


def test_a_matrix_that_stands_is_not_set_again():
    board, random = IdealBoard(8, 4), np.random.default_rng(1)
    program = tiled(board, np.ones((8, 4)), [Tile(0, 8, 0, 4)], random)
    board.applied = 0
    validate(program, np.ones((100, 8)))
    assert board.applied == 0


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.ones(8), "16 rows"),
        ([0] * 15 + [np.nan], "NaN"),
        ([0] * 15 + [9.1], "9.1 is beyond the full scale of 9"),
    ],
)
def test_inputs_that_are_none_are_refused_before_the_first_tile(four, x, complaint):
    board, program = four
    with pytest.raises(ValueError, match=complaint):
        program @ x
    assert not board.applied
    assert not board.driven


def test_hysteresis_is_looked_for_on_every_tile(four):
    board, program = four
    found = leave_and_return(program, np.ones((3, 16)))
    assert found.from_open.shape == found.from_closed.shape == (8, 3, 8)
    np.testing.assert_array_equal(found.from_closed[5], np.ones((3, 16)) @ program.weights)
    assert board.applied == 4 * (1 + 2 * 16)


# whole runs over real sockets


@pytest.mark.parametrize("seed", [1, 2])
def test_a_matrix_larger_than_the_board(ohmsum, tmp_path, seed):
    outcome = ohmsum(
        *("run", "--bench", "sim:8x4", "--matrix", "random:20x6", "--seed", seed),
        *("--json", "--out", "kept"),
    )
    document = json.loads(outcome.out)
    assert outcome.status == 0
    program, validation = document["program"], document["validation"]
    assert (program["rows"], program["outputs"], program["cells"]) == (20, 6, 120)
    assert validation["bits"] > 14
    assert validation["vectors"] == 256
    assert validation["cost_of_a_product"]["multiply_adds"] == 120
    seconds = validation["cost_of_a_product"]["bench_seconds"]["integrating"]
    assert seconds == pytest.approx(6 * 20e-3 * (256 + SENTINELS) / 256)

    tiles = program["tiles"]
    sides = [(t["first_row"], t["rows"], t["first_output"], t["outputs"]) for t in tiles]
    assert sides == [(r, n, p, 3) for r, n in ((0, 7), (7, 7), (14, 6)) for p in (0, 3)]
    assert program["rounds"] == sum(tile["rounds"] for tile in tiles)
    assert program["scale_siemens"] == tiles[0]["scale_siemens"]
    for row, output in ((tile["first_row"], tile["first_output"]) for tile in tiles):
        with np.load(tmp_path / "kept" / f"program-{row}-{output}.npz") as kept:
            assert kept["pattern"].any()
            assert (kept["first_row"], kept["first_output"]) == (row, output)
    assert "rows 15 to 20, outputs 4 to 6" in (tmp_path / "kept" / "report.html").read_text()

    budget = load_budget(tmp_path / "kept")
    measured, predicted = budget["measured_relative_error"], budget["predicted_relative_error"]
    assert measured == validation["relative_error"]
    assert 1 / AGREES < measured / predicted < AGREES
    for part in (tile["partial_products"] for tile in tiles):
        assert 1 / AGREES < part["relative_error"] / part["predicted_relative_error"] < AGREES


def test_a_thorough_run_of_several_tiles(ohmsum, calibration_file):
    outcome = ohmsum(
        *("run", "--bench", "sim:8x4", "--matrix", "random:9x4", "--json"),
        *("--calibration", calibration_file, "--thorough", "--hours", "0.1"),
    )
    validation = json.loads(outcome.out)["validation"]
    scatter = validation["repeatability"]["relative_scatter"]["1"]
    assert validation["linearity"]["rows_apart"]["relative_nonlinearity"] < 4 * scatter
    assert validation["hysteresis"]["relative_difference"] < 2 * scatter
    assert len(validation["intermediate_precision"]) == 5


def test_tiles_without_weights_take_no_time(ohmsum, calibration_file, tmp_path):
    weights = np.zeros((16, 8))
    weights[:8, 4:] = np.random.default_rng(1).uniform(-1, 1, (8, 4))
    np.save(tmp_path / "W.npy", weights)
    command = "run", "--bench", "sim:8x4", "--calibration", calibration_file
    document = json.loads(ohmsum(*command, "--matrix", "W.npy", "--json").out)
    (tile,) = document["program"]["tiles"]
    assert (tile["first_row"], tile["first_output"]) == (0, 4)
    assert document["validation"]["bits"] > 14


def test_a_random_matrix_of_a_size_is_named_so(ohmsum):
    for size in ("8", "8x", "0x4", "8x4x2", "-1x4", "10000x4"):
        outcome = ohmsum("run", "--bench", "sim:8x4", "--matrix", f"random:{size}")
        assert outcome.status == 2
        assert f"random:{size}: a random matrix is asked for as random:ROWSxOUTPUTS" in outcome.err


def test_outputs_that_only_one_tile_of_several_feeds():
    with open_bench("sim:8x4") as bench:
        weights = np.zeros((12, 5))
        weights[:6, :3], weights[6:, 3:] = 1.0, -0.5
        program = bench.program(weights)
        x = np.random.default_rng(1).uniform(-1, 1, (20, 12))
        assert len(program.tiles) == 2
        assert np.abs(program @ x - x @ weights).max() < 2.0**-11 * 6


def test_products_on_boards_whose_temperature_moves_ten_times_as_much(tmp_path):
    """Over boards, because a single one's few columns and branches, and its day's temperature, are
    what they are (five scatter from 0.68 to 0.89, sixteen are at 0.80); with inputs and weights of
    one sign, so that whatever tiles have in common adds up.
    """
    restless = load_preset("8x4").with_effects(ambient=10.0)
    measured, predicted = [], []
    for seed in range(1, 17):
        random = np.random.default_rng(seed)
        weights, inputs = random.uniform(0.2, 1, (32, 4)), random.uniform(0.2, 1, (128, 32))
        with ExitStack() as stack:
            simulated = stack.enter_context(serve_bench(restless, seed, ("socket",)))
            (tmp_path / "bench.toml").write_text(bench_toml(simulated.resources["board"]["socket"]))
            bench = stack.enter_context(open_bench(tmp_path / "bench.toml"))
            calibration = bench.calibrate()
            program = bench.program(weights, calibration, allow_expired=True)
            moments = [Moment(*bench.board.moment())]

            def note(_done, _total, bench=bench, moments=moments):
                moments.append(Moment(*bench.board.moment()))

            partial = program.partial_products(inputs, note)
            budget = budgets_of(program, calibration, inputs, moments).whole
        error = compare(program, inputs, program.sum_of(partial)).relative_error
        measured.append(error**2)
        predicted.append(budget.relative_error**2)
    assert 1 / AGREES < np.sqrt(np.mean(measured) / np.mean(predicted)) < AGREES
