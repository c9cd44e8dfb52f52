"""Bits of precision against the number of resistances: the theory's figure, and real boards.

bits = log2(full scale / (2·error)), full scale being the width of the interval that targets come
from: the central half of what a bank reaches, [−½, ½] in the theory's case.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from calibration.arrays import Floats
from calibration.studies.banks import BANKS, Bank
from calibration.studies.compare import FIT_FROM, column, fitted_rows
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
from calibration.studies.sums import nearest_error, sorted_sums, worst_error
from calibration.studies.theory.poisson import bits_reached, uniform_every, uniform_random
from kirchhoff.compiled import kernel

NAME = "bits"
MIN_RESISTANCES = 4
"""Of a bank; a study begins here."""
MAX_SUMS = 2**24
"""Above this, a bank's worst target is left out: 2^24 are 24 branches, 3^15 are 15."""
MEASURES = {"pair": "a random target", "every": "every target"}
LAWS = {"uniform": {"pair": uniform_random, "every": uniform_every}}
"""Predictions in closed form, by bank and measure."""
_BY_KEY = {bank.key: bank for bank in BANKS}


def bits_study(instances: int, most: int) -> Study:
    """Return the study of `instances` banks of each kind for n = 4 … `most`."""
    return Study(
        name=NAME,
        title="Bits of precision against the number of resistances",
        source="Lueker, Random Structures & Algorithms 12, 51 (1998), for the uniform case: "
        "n = O(log 1/ε); Borgs, Chayes, Mertens and Nair, Random Structures & Algorithms 34, 217 "
        "(2009), for the Poisson law",
        notes=(
            "bits = log2(full scale / (2·error)); full scale is the interval targets come from: "
            "the central half of what the bank reaches, [−½, ½] for the uniform case",
            f"pair: {instances:,} random banks with one random target each",
            "every: the worst target of each bank's whole interval (half the largest gap), same "
            f"banks; where there are at most {MAX_SUMS:,} sums: 24 two-way, 15 three-way switches",
            f"lines: least squares over n ≥ {FIT_FROM}, ± 95 % by Student's t on the residuals",
            "predicted: by the Poisson law, for the uniform case; nothing in it is fitted",
        ),
        chunks=[
            chunk
            for n in range(MIN_RESISTANCES, most + 1)
            for bank in BANKS
            for chunk in split(NAME, bank.key, n, instances)
        ],
        measure=measure,
        summarize=summarize,
    )


def measure(seed: int, chunk: Chunk) -> Samples:
    """Return the bits of each instance of a chunk.

    Their names are `pair`, and `every` where there are not too many sums.
    """
    bank = _BY_KEY[chunk.case]
    generator = chunk.generator(seed)
    weights = bank.draw(generator, chunk.instances, chunk.n)
    intervals = np.array([bank.interval(instance) for instance in weights])
    widths = intervals[:, 1] - intervals[:, 0]
    targets = intervals[:, 0] + widths * generator.random(chunk.instances)
    if bank.mirrored():
        intervals[:, 1] = intervals.mean(axis=1)
    every = counts_every(bank, chunk.n)
    errors = _errors(weights, targets, intervals, bank.states, every)
    samples = {"pair": rounded_bits(errors[0], widths)}
    if every:
        samples["every"] = rounded_bits(errors[1], widths)
    return samples


def counts_every(bank: Bank, n: int) -> bool:
    """Whether the worst target of a bank of n switches is looked for."""
    return bool(bank.states**n <= MAX_SUMS)


@kernel
def _errors(
    weights: Floats, targets: Floats, intervals: Floats, states: int, every: bool
) -> Floats:
    """Errors (2, instances) of a random and, if asked for, of the worst target."""
    instances, n = weights.shape
    errors = np.zeros((2, instances))
    # A short list beside a long one suits the walk over all sums, equal ones the search for one.
    part = 2 * n // 5 if every else n // 2
    for k in range(instances):
        first = sorted_sums(weights[k, :part], states)
        second = sorted_sums(weights[k, part:], states)
        errors[0, k] = nearest_error(first, second, targets[k])
        if every:
            errors[1, k] = worst_error(first, second, intervals[k, 0], intervals[k, 1])
    return errors


def summarize(gathered: Gathered) -> Summary:
    """Return median and worst bits of every bank and n, and the lines through them."""
    rows: list[Row] = []
    for (case, n), samples in sorted(gathered.items(), key=_in_order):
        row: dict[str, str | int | float | None] = {"bank": case, "n": n}
        for measured in MEASURES:
            bits = samples.get(measured)
            row["instances"] = len(samples["pair"])
            row[f"{measured}_median_bits"] = None if bits is None else float(np.median(bits))
            row[f"{measured}_worst_bits"] = None if bits is None else float(bits.min())
        rows.append(row)
    findings = [
        _line(bank, measured, statistic, rows)
        for bank in BANKS
        for measured in MEASURES
        for statistic in ("median", "worst")
    ]
    return Summary(rows, findings)


def _in_order(item: tuple[tuple[str, int], object]) -> tuple[int, int]:
    case, n = item[0]
    return list(_BY_KEY).index(case), n


def _line(bank: Bank, measured: str, statistic: str, rows: list[Row]) -> Row:
    bits = f"{measured}_{statistic}_bits"
    known = [row for row in rows if row["bank"] == bank.key and row[bits] is not None]
    kept = fitted_rows(known)
    n = column(kept, "n")
    line = straight_line(n, column(kept, bits))
    predicted = None
    if statistic == "median" and bank.key in LAWS:
        law = LAWS[bank.key][measured]
        predicted = straight_line(n, [bits_reached(partial(law, int(k)), 0.5) for k in n])
    return {
        "bank": bank.key,
        "targets": measured,
        "statistic": statistic,
        "from_n": kept[0]["n"],
        "to_n": kept[-1]["n"],
        "slope": line.slope,
        "slope_margin": line.slope_margin,
        "predicted_slope": predicted.slope if predicted else None,
        "intercept": line.intercept,
        "intercept_margin": line.intercept_margin,
        "predicted_intercept": predicted.intercept if predicted else None,
    }
