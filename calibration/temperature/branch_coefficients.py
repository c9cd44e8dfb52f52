"""Temperature coefficients of branches, from measurements at the temperatures that came up.

A branch measured at moments m, at T_m and at L_m decades of its age, follows

    ln g_m = ln g + α (T_m − T) + a (L_m − L) + e_m,

α its temperature coefficient, a what it ages by in a decade. Nothing is supposed of g. Of α it is
supposed that branches of one lot scatter about a coefficient that they have in common, of a that it
scatters about zero by its class: Bayesian linear regression (Gelman et al. 2013, chapter 14), whose
normal equations are three by three for each branch. Where the day has offered one temperature only,
α comes out as what was supposed, as uncertain as that is.

Conductances are relative to the converters of the row and the column, and so are the coefficients:
those of the converters are in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import erfcx

from calibration.arrays import Floats
from calibration.branches import BranchCalibration
from calibration.records import Record
from calibration.statistics import OUTLIER_SIGMAS, MeasuredValue
from calibration.temperature.ageing import AGEING_PER_DECADE, decades
from calibration.temperature.survey_coefficients import CHANGE_KELVIN, Warming

ROUNDS = 6
FLAT_INFORMATION = 1e-12
"""Information about ln g before anything is measured."""


@dataclass(frozen=True)
class KnownMoment:
    """When branches were measured, or are to be used, and how well the temperature is known."""

    seconds: float
    """Since power-on, on the board's clock."""
    kelvin: float
    """What the board's sensor said."""
    uncertainty_kelvin: float = CHANGE_KELVIN
    """Standard uncertainty of the temperature, but for the sensor's own error, which all moments
    have in common.
    """


@dataclass(frozen=True)
class Measured:
    """Branches as they were measured once."""

    siemens: Floats
    """(branches,): NaN where nothing is known."""
    uncertainty_siemens: Floats
    """(branches,): standard uncertainty."""
    moment: KnownMoment


@dataclass(frozen=True)
class Conductances:
    """Branches as they are at one moment; arrays are (branches,)."""

    siemens: Floats
    uncertainty_siemens: Floats
    """Standard uncertainty, but for the common coefficient, which changes all of them alike."""
    per_kelvin: Floats
    """Temperature coefficients, relative."""
    uncertainty_per_kelvin: Floats
    """Their standard uncertainties, that of the common one included."""
    common_per_kelvin: MeasuredValue
    """What the coefficients have in common."""
    own_per_kelvin: float
    """Standard deviation of what each has beside that."""


@dataclass(frozen=True, eq=False, repr=False)
class Coefficients(Record):
    """Temperature coefficients of a board's branches; relative to the board's own converters."""

    per_kelvin: Floats
    """(rows, columns, branches); 0 where the branch is not usable."""
    uncertainty_per_kelvin: Floats
    """(rows, columns, branches): standard uncertainty, that of the common one included."""
    common_per_kelvin: MeasuredValue
    """What all have in common."""
    own_per_kelvin: float
    """Standard deviation of what each has beside that."""


def moment_of(branches: BranchCalibration) -> KnownMoment:
    """Return when branches were characterized.

    The temperature was read here and there while it went over some range; its mean is taken for
    known to a tenth of that.
    """
    unseen = float(np.ptp(branches.kelvin_range)) / 10
    return KnownMoment(
        branches.reference_seconds,
        branches.reference_kelvin,
        float(np.hypot(CHANGE_KELVIN, unseen)),
    )


def with_earlier(
    branches: BranchCalibration, earlier: Sequence[BranchCalibration], warming: Warming
) -> tuple[BranchCalibration, Coefficients]:
    """Return branches as earlier characterizations of the same board make them better known, and
    their temperature coefficients.

    `warming` is what is supposed of the coefficients. Where an earlier characterization does not
    know a branch, the others tell.
    """

    def measured(one: BranchCalibration) -> Measured:
        siemens = np.where(one.usable, one.branch_siemens, np.nan)
        return Measured(siemens.ravel(), one.uncertainty_siemens.ravel(), moment_of(one))

    found = conductances_at(
        moment_of(branches),
        [measured(one) for one in (*earlier, branches)],
        warming.gain_per_kelvin,
        float(np.sqrt(warming.branch_square.expected)),
    )
    shape = branches.status.shape
    coefficients = Coefficients(
        found.per_kelvin.reshape(shape),
        found.uncertainty_per_kelvin.reshape(shape),
        found.common_per_kelvin,
        found.own_per_kelvin,
    )
    siemens = found.siemens.reshape(shape)
    return _restated(branches, siemens, found.uncertainty_siemens.reshape(shape)), coefficients


def moved_to(
    moment: KnownMoment, branches: BranchCalibration, coefficients: Coefficients
) -> BranchCalibration:
    """Return branches as they should be at another moment.

    What all coefficients have in common, right or wrong, moves all branches alike and is no
    uncertainty of one: the scale of products carries it.
    """
    warmer = moment.kelvin - branches.reference_kelvin
    aged = float(decades(moment.seconds) - decades(branches.reference_seconds))
    common = coefficients.common_per_kelvin.uncertainty
    own_square = np.maximum(coefficients.uncertainty_per_kelvin**2 - common**2, 0.0)
    siemens = branches.branch_siemens * np.exp(coefficients.per_kelvin * warmer)
    added = siemens**2 * (own_square * warmer**2 + (AGEING_PER_DECADE * aged) ** 2)
    uncertainty = np.sqrt(branches.uncertainty_siemens**2 + added)
    moved = _restated(branches, siemens, np.where(branches.usable, uncertainty, 0.0))
    return replace(moved, reference_kelvin=moment.kelvin, reference_seconds=moment.seconds)


def _restated(
    branches: BranchCalibration, siemens: Floats, uncertainty_siemens: Floats
) -> BranchCalibration:
    """Return branches with other values and uncertainties (rows, columns, branches); what these
    have become larger by is added to the covariance of each row, as the mean over its columns.
    """
    usable = branches.usable
    more = np.where(usable, uncertainty_siemens**2 - branches.uncertainty_siemens**2, 0.0)
    added = np.maximum(more.sum(axis=1) / np.maximum(usable.sum(axis=1), 1), 0.0)
    covariance = branches.signal_covariance_siemens2.copy()
    covariance[:, 1:, 1:] += added[:, :, None] * np.eye(usable.shape[2])
    return replace(
        branches,
        branch_siemens=siemens,
        uncertainty_siemens=uncertainty_siemens,
        signal_covariance_siemens2=covariance,
    )


def conductances_at(
    moment: KnownMoment, measured: Sequence[Measured], common: MeasuredValue, own_per_kelvin: float
) -> Conductances:
    """Return all branches at a moment, from one or more measurements.

    `common` is what is supposed of the coefficient that all have in common, `own_per_kelvin` the
    standard deviation of what each has beside it; measurements at other temperatures make both
    better. Branches that are not known by the last stay at 0, without an uncertainty.
    """
    known = measured[-1].siemens > 0
    siemens = np.array([one.siemens[known] for one in measured])
    told = siemens > 0
    siemens = np.where(told, siemens, siemens[-1])
    relative = np.array([one.uncertainty_siemens[known] for one in measured]) / siemens
    kelvin = np.array([one.moment.kelvin - moment.kelvin for one in measured])
    aged = decades(np.array([one.moment.seconds for one in measured])) - decades(moment.seconds)
    unsure = np.array([one.moment.uncertainty_kelvin for one in measured])
    weights = np.where(told, 1 / relative**2, 0.0)

    basis = np.stack([np.ones(len(measured)), kelvin, aged])
    last = np.log(siemens[-1])
    normal = np.einsum("mb,im,jm->bij", weights, basis, basis)
    normal[:, 0, 0] += FLAT_INFORMATION
    normal[:, 2, 2] += AGEING_PER_DECADE**-2
    wanted = np.einsum("mb,im,mb->bi", weights, basis, np.log(siemens) - last)

    information, projected, lever = _of_the_coefficient(normal, wanted, weights, basis)
    own = own_per_kelvin
    if (information > 0).any():
        seen, own = _population(information, projected, own_per_kelvin)
        # An error of the temperatures makes one of all coefficients together.
        by_sensor = abs(seen.value) * float(np.linalg.norm(lever * unsure))
        common = _both(
            common, MeasuredValue(seen.value, float(np.hypot(seen.uncertainty, by_sensor)))
        )
        wanted -= normal[:, :, 1] * (seen.value - common.value)
    normal[:, 1, 1] += own**-2
    wanted[:, 1] += common.value / own**2
    covariance = np.linalg.inv(normal)
    found = np.einsum("bij,bj->bi", covariance, wanted)

    def everywhere(values: Floats) -> Floats:
        whole = np.zeros(known.shape)
        whole[known] = values
        return whole

    at_moment = np.exp(last + found[:, 0])
    return Conductances(
        siemens=everywhere(at_moment),
        uncertainty_siemens=everywhere(at_moment * np.sqrt(covariance[:, 0, 0])),
        per_kelvin=everywhere(found[:, 1]),
        uncertainty_per_kelvin=everywhere(np.sqrt(covariance[:, 1, 1] + common.uncertainty**2)),
        common_per_kelvin=common,
        own_per_kelvin=own,
    )


def _of_the_coefficient(
    normal: Floats, wanted: Floats, weights: Floats, basis: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return what the measurements alone say of α, g and a eliminated (Schur complement):
    information (branches,), information times the best value, and what an error of each temperature
    (measurements,) multiplies α by, in the mean of the branches, 1/K.
    """
    rest = [0, 2]
    inverse = np.linalg.inv(normal[:, rest][:, :, rest])
    cross = normal[:, 1, rest]
    through = np.einsum("bi,bij->bj", cross, inverse)
    information = normal[:, 1, 1] - (through * cross).sum(axis=1)
    projected = wanted[:, 1] - (through * wanted[:, rest]).sum(axis=1)
    # What is left where only one temperature was seen is rounding.
    informative = information > 1e-9 * normal[:, 1, 1]
    if not informative.any():
        return np.zeros_like(information), np.zeros_like(projected), np.zeros(len(weights))
    own = weights * (basis[1][:, None] - through[:, 0] - basis[2][:, None] * through[:, 1])
    return (
        np.where(informative, information, 0.0),
        np.where(informative, projected, 0.0),
        (own[:, informative] / information[informative]).mean(axis=1),
    )


def _population(
    information: Floats, projected: Floats, own_per_kelvin: float
) -> tuple[MeasuredValue, float]:
    """Return the coefficient that branches are seen to have in common, and the standard deviation
    of what each has beside it, of which `own_per_kelvin` was supposed.

    α̂ scatter about the common coefficient by v = 1/information + own². The mean is that of least
    squares; the variance beside it is (α̂ − mean)² − 1/information on average, which is weighed
    against the one that was supposed, taken for as uncertain as it is large. So is the noise
    that is taken off: a class says what parts age by at most. Branches beyond
    OUTLIER_SIGMAS standard deviations are not what they were, whatever the temperature.
    """
    told = information > 0
    value, noise = projected[told] / information[told], 1 / information[told]
    middle = float(np.median(value))
    supposed = own_square = own_per_kelvin**2
    for _ in range(ROUNDS):
        spread = noise + own_square
        alike = np.where((value - middle) ** 2 <= OUTLIER_SIGMAS**2 * spread, 1 / spread, 0.0)
        middle = float(np.average(value, weights=alike))
        precise = alike**2 / 2
        seen = float(np.average((value - middle) ** 2 - noise, weights=precise))
        misstated = float(np.average(noise, weights=precise))
        certain = 1 / (1 / float(precise.sum()) + misstated**2)
        prior = max(supposed, own_square) ** -2
        both = certain + prior
        own_square = _positive_mean((certain * seen + prior * supposed) / both, both**-0.5)
    return MeasuredValue(middle, float(alike.sum()) ** -0.5), float(np.sqrt(own_square))


def _both(one: MeasuredValue, other: MeasuredValue) -> MeasuredValue:
    """Return the mean of two independent estimates, weighted by what they are uncertain by."""
    weights = one.uncertainty**-2, other.uncertainty**-2
    total = sum(weights)
    value = (weights[0] * one.value + weights[1] * other.value) / total
    return MeasuredValue(value, total**-0.5)


def _positive_mean(mean: float, deviation: float) -> float:
    """Return the mean of what is normally distributed and known to be positive (Johnson, Kotz &
    Balakrishnan 1994, 13.10): a variance that noise seems to have more than explained is still one.
    """
    below = -mean / deviation / np.sqrt(2)
    return float(mean + deviation * np.sqrt(2 / np.pi) / erfcx(below))
