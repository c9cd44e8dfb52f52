"""Faults of branches: where they strike, what they make of a branch, and when."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.clock import Clock
from simulator.electronics import SimulatedCrossbar
from simulator.faults.board import DRIFT_STEP_SECONDS, BoardFaults
from simulator.faults.plan import PlanError
from simulator.parts.resistors import draw_branches
from tests.support.fault_plans import plan_of
from tests.support.simulated_boards import NO_NOISE, changed, small

PRESET = changed(small(NO_NOISE), shape={"rows": 4, "columns": 6, "branches": 3})
SHAPE = 4, 6, 3
SEED = 5
APERTURE_SECONDS = 0.02


def board_with(*faults, preset=PRESET, seed=1):
    board = SimulatedCrossbar(preset, SEED, Clock(), plan_of(*faults, seed=seed))
    board.switch_outputs(True)
    board.configure(range_amperes=1e-4, delay_seconds=0.0)
    return board


SOUND = board_with().faults.branches
CLOSED, OPENED = SOUND.closed_siemens, SOUND.open_siemens


def now(board):
    board.strike_due_faults()
    return board.faults.branches.closed_siemens, board.faults.branches.open_siemens


def struck(board, fault=0):
    where = np.zeros(SHAPE, dtype=bool)
    where.reshape(-1)[board.faults.places[fault]] = True
    return where


def pass_seconds(board, seconds):
    board.clock.advance(seconds, "settling")


NOTHING = np.zeros(SHAPE)
BROKEN = {
    "open": (NOTHING, NOTHING),
    "short": (NOTHING + 1 / 20, NOTHING + 1e-10),
    "stuck_on": (CLOSED, CLOSED),
    "stuck_off": (OPENED, OPENED),
}
"""What a branch of each kind conducts when it is told to close and to open, siemens."""


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_branch_is_as_documented_and_the_others_are_as_they_were(kind):
    board = board_with({"kind": kind, "row": 2, "column": 3, "branch": 1})
    closed, opened = now(board)
    hit = struck(board)
    assert np.argwhere(hit).tolist() == [[1, 2, 0]]
    np.testing.assert_array_equal(closed[~hit], CLOSED[~hit])
    np.testing.assert_array_equal(opened[~hit], OPENED[~hit])
    for value, documented in zip((closed, opened), BROKEN[kind], strict=True):
        np.testing.assert_allclose(value[hit], documented[hit], rtol=1e-12)


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_read_is_what_the_branches_are(kind):
    """A fault that comes in the middle of a scan: what was read before it is sound."""
    place = {"row": 2, "column": 3, "branch": 1}
    board = board_with({"kind": kind, **place, "at_seconds": 3.5 * APERTURE_SECONDS})
    points = np.full(7, 1), np.tile([0, -1], 4)[:7], np.full(7, 0.5)
    amperes = board.scan(*points)[:, 0]
    faulty, sound = (
        b.scan(*points)[:, 0] for b in (board_with({"kind": kind, **place}), board_with())
    )
    np.testing.assert_allclose(amperes[:4], sound[:4], atol=1e-13)
    np.testing.assert_allclose(amperes[4:], faulty[4:], atol=1e-13)
    gone = np.isnan(faulty) | (np.abs(faulty - sound) > 1e-7)
    assert gone[:, 2].any()
    assert not np.delete(gone, 2, axis=1).any()


def test_a_batch_of_products_is_struck_between_two_vectors():
    fault = {"kind": "stuck_on", "row": 1, "column": 1, "branch": 2}
    timed = board_with(fault | {"at_seconds": 2.5 * APERTURE_SECONDS})
    vectors = np.full((6, 4), 0.25)
    read = timed.column_currents(vectors)
    sound, faulty = (
        board_with().column_currents(vectors),
        board_with(fault).column_currents(vectors),
    )
    np.testing.assert_allclose(read[:3], sound[:3], atol=1e-13)
    np.testing.assert_allclose(read[3:], faulty[3:], atol=1e-13)
    assert abs(sound - faulty)[0, 0] > 1e-7
    assert timed.clock.seconds == pytest.approx(6 * APERTURE_SECONDS)


def test_readings_of_one_state_are_struck_between_two():
    timed = board_with({"kind": "open", "row": 1, "at_seconds": 2.5 * APERTURE_SECONDS})
    timed.apply(np.ones(SHAPE, dtype=bool))
    timed.set_row_volts(np.array([0.2, 0.0, 0.0, 0.0]))
    read = timed.read(6)
    assert (read[:3] > 1e-6).all()
    assert (np.abs(read[3:]) < 1e-7).all()


def test_it_goes_again():
    board = board_with({"kind": "open", "row": 1, "at_seconds": 1.0, "until_seconds": 2.0})
    for seconds, there in ((0.0, False), (1.0, True), (1.9, True), (2.0, False), (9.0, False)):
        pass_seconds(board, seconds - board.clock.seconds)
        np.testing.assert_array_equal(now(board)[0] == 0, struck(board) & there)
    assert board.faults.strikes[0].listed == [(1.0, 0)]


def test_by_the_number_of_operations():
    board = board_with({"kind": "open", "row": 1, "at_operation": 3, "until_operation": 5})
    for operation, there in ((1, False), (2, False), (3, True), (4, True), (5, False)):
        board.faults.operations = operation
        np.testing.assert_array_equal(now(board)[0] == 0, struck(board) & there)
    assert board.faults.strikes[0].listed == [(0.0, 3)]


place = st.one_of(st.none(), st.integers(1, 3))


@settings(deadline=None, max_examples=60)
@given(
    place,
    place,
    place,
    st.one_of(
        st.fixed_dictionaries({"count": st.integers(1, 80)}),
        st.fixed_dictionaries({"fraction": st.floats(0.01, 1)}),
        st.just({}),
    ),
    st.integers(0, 5),
)
def test_places_are_among_those_given_and_as_many_as_wanted(row, column, branch, some, seed):
    given_keys = {"row": row, "column": column, "branch": branch}
    keys = {name: number for name, number in given_keys.items() if number is not None} | some
    fault = {"kind": "open", **(keys or {"row": 1})}
    candidates = np.zeros(SHAPE, dtype=bool)
    candidates[tuple(slice(None) if n is None else n - 1 for n in map(fault.get, given_keys))] = (
        True
    )
    if some.get("count", 0) > candidates.sum():
        there = f"count: {some['count']} of {candidates.sum()} branches that are there"
        with pytest.raises(PlanError, match=there):
            board_with(fault, seed=seed)
        return
    board = board_with(fault, seed=seed)
    hit = struck(board)
    assert not (hit & ~candidates).any()
    total = candidates.sum()
    share = max(1, round(some["fraction"] * total)) if "fraction" in some else total
    assert hit.sum() == some.get("count", share)
    np.testing.assert_array_equal(struck(board_with(fault, seed=seed)), hit)


def test_places_depend_on_the_seed_and_not_on_other_faults():
    fault = {"kind": "open", "count": 5}
    alone = board_with(fault).faults.places[0]
    beside = board_with(
        {"kind": "short", "count": 7}, fault, {"kind": "open", "count": 5}
    ).faults.places
    np.testing.assert_array_equal(beside[1], alone)
    assert not np.array_equal(beside[2], alone)
    assert not np.array_equal(board_with(fault, seed=2).faults.places[0], alone)


def test_a_fault_does_not_shift_the_boards_noise():
    noisy = changed(PRESET, environment={"kelvin": 300.0}, adc={"noise_free_bits": 18.0})
    far_away = {"kind": "intermittent", "row": 4, "column": 6, "branch": 3}
    timed = far_away | {"mean_closed_seconds": 0.05, "mean_open_seconds": 0.05}
    boards = [board_with(*faults, preset=noisy) for faults in ((), (timed,))]
    sound, faulty = (board.column_currents(np.full((40, 4), 0.3)) for board in boards)
    assert boards[1].faults.strikes[0].count >= 3
    np.testing.assert_allclose(faulty[:, :5], sound[:, :5], atol=1e-12)


def test_drift_is_so_many_ppm_an_hour_and_stays_where_it_ends():
    fault = {"kind": "drifting", "row": 2, "ppm_per_hour": -1000.0}
    board = board_with(fault | {"at_seconds": 100.0, "until_seconds": 7300.0})
    hit = struck(board)
    for seconds, hours in ((99.0, 0), (1900.0, 0.5), (3700.0, 1), (7299.9, 7199 / 3600), (9e4, 2)):
        pass_seconds(board, seconds - board.clock.seconds)
        closed, opened = now(board)
        reached = min(hours, 7199 / 3600)
        np.testing.assert_allclose(closed[hit], CLOSED[hit] * (1 - 1e-3 * reached), rtol=2e-6)
        np.testing.assert_array_equal(closed[~hit], CLOSED[~hit])
        np.testing.assert_array_equal(opened, OPENED)


def test_drift_goes_on_during_a_measurement():
    fault = {"kind": "drifting", "row": 1, "ppm_per_hour": 3.6e6}  # 0.1 % a second
    board = board_with(fault)
    board.configure(aperture_seconds=0.5)
    board.apply(np.ones(SHAPE, dtype=bool))
    vectors = np.zeros((8, 4))
    vectors[:, 0] = 0.25
    ratio = board.column_currents(vectors) / board_with_pattern().column_currents(vectors[:1])
    seconds = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    np.testing.assert_allclose(ratio, np.repeat(1 + 1e-3 * seconds[:, None], 6, axis=1), rtol=2e-5)


def board_with_pattern():
    board = board_with()
    board.apply(np.ones(SHAPE, dtype=bool))
    return board


def spells(steps, step_seconds, seed=3, mean=(0.7, 0.3)):
    """Whether each of 72 contacts was bad, looked at every `step_seconds`."""
    fault = {"kind": "intermittent", "fraction": 1.0}
    means = {"mean_closed_seconds": mean[0], "mean_open_seconds": mean[1]}
    board = board_with(fault | means, seed=seed)
    seen = []
    for _ in range(steps):
        seen.append(now(board)[0].ravel() == 0)
        pass_seconds(board, step_seconds)
    return np.array(seen)


def test_intermittent_contacts_are_a_random_telegraph():
    seen = spells(2500, 0.04)
    assert not seen[0].any()
    late = seen[250:]  # the process has forgotten how it began
    assert late.mean() == pytest.approx(0.3, abs=0.02)
    # It forgets with 1/τ = 1/0.7 + 1/0.3 (Machlup 1954).
    deviation = late - 0.3
    for lag in (1, 3, 6):
        correlation = (deviation[lag:] * deviation[:-lag]).mean() / (0.3 * 0.7)
        assert correlation == pytest.approx(np.exp(-lag * 0.04 / 0.21), abs=0.03)
    together = np.corrcoef(late.T)[~np.eye(late.shape[1], dtype=bool)]
    assert abs(together.mean()) < 0.01


def test_spells_do_not_depend_on_how_often_one_looks():
    np.testing.assert_array_equal(spells(300, 0.04)[::10], spells(30, 0.4))


def test_several_faults_of_one_branch_go_in_the_order_of_the_plan():
    at = {"row": 1, "column": 1, "branch": 1}
    drift = {"kind": "drifting", "ppm_per_hour": 1e5, **at}
    board = board_with(drift, {"kind": "stuck_on", **at})
    pass_seconds(board, 3600.0)
    closed, opened = now(board)
    assert closed[0, 0, 0] == pytest.approx(1.1 * CLOSED[0, 0, 0])
    assert opened[0, 0, 0] == closed[0, 0, 0]


def test_a_place_that_the_board_does_not_have():
    with pytest.raises(PlanError, match=r"fault 1 \(open\)\.row: at most 4"):
        board_with({"kind": "open", "row": 5})


@pytest.mark.parametrize("began", [0.0, 7.25])
def test_a_drifting_branch_is_quiet_from_one_step_to_the_next(began):
    """The electronics integrate in one piece until the clock alone changes something."""
    fault = {"kind": "drifting", "row": 1, "ppm_per_hour": 3.6e6}
    plan = plan_of(fault | ({"at_seconds": began} if began else {}))
    faults = BoardFaults(plan, PRESET, draw_branches(PRESET, SEED))
    faults.advance(0.0)
    assert not began or (faults.quiet_until(began - 1e-6) and not faults.quiet_until(began + 1e-6))
    for step in range(4):
        now = began + step * DRIFT_STEP_SECONDS
        faults.advance(now + 1e-3)
        later = now + DRIFT_STEP_SECONDS
        assert faults.quiet_until(later - 1e-3)
        assert not faults.quiet_until(later + 1e-3)
