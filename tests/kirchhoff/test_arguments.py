"""What is refused, and by what name."""

import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from kirchhoff import Wire, column_currents, transfer_matrix

WIRE = Wire(row_ohms=1, column_ohms=1, source_ohms=1, sense_ohms=1)
FIELDS = ("row_ohms", "column_ohms", "source_ohms", "sense_ohms")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("ohms", [-1e-300, -1.0, np.inf, -np.inf, np.nan])
def test_wire_refuses_what_no_resistance_is(field: str, ohms: float) -> None:
    with pytest.raises(ValueError, match=field):
        Wire(**{**dict.fromkeys(FIELDS, 0.0), field: ohms})


def test_wire_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        WIRE.row_ohms = 2.0  # type: ignore[misc]  # refused at run time too, which is the point


@pytest.mark.parametrize(
    "siemens",
    [
        1e-3,
        [1e-3, 1e-3],
        np.ones((1, 2, 3)),
        np.ones((0, 3)),
        np.ones((3, 0)),
        [[1e-3, -1e-9]],
        [[1e-3, np.nan]],
        [[1e-3, np.inf]],
        [[1e-3], [1e-3, 1e-3]],
        [["1e-3"]],
        [[1e-3 + 1j]],
        [[True]],
    ],
)
def test_conductances_refused(siemens: object) -> None:
    with pytest.raises(ValueError, match="crosspoint_siemens"):
        transfer_matrix(siemens, WIRE)
    with pytest.raises(ValueError, match="crosspoint_siemens"):
        column_currents(siemens, [[1.0]], WIRE)


@pytest.mark.parametrize(
    "volts",
    [
        1.0,
        [1.0, 1.0, 1.0],
        np.ones((1, 2)),
        np.ones((3, 1)),
        np.ones((1, 1, 3)),
        [[1.0, np.nan, 1.0]],
        [[1.0, np.inf, 1.0]],
        [["1", "1", "1"]],
    ],
)
def test_voltages_refused(volts: object) -> None:
    with pytest.raises(ValueError, match="row_volts"):
        column_currents(np.ones((3, 2)), volts, WIRE)


def test_importing_the_package_does_not_load_the_compiler() -> None:
    program = "import sys; from kirchhoff import Wire; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
