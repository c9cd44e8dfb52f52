"""What a product cost: multiply-adds if it is digital; time and heat as the board did it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from drivers import SpentSeconds
from instrument.matrix import TiledMatrix


@dataclass(frozen=True)
class Cost:
    """Of one product, x of (rows,) times W of (rows, outputs), the mean over vectors."""

    multiply_adds: int
    """Of the same product done digitally, as it stands: rows · outputs."""
    spent: SpentSeconds
    """On the board's clock, and talking beside it."""
    resistor_joules: float
    """Turned to heat in the crosspoints and wires while the rows were driven. Converters,
    amplifiers and logic, which take more, are not in it.
    """


def cost_of(program: TiledMatrix, inputs: Floats, spent: SpentSeconds) -> Cost:
    """Return what one of the products of inputs (vectors, rows) cost, all of which took `spent`.

    With v the row voltages and T the measured transfer matrix, all columns at virtual ground,
    P = Σᵢ vᵢ² Σⱼ Tᵢⱼ, for as long as a vector stands: settling and aperture. Tiles take turns: the
    mean of theirs is drawn all the time.
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
    each = SpentSeconds(*(seconds / len(inputs) for seconds in spent))
    return Cost(
        multiply_adds=program.weights.size,
        spent=each,
        resistor_joules=watts * (each.settling + each.integrating),
    )
