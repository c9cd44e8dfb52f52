"""The phase transition of number partitioning.

The question is whether n random numbers of b bits can be split into two halves of equal sums.

An instance of it is a bank that shall meet half of its own sum, exactly, in integers. Below
κ = b/n = 1 it nearly always can, above hardly ever.
"""

from __future__ import annotations

from math import log2, pi, sqrt

import numpy as np

from calibration.arrays import Floats
from calibration.studies.compare import Columns, differences, held, reaching, seen_share
from calibration.studies.frame import Chunk, Gathered, Row, Samples, Study, Summary, split
from calibration.studies.sums import nearest_error, sorted_sums
from calibration.studies.theory.poisson import at_least_one
from kirchhoff.compiled import kernel

NAME = "partition"
LENGTHS = (8, 12, 16, 20, 24)
BITS_BELOW, BITS_ABOVE = 6, 5
"""Around n, within which the probability falls from nearly 1 to nearly 0."""


def partition_study(instances: int, most: int) -> Study:
    """Return the study of `instances` lists for each n up to `most` ≤ 24 and each b around it."""
    return Study(
        name=NAME,
        title="Number partitioning: perfect partitions of n random numbers of b bits",
        source="Mertens, Phys. Rev. Lett. 81, 4281 (1998): κ_c(n) = 1 − log2(πn/6) / (2n); Borgs, "
        "Chayes and Pittel, Random Structures & Algorithms 19, 247 (2001)",
        notes=(
            "κ = b/n; numbers uniform on 1 … 2^b; perfect: the two sums differ by 0, or by 1 where "
            "the total is odd",
            "predicted: P = 1 − exp(−E) with E = 2^(n−1) · 2 / √(2πn⟨x²⟩) perfect partitions "
            "expected of an even total, twice as many of an odd one; half of the totals are odd",
            "transition: κ at which P = 1/2, by a straight line between neighbouring b; at "
            "Mertens' κ_c P is 0.51",
            "intervals: 95 %, Clopper and Pearson; difference: of probabilities, measured and "
            "predicted",
        ),
        chunks=[
            chunk
            for n in LENGTHS
            if n <= most
            for bits in range(n - BITS_BELOW, n + BITS_ABOVE + 1)
            for chunk in split(NAME, f"{bits} bits", n, instances)
        ],
        measure=measure,
        summarize=summarize,
    )


def measure(seed: int, chunk: Chunk) -> Samples:
    """Return of each list of a chunk whether its total is `odd` and its partition `perfect`."""
    largest = 2 ** _bits(chunk.case)
    numbers = chunk.generator(seed).integers(1, largest, (chunk.instances, chunk.n), endpoint=True)
    return {
        "odd": [float(total % 2) for total in numbers.sum(axis=1)],
        "perfect": [float(is_perfect) for is_perfect in perfect(numbers.astype(np.float64))],
    }


def _bits(case: str) -> int:
    return int(case.removesuffix(" bits"))


@kernel
def perfect(numbers: Floats) -> Floats:
    """Return 1 for each list, whole numbers (lists, n), with a perfect partition, else 0.

    Exact while the totals are below 2^52: float64 then holds their halves too.
    """
    is_perfect = np.zeros(numbers.shape[0])
    for k in range(is_perfect.size):
        middle = numbers.shape[1] // 2
        first = sorted_sums(numbers[k, :middle], 2)
        second = sorted_sums(numbers[k, middle:], 2)
        is_perfect[k] = nearest_error(first, second, 0.5 * numbers[k].sum()) <= 0.5
    return is_perfect


def expected_perfect(n: int, bits: float) -> float:
    """Return the expected number of perfect partitions of n numbers with an even total.

    The numbers are uniform on 1 … 2^bits. A partition and its mirror image count once. Of an odd
    total the number is twice that.

    The signed sum Σ ± x is about normal, of variance n⟨x²⟩, on every other integer: 0 has the
    probability 2 / √(2πn⟨x²⟩), and so has each of ± 1.
    """
    largest = 2.0**bits
    mean_square = (largest + 1) * (2 * largest + 1) / 6
    return 2.0 ** (n - 1) * 2 / sqrt(2 * pi * n * mean_square)


def perfect_probability(expected: float) -> float:
    """Return the probability of a perfect partition where `expected` are expected.

    `expected` is that of an even total; as many lists have an odd one.
    """
    even, odd = at_least_one(np.array([expected, 2 * expected]))
    return float(even + odd) / 2


def critical_kappa(n: int) -> float:
    """Return the critical ratio κ_c(n) = 1 − log2(πn/6) / (2n) (Mertens 1998).

    There, one of the 2^n assignments of signs is expected to be perfect where the total is even,
    which is half a partition.
    """
    return 1 - log2(pi * n / 6) / (2 * n)


def summarize(gathered: Gathered) -> Summary:
    """Return the probability of a perfect partition over κ, and the transition of each n."""
    rows = [
        _row(n, _bits(case), samples["perfect"], samples["odd"])
        for (case, n), samples in sorted(gathered.items(), key=lambda item: _place(item[0]))
    ]
    curves = [[row for row in rows if row["n"] == n] for n in LENGTHS]
    return Summary(rows, [_finding(curve) for curve in curves if curve])


def _place(case: tuple[str, int]) -> tuple[int, int]:
    return case[1], _bits(case[0])


def _row(n: int, bits: int, is_perfect: Floats, odd: Floats) -> Row:
    row: Columns = {"n": n, "bits": bits, "kappa": bits / n, "instances": is_perfect.size}
    row |= seen_share("probability", is_perfect)
    expected = expected_perfect(n, bits)
    row["predicted_probability"] = perfect_probability(expected)
    for parity, chosen, times in (("even", odd == 0, 1), ("odd", odd == 1, 2)):
        row |= seen_share(f"{parity}_probability", is_perfect[chosen])
        row[f"predicted_{parity}_probability"] = float(at_least_one(times * expected))
    return row


def _finding(curve: list[Row]) -> Row:
    n = curve[0]["n"]
    return {
        "n": n,
        **reaching(curve, "kappa", "probability", 0.5, "transition"),
        "critical_kappa": critical_kappa(int(n or 0)),
        "largest_difference": float(np.abs(differences(curve, "probability")).max()),
        **held(curve, "probability"),
    }
