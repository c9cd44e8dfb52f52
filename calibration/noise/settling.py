"""Settling: what readings miss soon after the rows have moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.statistics import MeasuredValue

MIN_SHARE_SIGMAS = 5.0
"""Standard uncertainties that a share must exceed for its logarithm to be used."""


@dataclass(frozen=True)
class Settling:
    """Shares of a change that readings miss."""

    at_once: MeasuredValue
    """Of a reading without a delay."""
    seconds: MeasuredValue
    """Time constant of the exponential; 0, as uncertain as the longest delay, where fewer than two
    delays showed a residue.
    """
    left: MeasuredValue
    """At the delay in use, by the exponential; as observed where there is none."""
    left_seen: MeasuredValue
    """At the delay in use, from readings against a delay twice as long."""


def find_settling(
    delay_seconds: Floats, missing: Floats, uncertainty: Floats, in_use_seconds: float
) -> Settling:
    """Return the share left at the delay in use, from the missing shares after several delays.

    Arrays are (delays,). Delays ascend from 0; the last is the one that `missing` is relative to,
    the last but one is at least as long as the delay in use. The exponential is a straight line
    through the logarithms, weighted by their uncertainties. A slower and weaker settling shows in
    `left_seen` alone.
    """
    at_once = MeasuredValue(float(missing[0]), float(uncertainty[0]))
    left_seen = MeasuredValue(float(missing[-2]), float(uncertainty[-2]))
    clear = missing > MIN_SHARE_SIGMAS * uncertainty
    if clear.sum() < 2:
        unknown = MeasuredValue(0.0, float(delay_seconds[-1]))
        return Settling(at_once, unknown, left_seen, left_seen)
    design = np.stack([np.ones(clear.sum()), -delay_seconds[clear]], axis=1)
    weights = (missing[clear] / uncertainty[clear]) ** 2
    covariance = np.linalg.inv(design.T @ (weights[:, None] * design))
    start, rate = covariance @ (design.T @ (weights * np.log(missing[clear])))
    ahead = np.array([1.0, -in_use_seconds])
    left = float(np.exp(start - rate * in_use_seconds))
    return Settling(
        at_once=at_once,
        seconds=MeasuredValue(float(1 / rate), float(np.sqrt(covariance[1, 1]) / rate**2)),
        left=MeasuredValue(left, left * float(np.sqrt(ahead @ covariance @ ahead))),
        left_seen=left_seen,
    )
