"""What knowing the branches' uncertainty is worth: true mean square error of a chosen sum.

Differential pairs of one-decade branches, 10 % tolerance. Every branch is measured with a standard
uncertainty of its own, around 5, 20 or 100 ppm of it, and is truly off by a draw of it; both
objectives choose from the same measured values, and the truth judges them.
Run: python -m benchmarks.selection_uncertainty
"""

import time

import numpy as np

from calibration.selection import Objective, Selection, select

SEED = 1
CELLS = {12: 40_000, 16: 20_000, 20: 8_000, 24: 2_000}
PARTS_PER_MILLION = (5, 20, 100)
UNEVENNESS = 0.5
"""Standard deviation of the logarithm of the uncertainties: weak branches and noisy columns."""


def measured_pairs(
    n: int, cells: int, parts_per_million: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Measured branches and their uncertainties (cells, n), targets (cells,), true branches."""
    ohms = np.tile(100e3 * 10 ** (np.arange(n // 2) / (n // 2)), 2)
    measured = np.repeat([1.0, -1.0], n // 2) / (ohms * rng.uniform(0.9, 1.1, (cells, n)))
    spread = parts_per_million * 1e-6 * np.abs(measured)
    uncertainty = spread * np.exp(UNEVENNESS * rng.standard_normal((cells, n)))
    target = rng.uniform(-0.25, 0.25, cells) * np.abs(measured).sum(axis=1)
    return measured, uncertainty, target, measured + uncertainty * rng.standard_normal((cells, n))


def main() -> None:
    """Print one line for each number of branches and uncertainty."""
    print("true root mean square error of the sum, ppm of full scale; m: ratio of mean squares")
    print("   n   ppm   nearest     least       m  differ, m of those  µs/cell nearest  least")
    for n, cells in CELLS.items():
        for parts_per_million in PARTS_PER_MILLION:
            rng = np.random.default_rng((SEED, n, parts_per_million))
            measured, uncertainty, target, true = measured_pairs(n, cells, parts_per_million, rng)
            full_scale = np.abs(measured).sum(axis=1)

            def chosen(
                objective: Objective,
                cells: slice,
                measured: np.ndarray = measured,
                uncertainty: np.ndarray = uncertainty,
                target: np.ndarray = target,
            ) -> Selection:
                return select(
                    measured[cells],
                    target[cells],
                    uncertainty=uncertainty[cells],
                    objective=objective,
                )

            square, took, pattern = {}, {}, {}
            for objective in ("nearest", "least_square_error"):
                chosen(objective, slice(8))
                start = time.perf_counter()
                pattern[objective] = chosen(objective, slice(None)).pattern
                took[objective] = (time.perf_counter() - start) / cells * 1e6
                miss = ((true * pattern[objective]).sum(axis=1) - target) / full_scale
                square[objective] = (miss * 1e6) ** 2
            near, least = square["nearest"], square["least_square_error"]
            differ = (pattern["nearest"] != pattern["least_square_error"]).any(axis=1)
            print(
                f"{n:4} {parts_per_million:5} {near.mean() ** 0.5:9.3f} {least.mean() ** 0.5:9.3f}"
                f" {least.mean() / near.mean():7.4f} {differ.mean():7.1%}"
                f" {least[differ].mean() / near[differ].mean():11.3f}"
                f" {took['nearest']:16.1f} {took['least_square_error']:6.1f}"
            )


if __name__ == "__main__":
    main()
