"""Fewer switches to search, where a cell has too many.

The others are set so that the searched switches have the middle of their range left to do.
"""

from typing import NamedTuple

import numpy as np

from calibration.arrays import Bools, Floats, Ints
from calibration.selection.expected_error import FreeCells


def search_part(cells: FreeCells, max_free: int, switch_states: int) -> FreeCells:
    """Return cells of at most `max_free` free switches each.

    The searched branches are taken evenly over the usable ones in order of magnitude, so that they
    reach as far and resolve as finely as all of them. The rest is set from the largest down to what
    comes nearest the target less the middle of the searched ones' range. Their sums being about the
    target, density there is as high as it can be, and 2^max_free sums have as many bits, whatever
    the number of branches.
    """
    magnitude = np.where(cells.free, np.abs(cells.branch), -1.0)
    largest_first = np.argsort(-magnitude, axis=1, kind="stable")
    count = cells.free.sum(axis=1, keepdims=True)
    evenly = np.rint(np.arange(max_free) * (count - 1) / (max_free - 1)).astype(np.int64)
    place = np.arange(cells.branch.shape[1])
    searched_place = (place[None, :, None] == evenly[:, None, :]).any(axis=2)
    searched_place = np.where(count <= max_free, place < count, searched_place)
    searched = np.zeros_like(cells.free)
    np.put_along_axis(searched, largest_first, searched_place, axis=1)

    # In magnitudes a negative branch counts from its other end: on is nothing, off its magnitude.
    fixed = np.where(cells.free, 0.0, cells.state * cells.branch).sum(axis=1)
    left = cells.target - fixed
    if switch_states == 2:
        left -= np.where(cells.free, np.minimum(cells.branch, 0.0), 0.0).sum(axis=1)
        left -= 0.5 * np.where(searched, np.abs(cells.branch), 0.0).sum(axis=1)
    lowest = -1 if switch_states == 3 else 0
    state = cells.state.copy()
    cell = np.arange(len(count))
    for k in largest_first.T:
        value = cells.branch[cell, k]
        here = cells.free[cell, k] & ~searched[cell, k]
        step = np.where(left >= 0.5 * np.abs(value), 1, 0)
        step = np.where((left <= -0.5 * np.abs(value)), lowest, step)
        left -= np.where(here, step * np.abs(value), 0.0)
        on = np.where(value < 0.0, -step if switch_states == 3 else 1 - step, step)
        state[cell, k] = np.where(here, on, state[cell, k])
    return FreeCells(cells.branch, cells.target, searched, state)


def gathered(cells: FreeCells) -> tuple[FreeCells, Ints]:
    """Return cells of as few columns as hold all free switches, and which columns they were.

    What the other switches contribute is taken off the target.
    """
    width = max(int(cells.free.sum(axis=1).max(initial=1)), 1)
    columns = np.argsort(~cells.free, axis=1, kind="stable")[:, :width]
    fixed = np.where(cells.free, 0.0, cells.state * cells.branch).sum(axis=1)
    part = FreeCells(
        np.take_along_axis(cells.branch, columns, axis=1),
        cells.target - fixed,
        np.take_along_axis(cells.free, columns, axis=1),
        np.take_along_axis(cells.state, columns, axis=1),
    )
    return part, columns


class TwoSums(NamedTuple):
    """Switches that count in two sums, each with a target of its own."""

    first: Floats  # (cells, branches)
    second: Floats  # (cells, branches)
    target: Floats  # (cells,)
    second_target: Floats  # (cells,)


def preset_for_two_sums(sums: TwoSums, usable: Bools, max_searched: int) -> tuple[Bools, Bools]:
    """Return which switches to search, and which of the others are on.

    Both are (cells, branches); at most `max_searched` switches of a cell are searched. The searched
    switches are taken evenly over the usable ones in order of magnitude, as many of either sign of
    the first sum as there are of it. The rest is set from the largest down. With r and r' what is
    left to do of the two sums, less the middle of the searched switches' range, and S and S' the
    sums of all magnitudes, a switch is on where that makes (r/S)² + (r'/S')² smaller.
    """
    negative, magnitude = sums.first < 0.0, np.abs(sums.first)
    count = usable.sum(axis=1)
    searched_count = np.minimum(max_searched, count)
    of_negative = (usable & negative).sum(axis=1)
    quota = np.rint(searched_count * of_negative / np.maximum(count, 1)).astype(np.int64)
    searched = _evenly(magnitude, usable & negative, quota)
    searched |= _evenly(magnitude, usable & ~negative, searched_count - quota)

    def left_to_do(values: Floats, target: Floats) -> tuple[Floats, Floats]:
        whole = np.where(usable, np.abs(values), 0.0).sum(axis=1)
        middle = 0.5 * np.where(searched, values, 0.0).sum(axis=1)
        scale = np.where(whole > 0.0, whole, 1.0)
        return (target - middle) / scale, values / scale[:, None]

    left, first = left_to_do(sums.first, sums.target)
    second_left, second = left_to_do(sums.second, sums.second_target)
    rest = usable & ~searched
    on = np.zeros_like(rest)
    cell = np.arange(len(count))
    for k in np.argsort(-np.where(rest, magnitude, -1.0), axis=1, kind="stable").T:
        g, s = first[cell, k], second[cell, k]
        nearer = (left - g) ** 2 + (second_left - s) ** 2 < left**2 + second_left**2
        closed = rest[cell, k] & nearer
        on[cell, k] = closed
        left -= closed * g
        second_left -= closed * s
    return searched, on


def _evenly(magnitude: Floats, among: Bools, count: Ints) -> Bools:
    """Return so many (cells,) of some switches (cells, branches), evenly in order of magnitude."""
    largest_first = np.argsort(-np.where(among, magnitude, -1.0), axis=1, kind="stable")
    max_count = int(count.max(initial=0))
    last = among.sum(axis=1, keepdims=True) - 1
    step = last / np.maximum(count[:, None] - 1, 1)
    places = np.rint(np.arange(max_count) * step).astype(np.int64)
    wanted = (np.arange(max_count) < count[:, None]) & (places <= last)
    chosen = np.zeros_like(among)
    cell, which = np.nonzero(wanted)
    chosen[cell, largest_first[cell, places[cell, which]]] = True
    return chosen
