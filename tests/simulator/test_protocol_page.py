"""The board's command table against the page that it was written from."""

import re
from pathlib import Path

import pytest

from tests.simulator.boards import on_the_wire

PAGE = (Path(__file__).parents[2] / "docs" / "board-protocol.md").read_text("utf-8")
HEADERS = sorted({command.header for command in on_the_wire().commands()})


@pytest.mark.parametrize("header", HEADERS)
def test_every_command_is_on_the_page(header):
    """A command that the page does not name could be a way to what no bench can know."""
    assert re.search(re.escape(header.removesuffix("?")) + r"(?![A-Za-z:\[])", PAGE), header


def test_no_answer_holds_the_truth():
    """Asked for everything it answers without a measurement, a board tells no true resistance."""
    board = on_the_wire()
    told = [
        board.execute(header.replace("[", "").replace("]", "").replace("<n>", "1").encode())
        for header in HEADERS
        if header.endswith("?")
    ]
    true = board.crossbar.faults.branches.closed_siemens.ravel()
    assert len(told) > 20
    for siemens in true:
        for value in (siemens, 1 / siemens):
            assert not any(f"{value:.6g}"[:6].encode() in answer for answer in told)
