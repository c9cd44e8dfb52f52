"""Lueker's law: how many random weights it takes to come within ε of a target, or of every target.

Weights uniform on [−1, 1], targets in [−½, ½]; n = O(log 1/ε) suffices with high probability.
bits = log2(1 / (2ε)): 2^n sums, each within ε of a stretch 2ε long, cover all targets only if
n ≥ bits, so a weight brings one bit at most.
"""

from __future__ import annotations

from functools import partial
from math import log2

from calibration.arrays import Floats
from calibration.studies.compare import (
    FIT_FROM,
    Columns,
    column,
    fitted_rows,
    held,
    mean_excess,
    reached_bits,
    reaching,
)
from calibration.studies.fits import straight_line
from calibration.studies.frame import Gathered, Row, Study, Summary, split
from calibration.studies.theory.bits import MIN_RESISTANCES, measure
from calibration.studies.theory.poisson import bits_reached, uniform_every, uniform_random

NAME = "lueker"
BANK = "uniform"
SHARES = (0.5, 0.9)
WANTED_BITS = 9.0
"""ε about one in a thousand: 2^-10."""
TARGETS = {"random": ("pair", uniform_random), "every": ("every", uniform_every)}


def lueker_study(instances: int, most: int) -> Study:
    """Return the study of `instances` banks of n = 4 … `most` weights, n ≤ 24."""
    return Study(
        name=NAME,
        title="Lueker's law: weights needed for an error ε",
        source="Lueker, Random Structures & Algorithms 12, 51 (1998): n = O(log 1/ε); da Cunha, "
        "d'Amore, Giroire, Lesfari, Natale and Viennot, ESA 2023; predicted numbers by the "
        "Poisson law of Borgs, Chayes, Mertens and Nair, Random Structures & Algorithms 34, 217 "
        "(2009)",
        notes=(
            "bits = log2(1 / (2ε)); weights uniform on [−1, 1], targets in [−½, ½]",
            "random, every: the share of banks that come within ε of one random target, of every "
            "target",
            f"constant: of n = constant · log2(1/ε) + intercept, least squares over n ≥ {FIT_FROM} "
            "± 95 %; no constant below 1 is possible, 2^n sums being too few (1 / ln 2 for natural "
            "logarithms)",
            "predicted: nothing in it is fitted; its constant is that of the same n, for what "
            "n costs in √n and log n beside 2^n has not yet died away",
        ),
        chunks=[
            chunk
            for n in range(MIN_RESISTANCES, most + 1)
            for chunk in split(NAME, BANK, n, instances)
        ],
        measure=measure,
        summarize=summarize,
    )


def summarize(gathered: Gathered) -> Summary:
    """Return the bits that half and nine tenths of the banks reach, and the constants."""
    rows: list[Row] = []
    findings: list[Row] = []
    for targets in TARGETS:
        for share in SHARES:
            curve = [
                _row(targets, share, n, samples[TARGETS[targets][0]])
                for (_, n), samples in sorted(gathered.items())
            ]
            rows += curve
            findings.append(_finding(targets, share, curve))
    return Summary(rows, findings)


def _row(targets: str, share: float, n: int, bits: Floats) -> Row:
    row: Columns = {"targets": targets, "share": share, "n": n, "instances": bits.size}
    row |= reached_bits(bits, share)
    row["predicted_bits"] = bits_reached(partial(TARGETS[targets][1], n), share)
    # A random target is covered by chance where only a share of all targets is.
    row["bound_bits"] = n - log2(share) if targets == "random" else float(n)
    return row


def _finding(targets: str, share: float, curve: list[Row]) -> Row:
    kept = fitted_rows(curve)
    n = column(kept, "n")
    line = straight_line(column(kept, "bits"), n)
    predicted = straight_line(column(kept, "predicted_bits"), n)
    return {
        "targets": targets,
        "share": share,
        "constant": line.slope,
        "constant_margin": line.slope_margin,
        "predicted_constant": predicted.slope,
        "bound": 1.0,
        **reaching(curve, "n", "bits", WANTED_BITS, f"n_for_{WANTED_BITS:g}_bits"),
        **mean_excess(kept, "bits"),
        **held(kept, "bits"),
    }
