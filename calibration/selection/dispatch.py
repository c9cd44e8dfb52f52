"""Search a batch of cells: which kernel, of which switches, over which cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import config
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.selection.expected_error import FreeCells, Spread, best_states
from calibration.selection.nearest import (
    LANES,
    OK,
    OUT_OF_RANGE,
    TOLERANCE_MISSED,
    Answer,
    Cells,
    nearest_abreast,
    nearest_one_by_one,
)
from calibration.selection.preset_switches import gathered, search_part

MAX_EXACT_BRANCHES = {2: 40, 3: 24}
"""Branches of a cell of which all subsets are searched, by the states of a switch."""

# Up to here sixteen cells side by side are faster than one after another.
MAX_BRANCHES_ABREAST = 28

# With a tolerance, the search begins with so many switches more than it wants bits: some twenty
# subsets are then expected within it, and adds as many where none is found.
_SPARE_SWITCHES, _MORE_SWITCHES = 2, 4

# Below this many switch states over all cells a thread costs more than it saves.
_THREADED_WORK = 1 << 15

# As many in one part: about a millisecond, so that all cores are done at about the same time.
_PART_WORK = 1 << 19


def nearest(cells: Cells) -> Answer:
    """Search the nearest sum of cells of up to 40 branches."""
    kernel = nearest_kernel(cells.branch.shape[1])
    return over_cores(
        lambda part, answer: kernel(cells.part(part), answer), cells.branch.shape, np.bool_
    )


def nearest_kernel(branches: int) -> Callable[[Cells, Answer], None]:
    """Return the quickest kernel for cells of so many branches."""
    kernel: Callable[[Cells, Answer], None]
    kernel = nearest_abreast if branches <= MAX_BRANCHES_ABREAST else nearest_one_by_one
    return kernel


def set_free(
    cells: FreeCells, spread: Spread | None, tolerance: Floats | None, switch_states: int
) -> Answer:
    """Set the free switches of every cell.

    The goal is the nearest sum, a sum within the tolerance (cells,), or, where the branches' spread
    is given, the minimum expected square error.
    """
    count = len(cells.target)
    best = Answer(cells.state.copy(), np.full(count, np.inf), np.zeros(count, np.int8))
    switches = max_switches = MAX_EXACT_BRANCHES[switch_states]
    if tolerance is not None and spread is None:
        switches = min(_switches_wanted(cells, tolerance, switch_states), max_switches)
    todo = np.arange(count)
    while True:
        remaining = _some_free(cells, todo)
        more_than_searched = remaining.free.sum(axis=1).max(initial=0) > switches
        searched = (
            search_part(remaining, switches, switch_states) if more_than_searched else remaining
        )
        if switch_states == 2 and spread is None:
            answer = _nearest_of_free(searched)
        else:
            reach = np.full(count, np.inf) if tolerance is None else tolerance
            answer = _best_states(searched, spread, reach[todo], switch_states)
        best.pattern[todo] = answer.pattern
        best.achieved[todo] = answer.achieved
        best.status[todo] = answer.status
        if more_than_searched:
            best.status[todo] = reached(remaining, switch_states)
        if tolerance is None:
            return best
        missed = np.abs(answer.achieved - remaining.target) > tolerance[todo]
        todo = todo[missed]
        if not (todo.size and more_than_searched and switches < max_switches):
            best.status[todo[best.status[todo] == OK]] = TOLERANCE_MISSED
            return best
        switches = min(switches + _MORE_SWITCHES, max_switches)


def _switches_wanted(cells: FreeCells, tolerance: Floats, switch_states: int) -> int:
    """Return how many switches are expected to come within the tolerance, in every cell."""
    span = (switch_states - 1) * np.where(cells.free, np.abs(cells.branch), 0.0).sum(axis=1)
    finest = (tolerance / np.maximum(span, np.finfo(np.float64).tiny)).min(initial=1.0)
    bits = -np.log2(max(finest, 2.0**-64))
    return max(int(np.ceil(bits / np.log2(switch_states))), 0) + _SPARE_SWITCHES


def _nearest_of_free(cells: FreeCells) -> Answer:
    """Search the nearest sum of cells some of whose switches are set; up to 40 are free in each."""
    part, columns = gathered(cells)
    answer = nearest(Cells(part.branch, part.target, part.free))
    state = cells.state.copy()
    np.put_along_axis(
        state, columns, np.where(part.free, answer.pattern, part.state).astype(np.int8), axis=1
    )
    return Answer(state, (state * cells.branch).sum(axis=1), answer.status)


def _best_states(
    cells: FreeCells, spread: Spread | None, tolerance: Floats, switch_states: int
) -> Answer:
    known = spread or Spread(np.empty(cells.branch.shape), np.empty((0, 0, 0)))

    def search(part: slice, answer: Answer) -> None:
        covariance = known.covariance[part] if len(known.covariance) else known.covariance
        best_states(
            _some_free(cells, part),
            Spread(known.variance[part], covariance),
            tolerance[part],
            switch_states,
            spread is not None,
            answer,
        )

    return over_cores(search, cells.branch.shape, np.int8)


def reached(cells: FreeCells, switch_states: int) -> NDArray[np.int8]:
    """Return OK, or OUT_OF_RANGE where no state of the free switches comes to the target."""
    fixed = np.where(cells.free, 0.0, cells.state * cells.branch).sum(axis=1)
    free = np.where(cells.free, cells.branch, 0.0)
    high = np.maximum(free, 0.0).sum(axis=1)
    low = np.minimum(free, 0.0).sum(axis=1)
    if switch_states == 3:
        high = high - low
        low = -high
    target = cells.target - fixed
    rounding = free.shape[1] * 2.0**-53 * (high - low + np.abs(fixed))
    beyond = (target > high + rounding) | (target < low - rounding)
    return np.where(beyond, OUT_OF_RANGE, OK).astype(np.int8)


def over_cores(
    kernel: Callable[[slice, Answer], None], shape: tuple[int, int], states: type[np.generic]
) -> Answer:
    """Run the kernel over all cells, in threads where there is work for more than one."""
    count, n = shape
    answer = Answer(np.empty(shape, states), np.empty(count), np.empty(count, np.int8))
    in_parts(count, n, lambda part: kernel(part, answer.part(part)))
    return answer


def in_parts(count: int, n: int, run: Callable[[slice], None]) -> None:
    """Run parts of all cells, whole groups of lanes each, in threads where there is work for it."""
    work = count * 2 ** (n // 2)
    threads = min(config.NUMBA_NUM_THREADS, work // _THREADED_WORK)
    if threads > 1:
        # More parts than threads, so that a core that is busy elsewhere does not hold up the rest.
        parts = max(4 * threads, work // _PART_WORK)
        edges = np.linspace(0, count, parts + 1).astype(int) // LANES * LANES
        edges[-1] = count
        left = map(slice, edges[:-1].tolist(), edges[1:].tolist())

        def take_parts() -> None:
            for part in left:
                run(part)

        # This thread takes its share: it would cost to wake another one, and then to wait for it.
        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(take_parts) for _ in range(threads - 1)]
            take_parts()
            for other in others:
                other.result()
    else:
        run(slice(0, count))


def _some_free(cells: FreeCells, which: slice | NDArray[np.intp]) -> FreeCells:
    return FreeCells(
        cells.branch[which], cells.target[which], cells.free[which], cells.state[which]
    )
