"""Hours pass on the board's own clock, and what they change is told."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.programming.sentinels import Watch
from drivers.errors import InstrumentError
from instrument import open_bench
from instrument.validation.over_hours import Visit, reprogram, visits, wait_until
from instrument.validation.products import Validation, validate
from tests.support.programs import weights_of

INPUTS = np.random.default_rng(5).uniform(-1, 1, (100, 8))


@pytest.fixture(scope="module")
def program():
    with open_bench("sim:8x4") as bench:
        yield bench.program(weights_of(1))


def test_visits_are_at_the_hours_that_were_asked_for(program):
    began = program.board.seconds()
    seen = list(visits(program, INPUTS, 4.5))
    assert [visit.hours for visit in seen] == pytest.approx(np.linspace(0, 4.5, 6), abs=1 / 3600)
    assert program.board.seconds() - began >= 4.5 * 3600
    assert all(len(visit.validation.inputs) == 64 for visit in seen)
    assert {round(visit.board_kelvin) for visit in seen} <= set(range(293, 300))
    assert seen[0].drift_from(seen[0]) == 0
    assert all(0 < visit.drift_from(seen[0]) < 2**-10 for visit in seen[1:])


def test_watching_takes_off_what_all_products_have_in_common(program):
    seen = list(visits(program, INPUTS, 6.0))
    for visit in seen:
        gain = visit.gain_from(seen[0]) + seen[0].watched_gain - 1
        assert visit.watched_gain - 1 == pytest.approx(gain, abs=1.5e-5)
        assert visit.strayed_columns == []
    square = [
        np.mean([getattr(visit, kind).relative_error ** 2 for visit in seen[1:]])
        for kind in ("validation", "watched")
    ]
    assert square[1] < square[0]


def test_programming_anew_brings_back_what_hours_have_taken(program):
    wait_until(program.board, program.board.seconds() + 6 * 3600)
    aged = validate(program, INPUTS)
    anew = reprogram(program, INPUTS)
    assert anew.validation.relative_error < aged.relative_error / 1.5
    assert 0 < sum(anew.spent) < 20


def test_a_short_time_is_watched_as_well(program):
    assert len(list(visits(program, INPUTS, 0.01))) == 5


def test_waiting_is_as_long_as_it_must_be_and_leaves_the_aperture(program):
    board, aperture_seconds = program.board, program.board.aperture_seconds
    wait_until(board, board.seconds() - 1)
    for wait_seconds in (0.0, 1e-3, 0.05, 25.0):
        due = board.seconds() + wait_seconds
        wait_until(board, due)
        assert 0 <= board.seconds() - due < 2 * aperture_seconds
        assert board.aperture_seconds == aperture_seconds


def test_the_aperture_is_as_it_was_however_waiting_ends(program, monkeypatch):
    board, aperture_seconds = program.board, program.board.aperture_seconds

    def cut_short(row_volts):
        assert board.aperture_seconds > aperture_seconds
        raise InstrumentError("board", "gone")

    monkeypatch.setattr(board, "column_currents", cut_short)
    with pytest.raises(InstrumentError):
        wait_until(board, board.seconds() + 100)
    assert board.aperture_seconds == aperture_seconds


def test_a_gain_is_told_from_the_rest():
    random = np.random.default_rng(1)
    exact = random.uniform(-1, 1, (64, 4))
    answered = Validation(np.ones((64, 8)), exact, exact, 1.0)
    watch = Watch(1.0, 1e-7, 0.0, (), (0.0, 300.0))
    first = Visit(0.0, 300.0, answered, answered, (watch,))
    later = replace(first, validation=replace(first.validation, answered=exact * (1 - 3e-4)))
    assert later.gain_from(first) == pytest.approx(-3e-4)
    assert later.drift_from(first) == pytest.approx(3e-4)
    apart = exact + 1e-4 * np.where(np.arange(64)[:, None] % 2, exact, -exact)
    later = replace(first, validation=replace(first.validation, answered=apart))
    assert abs(later.gain_from(first)) < 3e-5
    assert later.drift_from(first) == pytest.approx(1e-4)
