"""Boards that the protocol allows: measured and programmed, or refused when they are opened."""

import json
from types import SimpleNamespace

import pytest

from drivers.errors import InstrumentError
from instrument.board_limits import MAX_BRANCHES, require_supported
from instrument.studies.board_file import preset_toml
from simulator.preset import load_preset
from tests.support.simulated_boards import changed

NARROW = (1e-6, 3e-6, 1e-5, 3e-5)
"""Ranges, ampere: a row of the board at its limit draws up to 40 µA from a column."""


def write(path, **sections):
    """A board file: 8x4, but for some keys."""
    path.write_text(preset_toml(changed(load_preset("8x4"), **sections), []))


@pytest.mark.parametrize(
    ("sections", "least_bits"),
    [
        ({"shape": {"rows": 1}}, 14),
        ({"shape": {"rows": 2, "columns": 2, "branches": 24}}, 14),
        ({"shape": {"rows": 2, "columns": 2, "branches": 32}}, 14),
        ({"shape": {"rows": 4, "columns": 3}}, 14),
        ({"tia": {"ranges_amperes": NARROW}}, 13),
        ({"population": {"base_ohms": 2e3}, "shape": {"rows": 16}}, 13),
    ],
    ids=["one row", "24 branches", "32 branches", "three columns", "narrow ranges", "low ohms"],
)
def test_an_odd_board_reaches_what_any_other_does(ohmsum, tmp_path, sections, least_bits):
    write(tmp_path / "odd.toml", **sections)
    ended = ohmsum("run", "--bench", "sim:odd.toml", "--matrix", "random", "--seed", 3, "--json")
    assert ended.status in (0, 1), ended.err
    document = json.loads(ended.out)
    assert document["validation"]["bits"] > least_bits
    assert document["program"]["lost_outputs"] == []


@pytest.mark.parametrize("defect", ["open", "short", "stuck_on", "stuck_off"])
def test_a_board_of_which_nothing_works_ends_in_one_line(ohmsum, tmp_path, defect):
    write(tmp_path / "dead.toml", defects={defect: 1.0})
    ended = ohmsum("run", "--bench", "sim:dead.toml", "--matrix", "random")
    assert (ended.status, ended.out) == (3, "")
    assert "Traceback" not in ended.err
    assert "look" in ended.err  # says where


def test_a_board_of_one_column_is_refused_before_it_is_measured(ohmsum, tmp_path):
    write(tmp_path / "odd.toml", shape={"columns": 1})
    ended = ohmsum("run", "--bench", "sim:odd.toml", "--matrix", "random:8x1")
    assert (ended.status, ended.out) == (3, "")
    assert "8 × 1 × 10 cannot be used: an output is the difference of two columns" in ended.err


@pytest.mark.parametrize(
    ("rows", "columns", "branches", "complaint"),
    [
        (1, 1, 1, "two columns"),
        (1, 2, MAX_BRANCHES + 1, "32 branches"),
        (2048, 272, 10, "are 67,403,776"),
    ],
)
def test_what_is_beyond_the_limits_is_refused_with_the_limit(rows, columns, branches, complaint):
    board = SimpleNamespace(rows=rows, columns=columns, branches=branches)
    with pytest.raises(InstrumentError, match=complaint):
        require_supported(board, "here")


@pytest.mark.parametrize(("rows", "columns", "branches"), [(1, 2, 32), (2048, 270, 10), (1, 3, 1)])
def test_what_is_at_the_limits_is_taken(rows, columns, branches):
    require_supported(SimpleNamespace(rows=rows, columns=columns, branches=branches), "here")
