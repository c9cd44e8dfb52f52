"""Cost of a product: multiply-adds of the digital one; time and heat of the analog one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from drivers import SpentSeconds
from instrument.matrix import TiledMatrix


@dataclass(frozen=True)
class Cost:
    """Cost of one product, x of (rows,) times W of (rows, outputs), as a mean over vectors."""

    multiply_adds: int
    """Multiply-adds of the same product done digitally: rows · outputs."""
    spent: SpentSeconds
    """Time on the board's clock, and time of talking beside it."""
    resistor_joules: float
    """Heat in the crosspoints and wires while the rows were driven. Converters, amplifiers and
    logic, which take more, are not included.
    """


def cost_of(program: TiledMatrix, inputs: Floats, spent: SpentSeconds) -> Cost:
    """Return the mean cost of the products of inputs (vectors, rows), which took `spent` together.

    With v the row voltages and T the measured transfer matrix, all columns at virtual ground, P =
    Σᵢ vᵢ² Σⱼ Tᵢⱼ, for as long as a vector is driven: settling and aperture. Tiles take turns, so
    the power is the mean of theirs.
    """
    volts = inputs * program.volts_per_unit
    tile_watts = [
        (
            volts[:, part.tile.of_rows] ** 2
            @ np.nansum(part.matrix.programmed.transfer.siemens, axis=1)
        ).mean()
        for part in program.tiles
    ]
    watts = float(np.mean(tile_watts))
    per_product = SpentSeconds(*(seconds / len(inputs) for seconds in spent))
    return Cost(
        multiply_adds=program.weights.size,
        spent=per_product,
        resistor_joules=watts * (per_product.settling + per_product.integrating),
    )
