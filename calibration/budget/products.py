"""Collect what the budget needs of products, from a programmed board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.arrays import Floats
from calibration.branches import BranchCalibration
from calibration.budget.causes import Products
from calibration.converters import Converters, Curves
from calibration.crossbar import Moment
from calibration.noise import NoiseSurvey
from calibration.programming import Programmed, watched
from calibration.temperature import CHANGE_KELVIN, Warming, decades
from calibration.transfer import (
    ProductRange,
    TransferMeasurement,
    driven_lower,
    ranges_of_products,
    weighing_signs,
)

TINY = 1e-300


def products_of(
    programmed: Programmed,
    branches: BranchCalibration,
    converters: Converters,
    survey: NoiseSurvey,
    row_volts: Floats,
    moments: Sequence[Moment],
    watched_at: Moment | None = None,
) -> Products:
    """Return products of a programmed board for row voltages (vectors, rows), for the budget.

    `branches` are those that the board was programmed from; the drop in their wires is irrelevant
    here. `moments` are times and temperatures of the board before the first product, after the
    last, and in between as often as they were read. `watched_at` is when sentinels were read before
    all of them, None if they were not.
    """
    rows, outputs = programmed.targets.difference_siemens.shape
    used = np.s_[:rows, : 2 * outputs]
    transfer = programmed.transfer
    lower = driven_lower(programmed.ranges, transfer, row_volts, 2 * outputs)
    row_volts = row_volts / lower[:, None]
    closed = programmed.pattern * branches.branch_siemens
    board_volts = np.zeros((len(row_volts), len(branches.open_siemens)))
    board_volts[:, :rows] = row_volts
    settings = converters.settings(board_volts)
    step = _dac_step_volts(converters, survey)
    volts = transfer.volts
    readings = 2 * len(weighing_signs(rows))
    which = ranges_of_products(programmed.ranges, transfer, row_volts, 2 * outputs)
    ranges = [programmed.ranges[index] for index in which]
    range_amperes = np.array([read_in.range_amperes for read_in in ranges])
    share = (np.arange(len(row_volts)) + 0.5) / len(row_volts)
    seconds = moments[0][0] + share * (moments[-1][0] - moments[0][0])
    middle_seconds, _ = transfer.middle
    watched_warmer_kelvin, watched_square_kelvin = _since_watched(
        transfer, seconds, moments, watched_at or transfer.middle, survey.warming
    )
    return Products(
        row_volts=row_volts,
        driven_lower=lower,
        rounding_volts=(np.rint(settings / step) * step - settings)[:, :rows],
        row_bend_volts=converters.rows.uncertainty(board_volts)[:, :rows],
        wanted_siemens=programmed.targets.difference_siemens,
        transfer_siemens=transfer.siemens[used],
        transfer_uncertainty_siemens=np.maximum(
            transfer.uncertainty_siemens[: 2 * outputs],
            _rounded_siemens(survey, programmed.range_amperes, volts, readings),
        ),
        transfer_volts=volts,
        transfer_readings=readings,
        squared_siemens=(closed**2).sum(axis=2)[used],
        column_siemens=(closed.sum(axis=2) + branches.open_siemens).sum(axis=0)[: 2 * outputs],
        range_amperes=range_amperes,
        column_bend_amperes=column_bend_amperes(
            converters.columns,
            transfer.siemens,
            row_volts,
            volts,
            range_amperes,
            programmed.range_amperes,
        )[:, : 2 * outputs],
        tied_siemens=np.array([tied.uncertainty_siemens for tied in ranges])[:, : 2 * outputs],
        tied_square_kelvin=np.array([_tied_square_kelvin(tied, survey.warming) for tied in ranges]),
        seconds=seconds - middle_seconds,
        square_kelvin=_square_kelvin(transfer, seconds, np.array(moments), survey.warming),
        warmer_kelvin=_between(seconds, np.array(moments))[0] - transfer.middle[1],
        watched_square_kelvin=watched_square_kelvin,
        watched_warmer_kelvin=watched_warmer_kelvin,
        aged_decades=decades(seconds) - decades(middle_seconds),
    )


def _rounded_siemens(
    survey: NoiseSurvey, range_amperes: float, volts: float, readings: int
) -> float:
    """Return what the rounding of the ADCs adds to an element of a transfer matrix, in siemens.

    It is a standard uncertainty. Readings at opposite voltages round alike where noise does not
    spread them over steps; their scatter then does not show the rounding.
    """
    step_square = survey.adc_quantization.value * range_amperes**2
    return float(np.sqrt(step_square / (readings / 2)) / volts)


def column_bend_amperes(
    curves: Curves,
    siemens: Floats,
    row_volts: Floats,
    volts: float,
    range_amperes: Floats,
    used_amperes: float,
) -> Floats:
    """Return the standard uncertainty (vectors, columns) that the ADCs' curves leave in products.

    Each vector is read in a range (vectors,); `used_amperes` is the range of use. A deviation δ of
    a curve is in the readings of the products, in the zero, and in the transfer matrix, which were
    measured through it with all rows at ±`volts`. In the range of use, δ(I) − mean δ − v·δT
    remains. In a wider range it is δ(I) − mean δ − I·Σ T·δT/ΣT², because only a gain of each column
    is measured there. All of it is linear in the curve's coefficients.
    """
    signs = weighing_signs(len(siemens))
    measured = volts * signs @ siemens
    power = (siemens**2).sum(axis=0)
    bend = np.empty((len(row_volts), siemens.shape[1]))
    for full in np.unique(range_amperes).tolist():
        in_range = range_amperes == full
        amperes = row_volts[in_range] @ siemens
        plus, minus = curves.basis(measured / full), curves.basis(-measured / full)
        zero = (plus + minus).mean(axis=0) / 2
        transfer = np.tensordot(signs.T, plus - minus, 1) / (2 * len(signs) * volts)
        if full == used_amperes:
            taken_in = np.tensordot(row_volts[in_range], transfer, 1)
        else:
            gain = np.einsum("ij,ijn->jn", siemens, transfer) / np.maximum(power, TINY)[:, None]
            taken_in = amperes[..., None] * gain
        bend[in_range] = full * curves.spread(curves.basis(amperes / full) - zero - taken_in)
    return bend


def _dac_step_volts(converters: Converters, survey: NoiseSurvey) -> float:
    """Return the step of the DACs, in volts.

    It is that of their bits, or that of the survey where it is clearly larger.
    """
    step, surveyed = converters.step_volts, survey.dac_quantization
    if surveyed.value - step**2 / 12 <= 2 * surveyed.uncertainty:
        return step
    return float(np.sqrt(12 * surveyed.expected))


def _square_kelvin(
    transfer: TransferMeasurement, seconds: Floats, moments: Floats, warming: Warming
) -> Floats:
    """Return the mean square change of temperature (vectors,) since the transfer measurement, K².

    It counts from the middle of that measurement to the time of each product. The thermometer was
    read when either began, when they ended, and at other moments (moments, 2) during the products.
    In between, the temperature is taken as a straight line, plus a random walk between two known
    ends that wanders as fast as was observed.
    """
    (began, _), (ended, _) = transfer.began, transfer.ended
    kelvin, bridged = _between(seconds, moments)
    change, middle = kelvin - transfer.middle[1], (ended - began) / 4
    return np.asarray(change**2 + CHANGE_KELVIN**2 + warming.wander * (bridged + middle))


def _since_watched(
    transfer: TransferMeasurement,
    seconds: Floats,
    moments: Sequence[Moment],
    since: Moment,
    warming: Warming,
) -> tuple[Floats, Floats]:
    """Return the change of temperature since the gain was measured, and its mean square.

    Both are (vectors,), in kelvin by the thermometer and in K². The gain was measured by sentinels,
    or with the transfer matrix where none were read; `since` is when either was before the first of
    the moments.
    """
    times = np.array(moments)
    read_at = np.array(watched(moments, since))
    which = np.searchsorted(times[:, 0], seconds, side="right") - 1
    kelvin, bridged = _between(seconds, times)
    change = kelvin - read_at[which, 1]
    since_sentinels = change**2 + CHANGE_KELVIN**2 + warming.wander * bridged
    never = read_at[which, 0] == transfer.middle[0]
    return change, np.where(
        never, _square_kelvin(transfer, seconds, times, warming), since_sentinels
    )


def _between(seconds: Floats, moments: Floats) -> tuple[Floats, Floats]:
    """Interpolate temperatures at times (vectors,) between moments (moments, 2), in kelvin.

    Returns also s(L − s)/L of each, in seconds, for a time s into an interval of length L: the
    variance of a random walk between two known ends, over its variance per second.
    """
    after = np.clip(np.searchsorted(moments[:, 0], seconds), 1, len(moments) - 1)
    since, until = seconds - moments[after - 1, 0], moments[after, 0] - seconds
    return np.interp(seconds, *moments.T), since * until / np.maximum(since + until, 1e-9)


def _tied_square_kelvin(tied: ProductRange, warming: Warming) -> float:
    """Return the mean square change of temperature between the measurements that tied a range.

    In K². Each took as long as they are apart.
    """
    if not tied.apart_seconds:
        return 0.0
    unseen = warming.wander * tied.apart_seconds / 2
    return tied.warmer_kelvin**2 + CHANGE_KELVIN**2 + unseen
