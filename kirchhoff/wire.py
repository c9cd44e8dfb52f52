"""The resistances of a crossbar's wiring."""

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Wire:
    """Resistances of the wiring of a crossbar, each finite and >= 0, in ohms.

    `row_ohms` joins neighbouring crosspoints of a row, `column_ohms` those of a column;
    `source_ohms` stands between a row's driver and its first crosspoint, `sense_ohms` between a
    column's last crosspoint and its virtual ground.

    Raises ValueError naming the field that is negative or not finite.
    """

    row_ohms: float
    column_ohms: float
    source_ohms: float
    sense_ohms: float

    def __post_init__(self) -> None:
        for field in fields(self):
            ohms = getattr(self, field.name)
            if not (math.isfinite(ohms) and ohms >= 0):
                raise ValueError(f"{field.name} must be finite and >= 0 ohms, not {ohms!r}")
