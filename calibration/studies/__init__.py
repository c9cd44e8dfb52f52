"""The theory that selection stands on, measured. Numbers in, numbers out: no I/O."""

from calibration.studies.banks import BANKS
from calibration.studies.compare import column
from calibration.studies.design.parts import Parts, draw_lot, pair_bits
from calibration.studies.design.search import (
    OURS,
    Expected,
    Gain,
    Goal,
    default_effort,
    expect,
    gain,
    rules_of_thumb,
    search,
)
from calibration.studies.fits import CONFIDENCE
from calibration.studies.frame import (
    Chunk,
    Measure,
    Row,
    Samples,
    Scheduler,
    Study,
    Summary,
    gather,
)
from calibration.studies.theory.bits import bits_study
from calibration.studies.theory.fixed_size import CASES, fixed_size_study
from calibration.studies.theory.lueker import lueker_study
from calibration.studies.theory.partition import (
    critical_kappa,
    expected_perfect,
    partition_study,
    perfect_probability,
)
from calibration.studies.theory.pruning import NEAREST, SUBSET, WANTED_BITS, pruning_study

__all__ = [
    "BANKS",
    "CASES",
    "CONFIDENCE",
    "NEAREST",
    "OURS",
    "SUBSET",
    "WANTED_BITS",
    "Chunk",
    "Expected",
    "Gain",
    "Goal",
    "Measure",
    "Parts",
    "Row",
    "Samples",
    "Scheduler",
    "Study",
    "Summary",
    "bits_study",
    "column",
    "critical_kappa",
    "default_effort",
    "draw_lot",
    "expect",
    "expected_perfect",
    "fixed_size_study",
    "gain",
    "gather",
    "lueker_study",
    "pair_bits",
    "partition_study",
    "perfect_probability",
    "pruning_study",
    "rules_of_thumb",
    "search",
]
