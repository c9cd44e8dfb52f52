"""`ohmsum study`: the theory behind the selection of resistors, measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from instrument.cli.options import MAX_SEED, Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from calibration.studies import Study, Summary

    Plan: TypeAlias = tuple[Callable[[int, int], Study], Callable[[Figure, Summary], None]]
    """Function that makes a study of (instances, largest n), and function that draws it."""

study = typer.Typer(
    help="Reproduce the theory of random subset sums: measured beside what is predicted.",
    epilog="Every study writes a CSV, a JSON document and a picture into a folder. It is seeded; "
    "interrupted and started again with the same --out, it continues and ends in the same bytes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Instances = Annotated[
    int, typer.Option(min=2, max=10_000_000, help="Random instances of every case.")
]
Most = Annotated[
    int, typer.Option(min=8, max=24, help="Largest n: resistances, weights or numbers.")
]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of all random instances.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Threads on this machine [default: one a core]"),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT",
        help="Compute on the Dask cluster of this scheduler instead (pip install 'ohmsum[dask]'; "
        "its workers need ohmsum too). Results are the same.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder for the files, and for what is kept of an interrupted study "
        "[default: a folder in ohmsum-results/]",
    ),
]


def _command(*, instances: int, most: int) -> Callable[[Callable[[], Plan]], Callable[[], Plan]]:
    """Return a decorator that makes a command of a function that returns a Plan.

    The command has the function's name and docstring, the options of all studies, and these
    defaults. The function imports what it returns, so that help is quick.
    """

    def offer(plan: Callable[[], Plan]) -> Callable[[], Plan]:
        def command(
            *,
            instances: Instances = instances,
            most: Most = most,
            seed: Seed = 1,
            jobs: Jobs = None,
            scheduler: Scheduler = None,
            out: Out = None,
            json: Json = False,
        ) -> None:
            from instrument.studies import run_study

            make, picture = plan()
            run_study(
                make(instances, most),
                picture,
                seed=seed,
                jobs=jobs,
                scheduler=scheduler,
                out=out,
                as_json=json,
            )

        study.command(plan.__name__.replace("_", "-"), help=plan.__doc__)(command)
        return plan

    return offer


@_command(instances=2500, most=24)
def bits() -> Plan:
    """Measure the bits of precision against the number of resistances.

    For the theory's uniform case and for what a board may be made of: equal nominals, binary and
    geometric ladders, one decade, three-way switches. Median and worst over all instances, for one
    random target each and for the worst target of all (half of the largest gap between sums).
    Fits a line: about one bit per resistance for typical targets; for the worst one, it depends on
    the nominal values. All 2,500 instances up to n = 24 take some minutes on two cores.
    """
    from calibration.studies import bits_study
    from instrument.studies import bits_against_resistances

    return bits_study, bits_against_resistances


@_command(instances=2500, most=22)
def lueker() -> Plan:
    """Measure Lueker's law: the weights needed for an error ε.

    Within ε of a random target, or of every target of an interval, for half and for nine tenths of
    all banks of random weights. Fits the constant of n = constant · log2(1/ε), beside the smallest
    possible one and the one that the Poisson law predicts.
    """
    from calibration.studies import lueker_study
    from instrument.studies import weights_needed

    return lueker_study, weights_needed


@_command(instances=5000, most=24)
def partition() -> Plan:
    """Measure the phase transition of number partitioning.

    The probability that n random numbers of b bits can be split into halves of equal sums, against
    b/n, and where it falls to one half, beside Mertens' finite-size prediction.
    """
    from calibration.studies import partition_study
    from instrument.studies import transition

    return partition_study, transition


@_command(instances=5000, most=24)
def fixed_size() -> Plan:
    """Compare subsets of exactly half of the switches with subsets of any size.

    Bits of the best subset of n/2 resistances beside those of the best subset of any size: for
    weights of the theory, equal nominals and one decade. What fixing the size costs, and where it
    costs nothing.
    """
    from calibration.studies import fixed_size_study
    from instrument.studies import sizes

    return fixed_size_study, sizes


@_command(instances=5000, most=24)
def pruning() -> Plan:
    """Compare the nearest of n weights with the best subset of them.

    The first is how pruned networks were first proved to compute anything (Malach et al. 2020):
    error 1/n. The second is how few random weights suffice (Pensia et al. 2020): error 2^-n.
    """
    from calibration.studies import pruning_study
    from instrument.studies import nearest_against_subset

    return pruning_study, nearest_against_subset
