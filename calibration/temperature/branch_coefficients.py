"""Temperature coefficients of branches, from measurements at whatever temperatures occurred.

A branch measured at moments m, at T_m and at L_m decades of its age, follows

    ln g_m = ln g + α (T_m − T) + a (L_m − L) + e_m,

α its temperature coefficient, a its ageing in a decade. g has no prior. The prior of α is that
branches of one lot scatter about a common coefficient, the prior of a that it scatters about zero
by its class: Bayesian linear regression (Gelman et al. 2013, chapter 14), whose normal equations
are three by three for each branch. Where all measurements had one temperature, α is its prior, with
the prior's uncertainty.

Conductances are relative to the converters of the row and the column, and so are the coefficients:
they contain those of the converters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.arrays import Floats
from calibration.branches import BranchCalibration
from calibration.records import Record
from calibration.statistics import OUTLIER_SIGMAS, MeasuredValue
from calibration.temperature.ageing import AGEING_PER_DECADE, decades
from calibration.temperature.survey_coefficients import CHANGE_KELVIN, Warming

ROUNDS = 6
"""Iterations of the robust mean and of the variance beside it."""
FLAT_INFORMATION = 1e-12
"""Prior information about ln g."""


@dataclass(frozen=True)
class KnownMoment:
    """When branches were measured, or are to be used, with the uncertainty of the temperature."""

    seconds: float
    """Since power-on, on the board's clock."""
    kelvin: float
    """Temperature of the board's sensor."""
    uncertainty_kelvin: float = CHANGE_KELVIN
    """Standard uncertainty of the temperature, without the sensor's own error, which all moments
    share.
    """


@dataclass(frozen=True)
class Measured:
    """Branches as one characterization measured them."""

    siemens: Floats
    """(branches,): NaN where a branch was not measured."""
    uncertainty_siemens: Floats
    """(branches,): standard uncertainty."""
    moment: KnownMoment


@dataclass(frozen=True)
class Conductances:
    """Branches at one moment; arrays are (branches,)."""

    siemens: Floats
    uncertainty_siemens: Floats
    """Standard uncertainty, without the common coefficient's, which changes all branches alike."""
    per_kelvin: Floats
    """Temperature coefficients, relative."""
    uncertainty_per_kelvin: Floats
    """Their standard uncertainties, including that of the common coefficient."""
    common_per_kelvin: MeasuredValue
    """The common coefficient."""
    own_per_kelvin: float
    """Standard deviation of each coefficient about the common one."""


@dataclass(frozen=True, eq=False, repr=False)
class Coefficients(Record):
    """Temperature coefficients of a board's branches; relative to the board's own converters."""

    per_kelvin: Floats
    """(rows, columns, branches); 0 where the branch is not usable."""
    uncertainty_per_kelvin: Floats
    """(rows, columns, branches): standard uncertainty, including that of the common coefficient."""
    common_per_kelvin: MeasuredValue
    """The common coefficient."""
    own_per_kelvin: float
    """Standard deviation of each coefficient about the common one."""


def moment_of(branches: BranchCalibration) -> KnownMoment:
    """Return the moment at which branches were characterized.

    The temperature was read at intervals while it moved over some range; its mean is taken as known
    to a tenth of that range.
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
    """Return branches improved by earlier characterizations of the board, and their coefficients.

    `warming` is the prior of the coefficients. A branch that an earlier characterization did not
    measure takes its value from the others.
    """

    def measured(calibration: BranchCalibration) -> Measured:
        siemens = np.where(calibration.usable, calibration.branch_siemens, np.nan)
        return Measured(
            siemens.ravel(), calibration.uncertainty_siemens.ravel(), moment_of(calibration)
        )

    conductances = conductances_at(
        moment_of(branches),
        [measured(calibration) for calibration in (*earlier, branches)],
        warming.gain_per_kelvin,
        float(np.sqrt(warming.branch_square.expected)),
    )
    shape = branches.status.shape
    coefficients = Coefficients(
        conductances.per_kelvin.reshape(shape),
        conductances.uncertainty_per_kelvin.reshape(shape),
        conductances.common_per_kelvin,
        conductances.own_per_kelvin,
    )
    siemens = conductances.siemens.reshape(shape)
    return _restated(
        branches, siemens, conductances.uncertainty_siemens.reshape(shape)
    ), coefficients


def moved_to(
    moment: KnownMoment, branches: BranchCalibration, coefficients: Coefficients
) -> BranchCalibration:
    """Return the expected branches at another moment.

    An error of the common coefficient moves all branches alike and is no uncertainty of a single
    one: the scale of products carries it.
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
    """Return branches with other values and uncertainties (rows, columns, branches).

    The increase of the variance is added to the covariance of each row, as the mean over its
    columns.
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

    `common` is the prior of the common coefficient, `own_per_kelvin` the prior standard deviation
    of each coefficient about it; measurements at other temperatures improve both. Branches that the
    last measurement lacks stay at 0, without an uncertainty.
    """
    usable = measured[-1].siemens > 0
    siemens = np.array([measurement.siemens[usable] for measurement in measured])
    has_value = siemens > 0
    siemens = np.where(has_value, siemens, siemens[-1])
    uncertainty = np.array([measurement.uncertainty_siemens[usable] for measurement in measured])
    relative = uncertainty / siemens
    moments = [measurement.moment for measurement in measured]
    kelvin = np.array([then.kelvin - moment.kelvin for then in moments])
    aged = decades(np.array([then.seconds for then in moments])) - decades(moment.seconds)
    kelvin_uncertainty = np.array([then.uncertainty_kelvin for then in moments])
    weights = np.where(has_value, 1 / relative**2, 0.0)

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
        # An error of the temperatures changes all coefficients together.
        by_sensor = abs(seen.value) * float(np.linalg.norm(lever * kelvin_uncertainty))
        common = _both(
            common, MeasuredValue(seen.value, float(np.hypot(seen.uncertainty, by_sensor)))
        )
        wanted -= normal[:, :, 1] * (seen.value - common.value)
    normal[:, 1, 1] += own**-2
    wanted[:, 1] += common.value / own**2
    covariance = np.linalg.inv(normal)
    solution = np.einsum("bij,bj->bi", covariance, wanted)

    def everywhere(values: Floats) -> Floats:
        whole = np.zeros(usable.shape)
        whole[usable] = values
        return whole

    at_moment = np.exp(last + solution[:, 0])
    return Conductances(
        siemens=everywhere(at_moment),
        uncertainty_siemens=everywhere(at_moment * np.sqrt(covariance[:, 0, 0])),
        per_kelvin=everywhere(solution[:, 1]),
        uncertainty_per_kelvin=everywhere(np.sqrt(covariance[:, 1, 1] + common.uncertainty**2)),
        common_per_kelvin=common,
        own_per_kelvin=own,
    )


def _of_the_coefficient(
    normal: Floats, wanted: Floats, weights: Floats, basis: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return what the measurements alone say of α, with g and a eliminated (Schur complement).

    Returns the information (branches,), the information times the best value (branches,), and the
    factor (measurements,) by which an error of each temperature multiplies α, 1/K, as the mean of
    the branches.
    """
    rest = [0, 2]
    inverse = np.linalg.inv(normal[:, rest][:, :, rest])
    cross = normal[:, 1, rest]
    through = np.einsum("bi,bij->bj", cross, inverse)
    information = normal[:, 1, 1] - (through * cross).sum(axis=1)
    projected = wanted[:, 1] - (through * wanted[:, rest]).sum(axis=1)
    # With one temperature only, the remainder is rounding.
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
    """Return the common coefficient of the branches, and the standard deviation about it.

    The estimates α̂ scatter about the common coefficient with v = 1/information + own². The mean is
    that of least squares. The variance beside it is the mean of (α̂ − mean)² − 1/information,
    weighed against its prior `own_per_kelvin`², which is as uncertain as it is large. So is the
    noise that is subtracted, because a class states the maximum that parts age by. Branches beyond
    OUTLIER_SIGMAS standard deviations have changed, whatever the temperature, and do not count.
    """
    informative = information > 0
    value, noise = projected[informative] / information[informative], 1 / information[informative]
    middle = float(np.median(value))
    prior_square = own_square = own_per_kelvin**2
    for _ in range(ROUNDS):
        spread = noise + own_square
        alike = np.where((value - middle) ** 2 <= OUTLIER_SIGMAS**2 * spread, 1 / spread, 0.0)
        middle = float(np.average(value, weights=alike))
        precise = alike**2 / 2
        observed = float(np.average((value - middle) ** 2 - noise, weights=precise))
        misstated = float(np.average(noise, weights=precise))
        certain = 1 / (1 / float(precise.sum()) + misstated**2)
        prior = max(prior_square, own_square) ** -2
        both = certain + prior
        # A variance that noise seems to explain entirely is still positive.
        posterior = MeasuredValue((certain * observed + prior * prior_square) / both, both**-0.5)
        own_square = posterior.expected
    return MeasuredValue(middle, float(alike.sum()) ** -0.5), float(np.sqrt(own_square))


def _both(first: MeasuredValue, second: MeasuredValue) -> MeasuredValue:
    """Return the mean of two independent estimates, weighted by their inverse variances."""
    weights = first.uncertainty**-2, second.uncertainty**-2
    total = sum(weights)
    value = (weights[0] * first.value + weights[1] * second.value) / total
    return MeasuredValue(value, total**-0.5)
