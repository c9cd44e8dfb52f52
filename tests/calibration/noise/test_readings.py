"""The readings of a survey miss no phase of the line."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.noise.readings import Settings, take_readings
from simulator.parts.resistors import draw_branches
from simulator.preset import load_preset
from tests.support.branch_calibrations import calibration_of
from tests.support.simulated_boards import changed, switched_on

SETTINGS = Settings(range_amperes=3e-3, aperture_seconds=20e-3, delay_seconds=1e-3, line_hertz=50.0)


@pytest.mark.parametrize("line_hertz", [50.0, 60.0])
@pytest.mark.parametrize("delay_seconds", [0.2e-3, 1e-3, 4.9e-3, 7e-3])
def test_readings_of_the_line_are_an_odd_number_of_quarter_cycles_apart(line_hertz, delay_seconds):
    preset = changed(load_preset("8x4"), shape={"columns": 2})
    board = switched_on(preset, 1)
    calibration = calibration_of(draw_branches(preset, 1).closed_siemens)
    settings = replace(SETTINGS, line_hertz=line_hertz, delay_seconds=delay_seconds)
    line = take_readings(board, calibration, settings).line
    quarters = 4 * line_hertz * line.period_seconds
    assert quarters == pytest.approx(np.rint(quarters), abs=1e-6)
    assert round(quarters) % 2 == 1
    # Half a cycle is read, and no longer is waited than half a cycle beyond the delay in use.
    assert line.aperture_seconds == pytest.approx(0.5 / line_hertz)
    assert 0 <= line.period_seconds - line.aperture_seconds - delay_seconds < 0.5 / line_hertz
