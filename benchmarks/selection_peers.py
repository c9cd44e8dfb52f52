"""Selection next to general solvers and to a subset-sum solver: time per cell, error, against n.

`python -m benchmarks.selection_peers [--picture FILE.svg] [--instances N] [--limit-seconds S]`.
One-decade branches of 10 % tolerance, the same cells for all, one core and one thread each. Times
are processor times of this process, so a machine that is busy elsewhere takes nothing from anyone;
what is timed of a peer is its search alone: its numbers are scaled, its model is built before.

ohmsum      `select` on a large batch, per cell; and called on one cell, per call.
CP-SAT      OR-Tools: minimize e, −e ≤ Σ x w − t ≤ e, in integers of n + 10 bits: their rounding is
            some hundredths of the error looked for. Without linear relaxation and with the
            largest branch decided first, which is four times faster at n = 20 than as it comes.
HiGHS       scipy.optimize.milp: the same two rows in floating point, gap 0. Its tolerances are
            absolute, 1e-6, and scipy does not hand them on, so the range is scaled to 2^(n − 8):
            they are then below a thousandth of the error looked for. Of the scales tried this one
            goes wrong least often: what it calls optimal need not be. (It writes lines of its own.)
flsss       All subsets in a band about the target, in integers of 50 bits; of these the nearest.
            The band is as wide as to hold 8 by the normal density of subset sums, four times as
            wide where it holds none: one search finds and proves the nearest.
flsss, told One subset in the band that our own error spans. Who searches does not know that band;
            it shows what flsss needs at the very least.

No one gets a hint at the answer but the last. A peer that has not proved its answer when the limit
is over answers with the best it has.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numba
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.selection import SEED, one_decade, processor_seconds
from calibration.selection import select
from instrument.drawing import BLUE, INK, MUTED, VERMILION, draw

CELLS = {8: 40_000, 12: 40_000, 16: 20_000, 20: 8_000, 24: 2_000, 28: 500, 32: 40}
"""Of a batch of ours, by the number of branches: some tenths of a second at most."""
QUICK = (8, 12, 16, 20)
CALLS = 20
"""Repetitions of what is short: our call on one cell, and a peer's search."""
REPEATED_SECONDS = 2e-3
ROUNDING = 1.05
"""In multiples of our error: what integers of few bits cost a peer at most."""

COMPARED = 20
WANTED = {"CP-SAT": 10_000, "HiGHS": 10_000, "flsss": 20}
"""At COMPARED branches: how many times faster than a peer a cell shall be."""

Pattern = NDArray[np.bool_]
Solve = Callable[[], Pattern | None]


@dataclass(frozen=True)
class Cell:
    """One cell in units of its range: branches (n,) that add up to 1, and the target."""

    branch: NDArray[np.float64]
    target: float
    nearest: float
    """Error of our answer, for the one who is told."""

    def error(self, pattern: Pattern) -> float:
        """Return |sum − target|, rounded once."""
        return abs(math.fsum([*self.branch[pattern], -self.target]))

    def integers(self, bits: int) -> tuple[NDArray[np.int64], int]:
        """Return branches and target as integers, the range being 2^bits."""
        return np.rint(self.branch * 2.0**bits).astype(np.int64), round(self.target * 2.0**bits)


@dataclass
class Measured:
    """What one solver did with cells of one number of branches."""

    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    """Of the cells that were answered, over the cell's range."""
    worse: list[float] = field(default_factory=list)
    """How many times our error each of them is."""
    stopped: int = 0
    """Cells at which the limit was reached."""
    wrong: int = 0
    """Cells called solved before the limit whose sum is not the nearest, rounding apart."""
    unanswered: int = 0
    nearer: int = 0
    """Cells with a smaller error than ours, by more than `select` allows itself."""

    def mostly_stopped(self) -> bool:
        """Whether the median time is that of the limit."""
        return 2 * self.stopped > len(self.seconds)


def cp_sat(cell: Cell, limit_seconds: float) -> Solve:
    """Prepare OR-Tools' CP-SAT."""
    from ortools.sat.python import cp_model

    n = len(cell.branch)
    weights, target = cell.integers(n + 10)
    model = cp_model.CpModel()
    chosen = [model.new_bool_var(f"x{k}") for k in range(n)]
    error = model.new_int_var(0, 1 << (n + 10), "error")
    total = cp_model.LinearExpr.weighted_sum(chosen, weights.tolist())
    model.add(total - target <= error)
    model.add(target - total <= error)
    model.minimize(error)
    largest_first = [chosen[k] for k in np.argsort(-weights)]
    model.add_decision_strategy(largest_first, cp_model.CHOOSE_FIRST, cp_model.SELECT_MAX_VALUE)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 0
    solver.parameters.search_branching = cp_model.FIXED_SEARCH
    solver.parameters.max_time_in_seconds = limit_seconds

    def solve() -> Pattern | None:
        status = solver.solve(model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return np.array([solver.boolean_value(variable) for variable in chosen])

    return solve


def highs(cell: Cell, limit_seconds: float) -> Solve:
    """Prepare HiGHS, as scipy calls it."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n = len(cell.branch)
    scale = 2.0 ** (n - 8)
    weights, target = cell.branch * scale, cell.target * scale
    rows = np.array([[*weights, -1.0], [*weights, 1.0]])
    near = LinearConstraint(rows, [-np.inf, target], [target, np.inf])
    error_alone = np.eye(n + 1)[n]
    binary = 1 - error_alone

    def solve() -> Pattern | None:
        result = milp(
            error_alone,
            integrality=binary,
            bounds=Bounds(0.0, np.where(binary, 1.0, np.inf)),
            constraints=near,
            options={"mip_rel_gap": 0.0, "time_limit": limit_seconds},
        )
        return None if result.x is None else result.x[:n] > 0.5

    return solve


def flsss(cell: Cell, limit_seconds: float) -> Solve:
    """Prepare flsss for the nearest subset."""
    from flsss import gen

    n = len(cell.branch)
    weights, target = cell.integers(50)
    variance = float(np.square(weights.astype(float)).sum()) / 4
    away = target - float(weights.sum()) / 2
    log_density = n * math.log(2) - 0.5 * (away**2 / variance + math.log(2 * math.pi * variance))
    held_8 = math.ceil(4 * math.exp(-log_density))

    def solve() -> Pattern | None:
        half, until = held_8, time.perf_counter() + limit_seconds
        while (left := until - time.perf_counter()) > 0:
            band = (target - half, target + half)
            subsets = gen(weights, *band, n_solutions=1 << 20, time_limit=left, n_threads=1)
            if subsets:
                return _mask(n, min(subsets, key=lambda s: abs(int(weights[s].sum()) - target)))
            half *= 4
        return None

    return solve


def flsss_told(cell: Cell, limit_seconds: float) -> Solve:
    """Prepare flsss for any subset that is as near as ours."""
    from flsss import gen

    n = len(cell.branch)
    weights, target = cell.integers(50)
    half = math.ceil(cell.nearest * 2.0**50) + n  # of rounding

    def solve() -> Pattern | None:
        band = (target - half, target + half)
        subsets = gen(weights, *band, n_solutions=1, time_limit=limit_seconds, n_threads=1)
        return _mask(n, subsets[0]) if subsets else None

    return solve


def _mask(n: int, chosen: NDArray[np.int64]) -> Pattern:
    mask = np.zeros(n, np.bool_)
    mask[chosen] = True
    return mask


PEERS: dict[str, tuple[str, Callable[[Cell, float], Solve]]] = {
    "CP-SAT": ("ortools", cp_sat),
    "HiGHS": ("scipy", highs),
    "flsss": ("flsss", flsss),
    "flsss, told": ("flsss", flsss_told),
}
OURS, OUR_CALL = "ohmsum", "ohmsum, one cell"


def measure(
    n: int, peers: Sequence[str], instances: int, limit_seconds: float
) -> dict[str, Measured]:
    """Give the same cells to all, in turn, so that a busy machine is busy for all."""
    branch, target = one_decade(n, CELLS[n], np.random.default_rng(SEED))
    full = branch.sum(axis=1)
    branch, target = branch / full[:, None], target / full
    answer = select(branch[:instances], target[:instances])
    measured = {name: Measured() for name in (OURS, OUR_CALL, *peers)}
    for k in range(instances):
        cell_alone = branch[k : k + 1], target[k : k + 1]
        batch, call = measured[OURS], measured[OUR_CALL]
        batch.seconds.append(processor_seconds(partial(select, branch, target)) / CELLS[n])
        call.seconds += [processor_seconds(partial(select, *cell_alone)) for _ in range(CALLS)]
        ours = Cell(branch[k], float(target[k]), 0.0).error(answer.pattern[k])
        for mine in (batch, call):
            mine.errors.append(ours)
            mine.worse.append(1.0)
        for name in peers:
            cell = Cell(branch[k], float(target[k]), ours)
            _ask(measured[name], PEERS[name][1], cell, limit_seconds)
    return measured


def _ask(
    measured: Measured,
    prepare: Callable[[Cell, float], Solve],
    cell: Cell,
    limit_seconds: float,
) -> None:
    solve = prepare(cell, limit_seconds)
    began, start = time.perf_counter(), time.process_time()
    pattern = solve()
    seconds = [time.process_time() - start]
    stopped = time.perf_counter() - began >= limit_seconds
    if seconds[0] < REPEATED_SECONDS:
        seconds = [processor_seconds(solve) for _ in range(CALLS)]
    measured.seconds.append(statistics.median(seconds))
    measured.stopped += stopped
    if pattern is None:
        measured.unanswered += 1
    else:
        measured.errors.append(cell.error(pattern))
        measured.worse.append(measured.errors[-1] / cell.nearest)
        measured.wrong += not stopped and measured.worse[-1] > ROUNDING
        allowed = (len(cell.branch) + 2) * 2.0**-59
        measured.nearer += measured.errors[-1] < cell.nearest - allowed


def shown_seconds(seconds: float) -> str:
    unit, scale = ("s", 1.0) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{seconds * scale:.3g} {unit}"


def row(n: int, name: str, measured: Measured, ours: Measured) -> str:
    """Return a line of the table: medians, and the largest error in multiples of ours."""
    seconds = statistics.median(measured.seconds)
    ratio = seconds / statistics.median(ours.seconds)
    least = ">" if measured.mostly_stopped() else ""
    text = f"{n:4}  {name:<17} {least + shown_seconds(seconds):>9} {least + f'{ratio:,.0f}':>12}"
    if measured.errors:
        text += f" {statistics.median(measured.errors):9.1e} {max(measured.worse):11.3g}"
    notes = [f"{measured.stopped} stopped"] if measured.stopped else []
    notes += [f"{measured.wrong} wrong"] if measured.wrong else []
    notes += [f"{measured.unanswered} without an answer"] if measured.unanswered else []
    return f"{text}   {', '.join(notes)}".rstrip()


def verdicts(measured: dict[str, Measured]) -> list[str]:
    """Return how the wanted ratios at COMPARED branches came out."""
    ours = statistics.median(measured[OURS].seconds)
    call = statistics.median(measured[OUR_CALL].seconds)
    lines = []
    for name, wanted in WANTED.items():
        if name not in measured:
            lines.append(f"n = {COMPARED}: {name} was not measured")
            continue
        theirs = statistics.median(measured[name].seconds)
        met = "met" if theirs / ours >= wanted else "NOT met"
        lines.append(
            f"n = {COMPARED}: {theirs / ours:,.0f} times faster than {name} per cell of a batch "
            f"(wanted {wanted:,}: {met}), {theirs / call:,.0f} times as a call on one cell"
        )
    return lines


def picture(figure: Figure, all_measured: dict[int, dict[str, Measured]]) -> None:
    """Draw medians of time and error against n."""
    figure.set_size_inches(8.6, 4.2)
    figure.set_facecolor("white")  # a page may be dark
    left, right = figure.subplots(1, 2)
    styles = {
        OURS: (BLUE, "o-"),
        OUR_CALL: (BLUE, "o:"),
        "flsss": ("#009e73", "D-"),
        "flsss, told": ("#009e73", "D:"),
        "CP-SAT": (VERMILION, "s-"),
        "HiGHS": (MUTED, "^-"),
    }
    for name, (colour, style) in styles.items():
        points = [(n, m[name]) for n, m in all_measured.items() if name in m and m[name].errors]
        sizes = [n for n, _ in points]
        seconds = [statistics.median(m.seconds) for _, m in points]
        errors = [statistics.median(m.errors) for _, m in points]
        left.semilogy(sizes, seconds, style, color=colour, label=name)
        stopped = [k for k, (_, m) in enumerate(points) if m.mostly_stopped()]
        left.plot(
            [sizes[k] for k in stopped],
            [seconds[k] for k in stopped],
            style[0],
            color=colour,
            markerfacecolor="white",
        )
        if name not in (OUR_CALL, "flsss, told"):
            ours_below = {"markerfacecolor": "none"} if name != OURS else {"linewidth": 3.5}
            right.semilogy(sizes, errors, style, color=colour, **ours_below)
    left.set_ylabel("processor time per cell, s (hollow: stopped)")
    right.set_ylabel("error, of the range")
    for axes in (left, right):
        axes.set_xlabel("branches, n")
        axes.set_xticks(list(all_measured))
        axes.minorticks_off()
    left.axvline(COMPARED, color=INK, linewidth=0.6, linestyle=(0, (1, 2)))
    figure.legend(loc="outside lower center", ncols=6, handlelength=1.8, columnspacing=1.2)


def main(
    sizes: Sequence[int] = QUICK,
    instances: int = 3,
    limit_seconds: float = 20.0,
    picture_file: Path | None = None,
) -> None:
    """Print the table and what became of the wanted ratios.

    Raises SystemExit, with a message, where a peer found a nearer sum: that would be a bug.
    """
    missing = sorted({package for package, _ in PEERS.values() if find_spec(package) is None})
    peers = [name for name, (package, _) in PEERS.items() if package not in missing]
    for package in missing:
        print(f"{package} is not installed, so it is left out: pip install --editable '.[bench]'")
    threads, numba.config.NUMBA_NUM_THREADS = numba.config.NUMBA_NUM_THREADS, 1
    measure(8, peers, 1, limit_seconds)  # compiles, loads, warms up
    print(
        f"nearest sum, one-decade branches, {instances} cells, medians; one core; "
        f"a peer is stopped after {limit_seconds:g} s\n"
        "wrong: said to be solved, but not the nearest"
    )
    print("   n  solver            time/cell ratio to ours     error worst/ours")
    all_measured = {}
    for n in sizes:
        measured = all_measured[n] = measure(n, peers, instances, limit_seconds)
        for name, solver in measured.items():
            print(row(n, name, solver, measured[OURS]), flush=True)
    numba.config.NUMBA_NUM_THREADS = threads
    if COMPARED in all_measured:
        print(*verdicts(all_measured[COMPARED]), sep="\n")
    if picture_file is not None:
        svg = draw(lambda figure: picture(figure, all_measured), height_inches=4.2)
        picture_file.write_text(svg, "utf-8")
    nearer = [
        f"{name} at n = {n}"
        for n, measured in all_measured.items()
        for name, solver in measured.items()
        if solver.nearer
    ]
    if nearer:
        sys.exit(f"a nearer sum than ours was found by {', '.join(nearer)}")
    print("an error of ours larger than a peer's: none")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Selection next to its peers.")
    parser.add_argument("--instances", type=int, default=5, help="cells of each size [5]")
    parser.add_argument("--limit-seconds", type=float, default=20.0, help="per cell and peer [20]")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="time and error against n")
    given = parser.parse_args()
    main(tuple(CELLS), given.instances, given.limit_seconds, given.picture)
