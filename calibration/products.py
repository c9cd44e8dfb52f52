"""Products as the budget needs them, from a programmed board's own numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from calibration.branches import BranchCalibration
from calibration.budget import Products
from calibration.converters import Converters
from calibration.crossbar import measuring_volts
from calibration.curves import Curves
from calibration.noise import NoiseSurvey
from calibration.noise_readings import DAC_STEP
from calibration.refinement import Programmed
from calibration.transfer import TransferMeasurement
from calibration.warming import CHANGE_KELVIN, Warming

Floats = NDArray[np.float64]
NODES = 15
SECONDS_PER_HOUR = 3600.0


def products_of(
    programmed: Programmed,
    branches: BranchCalibration,
    converters: Converters,
    survey: NoiseSurvey,
    row_volts: Floats,
    range_amperes: Floats,
    moments: Sequence[tuple[float, float]],
) -> Products:
    """Return products of a programmed board for row voltages (vectors, rows), each vector read in a
    range (vectors,), for the budget.

    `branches` are what the board was programmed from; their wires' drop is no matter here.
    `moments` are seconds and kelvin of the board before the first product, after the last, and in
    between as often as they were asked for.
    """
    rows, outputs = programmed.targets.difference_siemens.shape
    used = np.s_[:rows, : 2 * outputs]
    transfer = programmed.transfer
    closed = programmed.pattern * branches.branch_siemens
    board_volts = np.zeros((len(row_volts), len(branches.open_siemens)))
    board_volts[:, :rows] = row_volts
    settings = converters.settings(board_volts)
    step = _dac_step_volts(survey, converters.rows.full_scale)
    volts = measuring_volts(converters.rows.full_scale)
    readings = 2 << max(1, (rows - 1).bit_length())
    siemens = transfer.siemens[used]
    share = (np.arange(len(row_volts)) + 0.5) / len(row_volts)
    seconds = moments[0][0] + share * (moments[-1][0] - moments[0][0])
    middle_seconds = (transfer.began[0] + transfer.ended[0]) / 2
    return Products(
        row_volts=row_volts,
        rounding_volts=(np.rint(settings / step) * step - settings)[:, :rows],
        row_bend_volts=converters.rows.uncertainty(board_volts)[:, :rows],
        wanted_siemens=programmed.targets.difference_siemens,
        transfer_siemens=siemens,
        transfer_uncertainty_siemens=transfer.uncertainty_siemens[: 2 * outputs],
        transfer_volts=volts,
        transfer_readings=readings,
        squared_siemens=(closed**2).sum(axis=2)[used],
        column_siemens=(closed.sum(axis=2) + branches.open_siemens).sum(axis=0)[: 2 * outputs],
        range_amperes=range_amperes,
        column_bend_amperes=column_bend_amperes(
            converters.columns, transfer.siemens, row_volts, volts, range_amperes
        )[:, : 2 * outputs],
        seconds=seconds - middle_seconds,
        square_kelvin=_square_kelvin(transfer, seconds, np.array(moments), survey.warming),
        aged_decades=_decades(seconds) - _decades(middle_seconds),
    )


def column_bend_amperes(
    curves: Curves, siemens: Floats, row_volts: Floats, volts: float, range_amperes: Floats
) -> Floats:
    """Return the standard uncertainty (vectors, columns) of what the ADCs' curves leave in
    products.

    The zero and the transfer matrix were measured through the same curves, with all rows at
    ±`volts`, by currents that are nearly normally distributed: the constant and the gain that they
    saw are in what was measured, and are no error.
    """
    nodes, weights = hermegauss(NODES)
    weights = weights / weights.sum()
    usual = volts * np.sqrt((siemens**2).sum(axis=0)) / range_amperes.min()
    basis = curves.basis(nodes[:, None] * usual)
    constant = np.tensordot(weights, basis, 1)
    gain = np.tensordot(weights * nodes, basis, 1) / usual[:, None]
    places = row_volts @ siemens / range_amperes[:, None]
    left = curves.basis(places) - constant - places[..., None] * gain
    return np.asarray(range_amperes[:, None] * curves.spread(left))


def _dac_step_volts(survey: NoiseSurvey, limit_volts: float) -> float:
    """Return the step of the DACs: the documented one where what was seen agrees with it, or what
    was seen.
    """
    documented, seen = DAC_STEP * limit_volts, survey.dac_quantization
    if abs(seen.value - documented**2 / 12) <= 2 * seen.uncertainty:
        return documented
    return float(np.sqrt(12 * seen.expected))


def _square_kelvin(
    transfer: TransferMeasurement, seconds: Floats, moments: Floats, warming: Warming
) -> Floats:
    """Return the mean square (vectors,) of the change of temperature from the middle of the
    transfer matrix' measurement to products at some time, K².

    The thermometer was read when either began, when they ended, and at other moments (moments, 2)
    during the products. In between the temperature is taken to go straight, and to have wandered
    about that as fast as it was seen to, a random walk between two known ends.
    """
    (began, cold), (ended, warm) = transfer.began, transfer.ended
    change = np.interp(seconds, *moments.T) - (cold + warm) / 2
    after = np.clip(np.searchsorted(moments[:, 0], seconds), 1, len(moments) - 1)
    since, until = seconds - moments[after - 1, 0], moments[after, 0] - seconds
    bridged = since * until / np.maximum(since + until, 1e-9)
    middle = (ended - began) / 4
    return np.asarray(change**2 + CHANGE_KELVIN**2 + warming.wander * (bridged + middle))


def _decades(seconds: Floats | float) -> Floats:
    return np.log10(1 + np.asarray(seconds) / SECONDS_PER_HOUR)
