"""Step 6: the effect of temperature and age on measured branches.

Read `branch_coefficients.py` first: it joins characterizations at several temperatures and moves
branch values to another moment. `survey_coefficients.py` finds the coefficients that one noise
survey shows, which are the prior of the former. `ageing.py` is the class of the parts.
"""

from calibration.temperature.ageing import AGEING_PER_DECADE, decades
from calibration.temperature.branch_coefficients import (
    Coefficients,
    KnownMoment,
    moved_to,
    with_earlier,
)
from calibration.temperature.survey_coefficients import (
    CHANGE_KELVIN,
    CLASS_BRANCH_PER_KELVIN,
    CLASS_COLUMN_PER_KELVIN,
    CLASS_SHARE,
    Warming,
    common_coefficient,
    prior_deviation,
    square_coefficient,
    wander,
)

__all__ = [
    "AGEING_PER_DECADE",
    "CHANGE_KELVIN",
    "CLASS_BRANCH_PER_KELVIN",
    "CLASS_COLUMN_PER_KELVIN",
    "CLASS_SHARE",
    "Coefficients",
    "KnownMoment",
    "Warming",
    "common_coefficient",
    "decades",
    "moved_to",
    "prior_deviation",
    "square_coefficient",
    "wander",
    "with_earlier",
]
