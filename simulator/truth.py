"""The ground truth of a simulated board, a file for tests to compare with.

No command of the board answers it.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from simulator.electronics import SimulatedCrossbar
from simulator.files import write_whole


def save_truth(crossbar: SimulatedCrossbar, path: Path) -> None:
    """Write the true properties of a board to a .npz file. Raises OSError.

    All arrays hold at the reference temperature and without ageing. Of the branches, (rows,
    columns, branches): `closed_siemens` and `open_siemens` as the faults have left them by now,
    `drawn_closed_siemens` and `drawn_open_siemens` as they were drawn, `closed_siemens_per_kelvin`
    (S/K). Of the row drivers, (rows,): `dac_gain_error`, `dac_offset_volts`. Of the columns:
    `tia_gain_error` (ranges, columns), `tia_offset_volts` and `adc_gain_error` (columns,).
    `ranges_amperes` is (ranges,). `about` is JSON: the preset in force with the wire's segments,
    the time, and every fault of the plan with its `branches` (row, column, branch, from 1) and its
    `strikes` as pairs of seconds and number of the program message.
    """
    faults = crossbar.faults
    drawn, now = faults.drawn, faults.branches
    shape = crossbar.rows, crossbar.columns, crossbar.branches
    about = {
        "preset": crossbar.preset.model_dump(mode="json"),
        "seconds": crossbar.clock.seconds,
        "operations": faults.operations,
        "faults": [
            fault.model_dump(mode="json", exclude_none=True)
            | {
                "branches": (np.stack(np.unravel_index(places, shape), axis=1) + 1).tolist(),
                "strike_count": strikes.count,
                "strikes": strikes.listed,
            }
            for fault, places, strikes in zip(
                faults.plan.fault, faults.places, faults.strikes, strict=True
            )
        ],
    }
    dacs, readers = crossbar.dacs, crossbar.readers
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        about=json.dumps(about),
        closed_siemens=now.closed_siemens,
        open_siemens=now.open_siemens,
        drawn_closed_siemens=drawn.closed_siemens,
        drawn_open_siemens=drawn.open_siemens,
        closed_siemens_per_kelvin=now.closed.first,
        dac_gain_error=dacs.gain_error,
        dac_offset_volts=dacs.offset_volts,
        tia_gain_error=readers.tia_gain_error,
        tia_offset_volts=readers.tia_offset_volts,
        adc_gain_error=readers.adc_gain_error,
        ranges_amperes=crossbar.ranges_amperes,
    )
    write_whole(path, packed.getvalue())
