"""What fixing the size of a subset costs, and where it costs nothing.

Exactly half of the switches are closed, or any number of them.

The C(n, k) sums of one size k crowd around k·ḡ. Of equal nominal resistors no other size comes near
them; of dispersed ones all sizes overlap, and a target that any of them may meet has more sums
around it: 2^n / C(n, n/2) ≈ √(πn/2) times as many where the weights have no mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import binom, ndtr

from calibration.arrays import Floats
from calibration.studies.banks import BANKS, Bank
from calibration.studies.compare import (
    FIT_FROM,
    Columns,
    column,
    fitted_rows,
    held,
    mean_excess,
    reached_bits,
)
from calibration.studies.fits import straight_line
from calibration.studies.frame import (
    Chunk,
    Gathered,
    Row,
    Samples,
    Study,
    Summary,
    rounded,
    rounded_bits,
    split,
)
from calibration.studies.sums import (
    nearest_error,
    nearest_error_of_size,
    sorted_sums,
)
from calibration.studies.theory.bits import MIN_RESISTANCES
from calibration.studies.theory.poisson import at_least_one, bits_reached
from kirchhoff.compiled import kernel

NAME = "fixed-size"
CASES = ("uniform", "equal-10", "decade-10")
_BY_KEY = {bank.key: bank for bank in BANKS if bank.key in CASES}
_NO_SPREAD = 1e-12
SEARCHES = ("fixed", "free", "anywhere")


@dataclass(frozen=True)
class Moments:
    """Of the weights of each bank (instances,): their mean and their standard deviation."""

    mean: Floats
    deviation: Floats


def fixed_size_study(instances: int, most: int) -> Study:
    """Return the study of `instances` banks of each kind for even n = 4 … `most` ≤ 24."""
    return Study(
        name=NAME,
        title="Subsets of exactly half of the resistances, and of any number of them",
        source="Natale, Ferré, Giambartolomei, Giroire and Mallmann-Trenn, NeurIPS 2024 (random "
        "fixed-size subset sums); Borgs, Chayes, Mertens and Pittel, Random Structures & "
        "Algorithms 24, 315 (2004) (partitions of given sizes)",
        notes=(
            "bits = log2(full scale / (2·error)) of half of the banks, a random target each; full "
            "scale is as for `bits` the central half of what the bank reaches, [−½, ½] for the "
            "uniform case, whatever the search: errors of a bank compare",
            "fixed: exactly n/2 closed, targets from the central half of what n/2 reach (uniform: "
            "[−½, ½]); free: any number, same targets; anywhere: any number, any target",
            "reach: part of the full scale between the least and the largest sum of n/2",
            "predicted: C(n, k) sums of k, normal, of mean k·ḡ and variance k(n − k)/(n − 1)·s², "
            "ḡ and s² of each bank; the nearest by the Poisson law; nothing in it is fitted",
            f"slope: bits for each resistance, least squares over n ≥ {FIT_FROM} ± 95 %",
        ),
        chunks=[
            chunk
            for n in range(MIN_RESISTANCES, most + 1, 2)
            for case in CASES
            for chunk in split(NAME, case, n, instances)
        ],
        measure=measure,
        summarize=summarize,
    )


def measure(seed: int, chunk: Chunk) -> Samples:
    """Return the bits of each search for each bank of a chunk, and what predicts them.

    The prediction takes targets and moments, as parts of the full scale.
    """
    bank = _BY_KEY[chunk.case]
    generator = chunk.generator(seed)
    weights = bank.draw(generator, chunk.instances, chunk.n)
    whole = np.array([bank.interval(instance) for instance in weights])
    full_scale = np.diff(whole).ravel()
    reach = _reach(weights)
    targets = [_targets(generator, near) for near in (_aimed(bank, reach), whole)]
    errors = _errors(weights, *targets)
    overlap = np.minimum(reach[:, 1], whole[:, 1]) - np.maximum(reach[:, 0], whole[:, 0])
    samples = {
        search: rounded_bits(error, full_scale)
        for search, error in zip(SEARCHES, errors, strict=True)
    }
    parts = {
        "aimed": targets[0],
        "any": targets[1],
        "mean": weights.mean(axis=1),
        "deviation": weights.std(axis=1),
        "reach": np.maximum(overlap, 0.0),
    }
    return samples | {name: rounded(part / full_scale) for name, part in parts.items()}


def _reach(weights: Floats) -> Floats:
    """Return the minimum and the maximum sum of half of the weights, (instances, 2)."""
    ordered = np.sort(weights, axis=1)
    half = weights.shape[1] // 2
    return np.stack([ordered[:, :half].sum(axis=1), ordered[:, -half:].sum(axis=1)], axis=1)


def _aimed(bank: Bank, reach: Floats) -> Floats:
    if bank.fixed_interval is not None:
        return np.tile(bank.fixed_interval, (len(reach), 1))
    return np.asarray(reach @ np.array([[0.75, 0.25], [0.25, 0.75]]))


def _targets(generator: np.random.Generator, interval: Floats) -> Floats:
    return np.asarray(interval[:, 0] + np.diff(interval).ravel() * generator.random(len(interval)))


@kernel
def _errors(weights: Floats, aimed: Floats, anywhere: Floats) -> Floats:
    """Errors (3, instances) of the searches."""
    instances, n = weights.shape
    errors = np.empty((3, instances))
    for k in range(instances):
        first = sorted_sums(weights[k, : n // 2], 2)
        second = sorted_sums(weights[k, n // 2 :], 2)
        errors[0, k] = nearest_error_of_size(weights[k], n // 2, aimed[k])
        errors[1, k] = nearest_error(first, second, aimed[k])
        errors[2, k] = nearest_error(first, second, anywhere[k])
    return errors


def expected_of_size(n: int, size: int, moments: Moments, target: Floats, error: float) -> Floats:
    """Return the expected number of sums of exactly `size` of n weights near each target.

    Near is within `error`; targets are (instances,). Drawn without replacement, they have the mean
    k·ḡ and the variance k(n − k)/(n − 1)·s²; taken as normal.
    """
    spread = moments.deviation * np.sqrt(size * (n - size) / (n - 1))
    # On this side the normal curve keeps its digits, however far the target is out.
    away = np.abs(target - size * moments.mean)
    # Of none and of all there is one sum, without any spread: nearly a step.
    scale = 1 / np.maximum(spread, _NO_SPREAD)
    return np.asarray(
        binom(n, size) * (ndtr((error - away) * scale) - ndtr((-error - away) * scale))
    )


def expected_of_any_size(n: int, moments: Moments, target: Floats, error: float) -> Floats:
    """Return how many sums of subsets of n weights are expected within `error` of each target."""
    sizes = range(n + 1)
    return np.asarray(
        np.sum([expected_of_size(n, k, moments, target, error) for k in sizes], axis=0)
    )


def summarize(gathered: Gathered) -> Summary:
    """Return the median bits of each bank and search, and the slopes."""
    rows: list[Row] = []
    findings: list[Row] = []
    for bank in CASES:
        for search in SEARCHES:
            curve = [
                _row(bank, search, n, gathered[bank, n])
                for n in sorted(n for case, n in gathered if case == bank)
            ]
            rows += curve
            findings.append(_finding(bank, search, curve))
    return Summary(rows, findings)


def _row(bank: str, search: str, n: int, samples: Mapping[str, Floats]) -> Row:
    row: Columns = {"bank": bank, "search": search, "n": n, "instances": samples[search].size}
    row |= reached_bits(samples[search], 0.5)
    moments = Moments(samples["mean"], samples["deviation"])
    target = samples["any" if search == "anywhere" else "aimed"]
    expected = (
        partial(expected_of_size, n, n // 2)
        if search == "fixed"
        else partial(expected_of_any_size, n)
    )
    row["predicted_bits"] = bits_reached(
        lambda error: float(at_least_one(expected(moments, target, error)).mean()), 0.5
    )
    row["reach"] = float(samples["reach"].mean()) if search == "fixed" else None
    return row


def _finding(bank: str, search: str, curve: list[Row]) -> Row:
    kept = fitted_rows(curve)
    line = straight_line(column(kept, "n"), column(kept, "bits"))
    last = curve[-1]
    return {
        "bank": bank,
        "search": search,
        "slope": line.slope,
        "slope_margin": line.slope_margin,
        "predicted_slope": straight_line(column(kept, "n"), column(kept, "predicted_bits")).slope,
        "reach": last["reach"],
        f"bits_at_{last['n']}": last["bits"],
        f"bits_at_{last['n']}_low": last["bits_low"],
        f"bits_at_{last['n']}_high": last["bits_high"],
        f"predicted_bits_at_{last['n']}": last["predicted_bits"],
        **mean_excess(kept, "bits"),
        **held(kept, "bits"),
    }
