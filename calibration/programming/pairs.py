"""Differential pairs: columns 2p and 2p + 1 of a row as one bank of signed branches.

A pair of B + B branches is one subset-sum problem of 2B branches: plus side counted positive, minus
side negative. Selecting both sides jointly is worth twice the bits of selecting them in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Bools, Floats
from calibration.branches import BranchCalibration


@dataclass(frozen=True)
class PairBanks:
    """The pairs in use, one cell after another (row by row)."""

    signed_siemens: Floats
    """(cells, 2·branches): plus side positive, minus side negative."""
    usable: Bools
    """(cells, 2·branches)"""
    open_difference_siemens: Floats
    """(cells,): difference of the pair with every switch open."""


def pair_banks(calibration: BranchCalibration, rows: int, outputs: int) -> PairBanks:
    """Return the banks of the first `rows` rows and `outputs` pairs."""
    plus, minus = (np.s_[:rows, side : 2 * outputs : 2] for side in (0, 1))
    siemens, usable, opened = (
        calibration.branch_siemens,
        calibration.usable,
        calibration.open_siemens,
    )
    cells = rows * outputs
    return PairBanks(
        signed_siemens=np.concatenate([siemens[plus], -siemens[minus]], axis=2).reshape(cells, -1),
        usable=np.concatenate([usable[plus], usable[minus]], axis=2).reshape(cells, -1),
        open_difference_siemens=(opened[plus] - opened[minus]).reshape(cells),
    )


def left_to_reach(bank: PairBanks, wanted_siemens: Floats) -> Floats:
    """Return the distance (cells,) of wanted differences from the edge of what a pair reaches.

    It is positive inside the span of all usable branches of both sides, negative outside, in
    siemens.
    """
    signed = np.where(bank.usable, bank.signed_siemens, 0.0)
    asked = wanted_siemens - bank.open_difference_siemens
    highest, lowest = np.maximum(signed, 0.0).sum(axis=1), np.minimum(signed, 0.0).sum(axis=1)
    return np.asarray(np.minimum(highest - asked, asked - lowest))


def board_pattern(chosen: Bools, used: tuple[int, int], board_shape: tuple[int, ...]) -> Bools:
    """Lay out patterns of cells (cells, 2·branches) on a board (rows, columns, branches).

    `used` is (rows, outputs) of the cells. All other switches stay open.
    """
    rows, outputs = used
    pattern = np.zeros(board_shape, dtype=bool)
    sides = chosen.reshape(rows, outputs, 2, board_shape[2])
    pattern[:rows, 0 : 2 * outputs : 2] = sides[:, :, 0]
    pattern[:rows, 1 : 2 * outputs : 2] = sides[:, :, 1]
    return pattern


def cells_of(pattern: Bools, used: tuple[int, int]) -> Bools:
    """Return the patterns of cells (cells, 2·branches) on a board: the inverse of `board_pattern`.

    `pattern` is (rows, columns, branches), `used` (rows, outputs) of the cells.
    """
    rows, outputs = used
    return pattern[:rows, : 2 * outputs].reshape(rows * outputs, -1)


def differences(column_values: Floats, outputs: int) -> Floats:
    """Return plus column minus minus column of the first `outputs` pairs.

    (…, columns) to (…, outputs), in the unit of `column_values`.
    """
    return column_values[..., 0 : 2 * outputs : 2] - column_values[..., 1 : 2 * outputs : 2]
