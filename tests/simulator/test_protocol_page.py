"""The board's command table against the page that it was written from."""

import re
from pathlib import Path

import pytest

from tests.support.simulated_boards import ask, errors, on_the_wire

PAGE = (Path(__file__).parents[2] / "docs" / "board-protocol.md").read_text("utf-8")
HEADERS = sorted({command.header for command in on_the_wire().session.commands()})


@pytest.mark.parametrize("header", HEADERS)
def test_every_command_is_on_the_page(header):
    """A command that the page does not name could be a way to what no bench can know."""
    assert re.search(re.escape(header.removesuffix("?")) + r"(?![A-Za-z:\[])", PAGE), header


QUERIES = sorted(header for header in HEADERS if header.endswith("?"))
PARAMETERS = {"ROUTe:CLOSe?": " 1,1,1", "SOURce<n>[:VOLTage][:LEVel]?": ""}
MEASURED = {"READ?", "MEASure:MVM?", "MEASure:SCAN?", "SYSTem:TEMPerature?"}
"""What looks at the world, as a bench does."""


@pytest.mark.parametrize("header", [query for query in QUERIES if query not in MEASURED])
def test_boards_of_other_resistors_answer_alike(header):
    """What is the same whatever the resistors are tells nothing of them."""
    plain = header.replace("[", "").replace("]", "").replace("<n>", "1")
    message = (plain + PARAMETERS.get(header, "")).encode()
    boards = [on_the_wire(seed=seed) for seed in (4, 5)]
    truths = [board.crossbar.faults.branches.closed_siemens for board in boards]
    assert (truths[0] != truths[1]).all()
    answers = [ask(board, message) for board in boards]
    assert errors(boards[0]) == []
    assert answers[0] == answers[1]


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
