"""What a board says of itself, as the journal keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from calibration.arrays import Floats
from calibration.records import Record
from drivers import CrossbarBoard, Identity


@dataclass(frozen=True, eq=False)
class BoardFacts(Record):
    """A board's description of itself, read when it is opened."""

    identity: Identity
    type: str
    rows: int
    columns: int
    branches: int
    nominal_ohms: Floats
    """(branches,), ohm."""
    row_volts_limit: float
    ranges_amperes: Floats
    """(ranges,), ascending, A."""
    line_hertz: float
    dac_bits: int
    adc_bits: int

    @classmethod
    def of(cls, board: CrossbarBoard) -> BoardFacts:
        """Return what an open board said of itself."""
        return cls(**{field.name: getattr(board, field.name) for field in fields(cls)})

    def document(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return {
            **asdict(self),
            "nominal_ohms": self.nominal_ohms.tolist(),
            "ranges_amperes": self.ranges_amperes.tolist(),
        }

    @classmethod
    def of_document(cls, document: Any) -> BoardFacts:
        """Return the facts of a JSON document.

        Raises ValueError where something is missing or of another kind.
        """
        try:
            values = {field.name: document[field.name] for field in fields(cls)}
            values["identity"] = Identity(**values["identity"])
            for name in ("nominal_ohms", "ranges_amperes"):
                values[name] = np.array(values[name], dtype=np.float64)
            for name in ("rows", "columns", "branches", "dac_bits", "adc_bits"):
                values[name] = int(values[name])
            for name in ("row_volts_limit", "line_hertz"):
                values[name] = float(values[name])
            return cls(**values)
        except (TypeError, LookupError) as error:
            raise ValueError(f"not what a board says of itself ({error})") from error

    def differences(self, other: BoardFacts) -> str:
        """Return in words what differs from another board; empty where nothing does."""
        mine, others = self.document(), other.document()
        return "; ".join(
            f"{name} {mine[name]}, {others[name]} is recorded"
            for name in mine
            if mine[name] != others[name]
        )
