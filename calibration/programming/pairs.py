"""Differential pairs: columns 2p and 2p + 1 of a row as one bank of signed branches.

A pair of B + B branches is one subset-sum problem of 2B: plus side counted positive, minus side
negative. Selecting both sides jointly is worth twice the bits of selecting them one after the
other.
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
    """(cells,): what the pair shows with every switch open."""


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
    """Return how far wanted differences (cells,) lie inside of what all good branches of either
    side reach, siemens; negative outside.
    """
    signed = np.where(bank.usable, bank.signed_siemens, 0.0)
    asked = wanted_siemens - bank.open_difference_siemens
    most, least = np.maximum(signed, 0.0).sum(axis=1), np.minimum(signed, 0.0).sum(axis=1)
    return np.asarray(np.minimum(most - asked, asked - least))


def board_pattern(chosen: Bools, used: tuple[int, int], board_shape: tuple[int, ...]) -> Bools:
    """Lay patterns of cells (cells, 2·branches) out on a board (rows, columns, branches); the rest
    stays open.

    `used` is (rows, outputs) of the cells.
    """
    rows, outputs = used
    pattern = np.zeros(board_shape, dtype=bool)
    sides = chosen.reshape(rows, outputs, 2, board_shape[2])
    pattern[:rows, 0 : 2 * outputs : 2] = sides[:, :, 0]
    pattern[:rows, 1 : 2 * outputs : 2] = sides[:, :, 1]
    return pattern


def cells_of(pattern: Bools, used: tuple[int, int]) -> Bools:
    """Return the patterns of cells (cells, 2·branches) that are laid out on a board (rows, columns,
    branches): the way back of `board_pattern`.
    """
    rows, outputs = used
    return pattern[:rows, : 2 * outputs].reshape(rows * outputs, -1)


def differences(column_values: Floats, outputs: int) -> Floats:
    """Return plus column minus minus column of the first `outputs` pairs: (…, columns) to (…,
    outputs).
    """
    return column_values[..., 0 : 2 * outputs : 2] - column_values[..., 1 : 2 * outputs : 2]
