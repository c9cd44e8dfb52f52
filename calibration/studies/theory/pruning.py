"""What one weight costs when a network is made by pruning a random one.

The nearest of n random weights is compared with the best subset of them.

Malach et al. keep one random weight near each weight that is wanted, Pensia et al. and Orseau et
al. keep a subset whose sum is near it. The error falls as 1/n with the one, as 2^-n but for powers
of n with the other.
"""

from __future__ import annotations

from functools import partial
from math import log2

import numpy as np

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
from calibration.studies.frame import (
    Chunk,
    Gathered,
    Row,
    Samples,
    Study,
    Summary,
    rounded_bits,
    split,
)
from calibration.studies.sums import nearest_error, sorted_sums
from calibration.studies.theory.bits import MIN_RESISTANCES
from calibration.studies.theory.poisson import bits_reached, uniform_random
from kirchhoff.compiled import kernel

NAME = "pruning"
NEAREST, SUBSET = "nearest", "subset"
DOUBLINGS = range(2, 17)
"""Of the weights from which the nearest is taken: 4 … 65,536."""
SHARES = (0.5, 0.9)
WANTED_BITS = 9.0
"""ε about one in a thousand: 2^-10."""


def pruning_study(instances: int, most: int) -> Study:
    """Return the study of `instances` target weights.

    Each is made by a subset of n = 4 … `most` ≤ 24 random weights, and by the nearest of up to
    65,536.
    """
    return Study(
        name=NAME,
        title="One weight from n random ones: the nearest, and the best subset",
        source="Malach, Yehudai, Shalev-Shwartz and Shamir, ICML 2020 (the nearest); Pensia, "
        "Rajput, Nagle, Vishwakarma and Papailiopoulos, NeurIPS 2020, and Orseau, Hutter and "
        "Rivasplata, NeurIPS 2020 (subsets)",
        notes=(
            "bits = log2(1 / (2ε)); target weights uniform on [−½, ½], random ones on [−1, 1]",
            "nearest: P(error > ε) = (1 − ε)^n exactly, so n ≈ ln 2 / ε for half of the targets",
            "subset: predicted by the Poisson law, as for `lueker`; nothing in it is fitted",
            "slope: bits for each doubling of n (nearest), for each weight (subset), least squares "
            f"over n ≥ {FIT_FROM} ± 95 %",
        ),
        chunks=[
            chunk
            for case, lengths in (
                (NEAREST, [2**power for power in DOUBLINGS]),
                (SUBSET, range(MIN_RESISTANCES, most + 1)),
            )
            for n in lengths
            for chunk in split(NAME, case, n, instances)
        ],
        measure=measure,
        summarize=summarize,
    )


def measure(seed: int, chunk: Chunk) -> Samples:
    """Return the bits of each target weight of a chunk."""
    generator = chunk.generator(seed)
    targets = generator.uniform(-0.5, 0.5, chunk.instances)
    search = _nearest if chunk.case == NEAREST else _best_subset
    # One bank at a time: a whole chunk of the longest would take 130 MB in each thread.
    errors = [search(generator.uniform(-1, 1, chunk.n), target) for target in targets]
    return {"bits": rounded_bits(np.array(errors), 1.0)}


def _nearest(weights: Floats, target: float) -> float:
    return float(np.abs(weights - target).min())


@kernel
def _best_subset(weights: Floats, target: float) -> float:
    middle = weights.size // 2
    first, second = sorted_sums(weights[:middle], 2), sorted_sums(weights[middle:], 2)
    return float(nearest_error(first, second, target))


def nearest_bits(n: int, share: float) -> float:
    """Return the bits that a share of targets reaches with the nearest of n weights."""
    return -1 - log2(1 - (1 - share) ** (1 / n))


def summarize(gathered: Gathered) -> Summary:
    """Return the bits that half and nine tenths of the targets reach either way, and the slopes."""
    rows: list[Row] = []
    findings: list[Row] = []
    for way in (NEAREST, SUBSET):
        for share in SHARES:
            curve = [
                _row(way, share, n, samples["bits"])
                for (case, n), samples in sorted(gathered.items())
                if case == way
            ]
            rows += curve
            findings.append(_finding(way, share, curve))
    return Summary(rows, findings)


def _row(way: str, share: float, n: int, bits: Floats) -> Row:
    row: Columns = {"way": way, "share": share, "n": n, "doublings": log2(n)}
    row |= {"instances": bits.size} | reached_bits(bits, share)
    row["predicted_bits"] = (
        nearest_bits(n, share)
        if way == NEAREST
        else bits_reached(partial(uniform_random, n), share)
    )
    return row


def _finding(way: str, share: float, curve: list[Row]) -> Row:
    over = "doublings" if way == NEAREST else "n"
    kept = fitted_rows(curve)
    line = straight_line(column(kept, over), column(kept, "bits"))
    predicted = straight_line(column(kept, over), column(kept, "predicted_bits"))
    needed = reaching(curve, over, "bits", WANTED_BITS, f"n_for_{WANTED_BITS:g}_bits")
    if way == NEAREST:
        needed = {name: None if at is None else 2.0 ** float(at) for name, at in needed.items()}
    return {
        "way": way,
        "share": share,
        "slope": line.slope,
        "slope_margin": line.slope_margin,
        "predicted_slope": predicted.slope,
        **needed,
        **mean_excess(kept, "bits"),
        **held(kept, "bits"),
    }
