"""Plan a characterization: predict uncertainty and time of each design, and choose one.

Everything is predicted from nominal conductances and the noise of a reading, before the board is
measured: the covariance of a crosspoint's unknowns, the range that the currents need, the time on
the board's clock and on its wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.arrays import Floats
from calibration.branches.designs import Design, one_at_a_time, s_matrix_groups, weighted
from calibration.crossbar import smallest_range
from calibration.reading_noise import ReadingNoise

HEADROOM = 1.25
"""Over nominal currents, for tolerances. The range also has room for the strongest branch beside
the group, in case that branch is stuck.
"""
WIRE_BYTES_PER_SECOND = 1e6
"""Rate of a USB full-speed port: at most 19 packets of 64 bytes in a frame of 1 ms (USB 2.0,
5.8.4), somewhat less in practice.
"""
MESSAGE_SECONDS = 2e-3
"""Time of a message beside its bytes: it waits for the next frame of 1 ms, and its answer for
another.
"""
BRACKET_SHARE = 0.25
"""Over the wanted uncertainty: what the drift between two readings of the reference may add to a
sum of half of the branches.
"""
MIN_DRIFT = 1e-9
"""Relative, per root second: minimum drift that is assumed."""
MIN_POINTS_FOR_ONE_PAIR, MIN_PAIRS = 6, 3
"""Points from which on one pair of polarities at each is enough to outvote an outlier, and the
number of pairs with fewer points.
"""
MAX_PASSES = 64
"""Maximum number of passes over the board."""


@dataclass(frozen=True)
class Conditions:
    """The board and the settings that a plan is made for."""

    rows: int
    columns: int
    nominal_siemens: Floats
    """(branches,)"""
    ranges_amperes: Floats
    """Ascending."""
    row_volts: float
    aperture_seconds: float
    delay_seconds: float
    drift_per_root_second: float = 3e-6
    """Common drift of all conductances as a random walk: 100 ppm/K in an air-conditioned room whose
    temperature moves by some 0.5 K in ten minutes.
    """

    @property
    def branches(self) -> int:
        """Number of branches of a crosspoint."""
        return len(self.nominal_siemens)


@dataclass(frozen=True)
class Plan:
    """A design, the number of readings, and the predicted result."""

    design: Design
    pairs: int
    """Readings of each polarity of each point in a pass."""
    passes: int
    """Number of passes over the whole board."""
    range_amperes: float
    bracket_seconds: float
    """Between two readings of the reference."""
    covariance: Floats
    """(1 + branches, 1 + branches) of (open, branches) of one crosspoint, siemens²."""
    board_seconds: float
    talking_seconds: float

    @property
    def branch_uncertainty_siemens(self) -> float:
        """Standard uncertainty of the worst branch."""
        return float(np.sqrt(np.diag(self.covariance)[1:].max()))

    @property
    def sum_uncertainty_siemens(self) -> float:
        """Root mean square over all patterns of the standard uncertainty of a crosspoint."""
        return float(np.sqrt(mean_sum_variance(self.covariance)))

    @property
    def uncertainty_siemens(self) -> float:
        """The larger of both uncertainties."""
        return max(self.branch_uncertainty_siemens, self.sum_uncertainty_siemens)

    @property
    def seconds(self) -> float:
        """Virtual time of a session: the board's clock, and talk on the wire beside it."""
        return self.board_seconds + self.talking_seconds


def mean_sum_variance(covariance: Floats) -> float:
    """Return the mean of wᵀΣw over all patterns, w = (1, pattern).

    Every switch is closed in half of the patterns: E[wwᵀ] holds ¼ off its diagonal, and ½ on it and
    beside the first unknown.
    """
    moments = np.full(covariance.shape, 0.25)
    moments[0, :] = moments[:, 0] = 0.5
    np.fill_diagonal(moments, 0.5)
    moments[0, 0] = 1.0
    return float((moments * covariance).sum())


def least_squares(design_matrix: Floats, covariance: Floats) -> Floats:
    """Return the generalized least squares estimator (unknowns, readings), `A = (XᵀV⁻¹X)⁻¹XᵀV⁻¹`.

    V is the known covariance of the readings (Aitken 1935). Readings are whitened by the Cholesky
    factor of V, and the whitened problem is solved by QR.
    """
    factor = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(factor, design_matrix)
    q, r = np.linalg.qr(whitened)
    return np.asarray(np.linalg.solve(r, np.linalg.solve(factor.T, q).T))


def needed_amperes(design: Design, conditions: Conditions) -> float:
    """Return the largest current that a healthy board is expected to draw."""
    siemens = conditions.nominal_siemens
    max_siemens = float((design.groups @ siemens).max()) + float(siemens.max())
    return HEADROOM * conditions.row_volts * max_siemens


def predict(
    design: Design, noise: ReadingNoise, conditions: Conditions, wanted_siemens: float
) -> Plan:
    """Predict the result of one pass of a design over the board.

    A half difference of n pairs has the variance `σ²(I) / 2nV²`. Drift within a bracket of h
    seconds is common to all branches of a row and leaves r²h/6 of their square: the mean variance
    of a random walk of rate r between two known ends.
    """
    volts, siemens = conditions.row_volts, conditions.nominal_siemens
    pairs = 1 if len(design.groups) >= MIN_POINTS_FOR_ONE_PAIR else MIN_PAIRS
    range_amperes = smallest_range(conditions.ranges_amperes, needed_amperes(design, conditions))
    signal = volts * (design.groups @ siemens)
    variance = noise.variance(signal, range_amperes) / (2 * pairs * volts**2)
    estimator = least_squares(design.matrix, np.diag(variance))

    point_seconds = conditions.delay_seconds + pairs * conditions.aperture_seconds
    if not design.scannable:  # a vector takes one reading
        point_seconds = pairs * (conditions.delay_seconds + conditions.aperture_seconds)
    row_seconds = 2 * len(design.groups) * point_seconds
    run_seconds = conditions.rows * row_seconds
    drifting = max(conditions.drift_per_root_second, MIN_DRIFT)
    tolerable = 2 * BRACKET_SHARE * wanted_siemens / (drifting * float(siemens.sum()))
    bracket_seconds = float(np.clip(6 * tolerable**2, row_seconds, run_seconds))
    drift = conditions.drift_per_root_second * np.sqrt(bracket_seconds / 6)
    theta = np.concatenate([[0.0], siemens])
    brackets = np.ceil(run_seconds / bracket_seconds) + 1
    return Plan(
        design=design,
        pairs=pairs,
        passes=1,
        range_amperes=range_amperes,
        bracket_seconds=bracket_seconds,
        covariance=(estimator * variance) @ estimator.T + drift**2 * np.outer(theta, theta),
        board_seconds=run_seconds + float(brackets) * 2 * point_seconds,
        talking_seconds=_talking_seconds(design, pairs, conditions),
    )


def repeated(plan: Plan, passes: int) -> Plan:
    """Return the plan with `passes` passes, whose noise and drift are independent."""
    factor = passes / plan.passes
    return replace(
        plan,
        passes=passes,
        covariance=plan.covariance / factor,
        board_seconds=plan.board_seconds * factor,
        talking_seconds=plan.talking_seconds * factor,
    )


def _talking_seconds(design: Design, pairs: int, conditions: Conditions) -> float:
    """Return the time on the wire.

    A scan sends many points and returns their readings. Otherwise every point takes a pattern, and
    vectors with their readings.
    """
    points = conditions.rows * len(design.groups)
    answered = 4 * conditions.columns * 2 * pairs
    if design.scannable:
        return points * (2 * 8 + answered) / WIRE_BYTES_PER_SECOND
    pattern = conditions.rows * conditions.columns * conditions.branches / 8
    moved = pattern + 2 * pairs * 4 * conditions.rows + answered
    return points * (moved / WIRE_BYTES_PER_SECOND + 2 * MESSAGE_SECONDS)


def candidates(noise: ReadingNoise, conditions: Conditions) -> list[Design]:
    """Return the designs to compare.

    These are: one branch at a time, also with the open crosspoint read more often; S-matrix groups;
    and both with the most useful points repeated.
    """
    branches = conditions.branches
    plain = [one_at_a_time(branches), s_matrix_groups(branches)]
    dunnett = max(2, round(np.sqrt(branches)))
    grown = [
        weighted(design, best_repeats(design, len(design.groups) + extra, noise, conditions))
        for design in plain
        for extra in (dunnett - 1, len(design.groups))
    ]
    return [*plain, one_at_a_time(branches, dunnett), *grown]


def best_repeats(
    design: Design, points: int, noise: ReadingNoise, conditions: Conditions
) -> NDArray[np.int_]:
    """Return how often to read each point of a design, `points` readings in all.

    The repeats minimize the mean variance of a crosspoint's sums. Each goes where it lowers
    `tr(MΣ)` most (sequential construction, Wynn 1970): a reading x of variance v reduces Σ by Σxxᵀ
    Σ/(v + xᵀΣx).
    """
    volts, siemens = conditions.row_volts, conditions.nominal_siemens
    range_amperes = smallest_range(conditions.ranges_amperes, needed_amperes(design, conditions))
    variance = noise.variance(volts * (design.groups @ siemens), range_amperes)
    matrix = design.matrix
    repeats = np.ones(len(matrix), dtype=np.int_)
    covariance = np.linalg.inv(matrix.T @ (matrix / variance[:, None]))
    for _ in range(points - len(matrix)):
        responses = covariance @ matrix.T
        spread = variance + (matrix.T * responses).sum(axis=0)
        gains = [
            mean_sum_variance(np.outer(u, u)) / s for u, s in zip(responses.T, spread, strict=True)
        ]
        best = int(np.argmax(gains))
        repeats[best] += 1
        covariance -= np.outer(responses[:, best], responses[:, best]) / spread[best]
    return repeats


def quickest(
    designs: Sequence[Design], noise: ReadingNoise, conditions: Conditions, wanted_siemens: float
) -> Plan:
    """Return the quickest plan whose uncertainty is at most the wanted one.

    Where 64 passes do not reach it, return the plan with the smallest uncertainty.
    """
    plans = []
    for design in designs:
        plan = predict(design, noise, conditions, wanted_siemens)
        needed = (plan.uncertainty_siemens / wanted_siemens) ** 2
        plans.append(repeated(plan, int(np.clip(np.ceil(needed), 1, MAX_PASSES))))
    sufficient = [
        plan for plan in plans if plan.uncertainty_siemens <= wanted_siemens * (1 + 1e-12)
    ]
    if sufficient:
        return min(sufficient, key=lambda plan: plan.seconds)
    return min(plans, key=lambda plan: plan.uncertainty_siemens)
