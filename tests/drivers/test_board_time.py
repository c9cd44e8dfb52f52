"""The board's time as it is reported never runs backwards, and goes on over failures of power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.board_time import BoardTime, SpentSeconds

SECONDS = st.floats(0, 1e6)


class Host:
    """A host's clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(name="host")
def _host() -> Host:
    return Host()


@pytest.fixture(name="time")
def _time(host: Host) -> BoardTime:
    return BoardTime(host)


def test_without_a_failure_it_is_the_board_s_own(time: BoardTime) -> None:
    assert [time.reported(seconds) for seconds in (0.0, 2.5, 2.5, 7.0)] == [0.0, 2.5, 2.5, 7.0]
    assert time.spent(SpentSeconds(1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)


def test_the_host_s_time_is_added_for_the_gap(time: BoardTime, host: Host) -> None:
    time.reported(100.0)
    host.seconds += 30.0
    assert time.ran_backwards(2.0)
    time.go_on(2.0)
    assert time.reported(2.0) == 130.0
    assert not time.ran_backwards(2.0)
    assert time.reported(12.0) == 140.0


def test_a_board_that_is_faster_than_the_wall_goes_on_by_its_readings(
    time: BoardTime, host: Host
) -> None:
    time.reported(100.0)
    time.note_readings(10.0, 40.0)
    host.seconds += 1.0
    assert not time.ran_backwards(120.0)
    assert time.lags(120.0)  # fifty seconds of readings are not in it
    assert not time.lags(150.0)
    time.go_on(0.5)
    assert time.reported(0.5) == 150.0


def test_spent_time_goes_on_without_the_talk_that_was_not_asked_for(time: BoardTime) -> None:
    time.spent(SpentSeconds(1.0, 2.0, 3.0))
    time.note_readings(0.5, 0.25)
    assert time.spent_ran_backwards(SpentSeconds(0.0, 0.0, 0.0))
    time.go_on(0.0)
    assert not time.spent_ran_backwards(SpentSeconds(0.0, 0.0, 0.0))
    assert time.spent(SpentSeconds(1.0, 1.0, 1.0)) == (2.5, 3.25, 4.0)


@given(st.lists(st.tuples(st.booleans(), SECONDS, SECONDS, SECONDS), min_size=1, max_size=20))
def test_whatever_fails_it_never_runs_backwards(
    steps: list[tuple[bool, float, float, float]],
) -> None:
    host = Host()
    time, board, before = BoardTime(host), 0.0, 0.0
    for fails, host_passes, board_passes, reading in steps:
        host.seconds += host_passes
        board += board_passes + reading
        time.note_readings(0.0, reading)
        if fails:
            board = board_passes
            time.go_on(board)
        reported = time.reported(board)
        assert reported >= before * (1 - 1e-12)
        before = reported
