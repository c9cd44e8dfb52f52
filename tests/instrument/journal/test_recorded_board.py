"""A board whose exchanges are kept: the same run is answered from them, another one is not."""

from contextlib import suppress

import numpy as np
import pytest

from drivers import SpentSeconds
from instrument import open_bench
from instrument.errors import UsageError
from instrument.journal import Journal, RecordingEnds, RunDiffers, copied_for_reading, sessions_of
from instrument.opening import replay_bench

WEIGHTS = np.random.default_rng(3).uniform(-1, 1, (4, 2))
INPUTS = np.random.default_rng(4).uniform(-1, 1, (10, 4))


def work(bench):
    """A calibration, a program, its products, and what the board says in between."""
    calibration = bench.calibrate()
    program = bench.program(WEIGHTS, calibration)
    products = INPUTS @ program
    board = bench.board
    return calibration, products, board.bytes_moved, board.moment(), bench.spent_seconds()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "journal.sqlite"
    with Journal.begin(path) as journal, open_bench("sim:8x4", seed=5, journal=journal) as bench:
        done = work(bench)
    return path, done


def assert_alike(done, other):
    assert done[0] == other[0]
    np.testing.assert_array_equal(done[1], other[1])
    assert done[2:] == other[2:]


def test_a_journal_changes_no_answer(recorded):
    with open_bench("sim:8x4", seed=5) as bench:
        unrecorded = work(bench)
    np.testing.assert_array_equal(unrecorded[1], recorded[1][1])
    assert unrecorded[0].branches == recorded[1][0].branches
    assert unrecorded[3:] == recorded[1][3:]


def test_a_replay_gives_the_same_values_without_a_board(recorded):
    path, done = recorded
    before = path.read_bytes()
    with copied_for_reading(path) as journal, replay_bench("sim:8x4", journal) as bench:
        assert_alike(work(bench), done)
        assert journal.position == journal.count
    assert path.read_bytes() == before


def test_another_request_is_told_from_the_recorded_one(recorded):
    path, _ = recorded
    with copied_for_reading(path) as journal, replay_bench("sim:8x4", journal) as bench:
        calibration = bench.calibrate()
        with pytest.raises(RunDiffers, match=r"exchange \d+ of \d+ differs: apply: .*of pattern"):
            bench.program(-WEIGHTS, calibration)
    with (
        copied_for_reading(path) as journal,
        replay_bench("sim:8x4", journal) as bench,
        pytest.raises(RunDiffers, match="the run asks for temperature_kelvin where"),
    ):
        bench.board.temperature_kelvin()


def test_a_recording_that_was_cut_short_ends(recorded):
    path, _ = recorded
    with copied_for_reading(path) as journal, replay_bench("sim:8x4", journal) as bench:
        journal.count //= 2
        with pytest.raises(RecordingEnds, match=r"ends behind exchange \d+"):
            work(bench)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
def test_a_simulated_board_of_this_process_is_brought_to_where_it_stood(tmp_path, recorded, share):
    """Every exchange is carried out on it again: not one value differs from an undisturbed run."""
    _, done = recorded
    path = tmp_path / "journal.sqlite"
    cut(path, share)
    with Journal.resume(path) as journal, open_bench("sim:8x4", seed=5, journal=journal) as bench:
        before = journal.count
        resumed = work(bench)
        assert bench.board.gaps == []
        assert journal.count > before
    np.testing.assert_array_equal(resumed[1], done[1])
    assert resumed[0].branches == done[0].branches
    assert resumed[3:] == done[3:]


class Died(BaseException):
    """What ends a process in the middle of a run."""


def cut(path, share):
    """Record a run whose process dies after a share of its exchanges."""
    with Journal.begin(path) as journal, suppress(Died):
        add = journal.add

        def add_some(exchange):
            if journal.count >= 300 * share + 1:
                raise Died
            add(exchange)

        journal.add = add_some
        with open_bench("sim:8x4", seed=5, journal=journal) as bench:
            work(bench)
            pytest.fail("it was not cut short")


def test_a_board_that_lives_on_is_set_as_it_stood(tmp_path, served, recorded):
    """The exchanges that are there are not carried out again, and the time between is told."""
    path = tmp_path / "journal.sqlite"
    bench_file = tmp_path / "bench.toml"

    with Journal.begin(path) as journal:
        with pytest.raises(Died), open_bench(bench_file, journal=journal) as bench:  # noqa: PT012
            calibration = bench.calibrate()
            pattern = np.zeros((8, 8, 10), dtype=bool)
            pattern[2, :, 3] = True
            bench.board.apply(pattern)
            bench.board.configure(range_amperes=1e-5, delay_seconds=0.125)
            raise Died
        readings = served.crossbar.clock.seconds
    assert not served.crossbar.pattern.any()
    served.crossbar.clock.advance(100.0, "settling")
    with Journal.resume(path) as journal, open_bench(bench_file, journal=journal) as bench:
        assert bench.calibrate() == calibration
        bench.board.apply(pattern)
        bench.board.configure(range_amperes=1e-5, delay_seconds=0.125)
        assert served.crossbar.clock.seconds == readings + 100.0
        assert bench.board.gaps == []
        bench.board.column_currents(np.zeros((1, 8)))
        assert bench.board.held_crc is not None
        assert bench.board.delay_seconds == served.crossbar.delay_seconds == 0.125
        assert served.crossbar.range_amperes == pytest.approx(1e-5)
        np.testing.assert_array_equal(served.crossbar.pattern, pattern)
        (gap,) = bench.board.gaps
        assert gap.board_seconds == pytest.approx(100.0)
        assert not gap.restarted
    with copied_for_reading(path) as journal, replay_bench("bench.toml", journal) as bench:
        assert bench.calibrate() == calibration
        bench.board.apply(pattern)
        bench.board.configure(range_amperes=1e-5, delay_seconds=0.125)
        bench.board.column_currents(np.zeros((1, 8)))
        assert bench.board.gaps == [gap]
        assert [session.outcome for session in sessions_of(journal)] == ["Died", "done"]


def test_the_clock_of_a_board_that_was_restarted_goes_on(tmp_path, served):
    path, bench_file = tmp_path / "journal.sqlite", tmp_path / "bench.toml"
    with Journal.begin(path) as journal, open_bench(bench_file, journal=journal) as bench:
        bench.board.column_currents(np.zeros((500, 8)))
        seconds, kelvin = bench.board.moment()
        spent = bench.board.spent_seconds()
    served.board.power_on()
    with Journal.resume(path) as journal, open_bench(bench_file, journal=journal) as bench:
        bench.board.column_currents(np.zeros((500, 8)))
        assert bench.board.moment() == (seconds, kelvin)
        assert bench.board.spent_seconds() == spent
        later, _ = bench.board.moment()
        (gap,) = bench.board.gaps
        assert gap.restarted
        assert gap.host_seconds >= 0
        assert later == pytest.approx(seconds + gap.host_seconds, abs=0.1)
        again = bench.board.spent_seconds()
        assert isinstance(again, SpentSeconds)
        assert all(now >= then for now, then in zip(again, spent, strict=True))


def test_the_journal_of_another_board_is_refused(tmp_path, served):
    path = tmp_path / "journal.sqlite"
    with Journal.begin(path) as journal, open_bench("sim:8x4", seed=2, journal=journal):
        pass
    with (
        Journal.resume(path) as journal,
        pytest.raises(UsageError, match=r"not a run of the board on the bench, .*serial"),
    ):
        open_bench(tmp_path / "bench.toml", journal=journal)
    assert not served.crossbar.outputs_on
