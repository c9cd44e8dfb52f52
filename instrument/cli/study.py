"""`ohmsum study`: the theory that the selection of resistors stands on, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import Json

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
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random instances.")]
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


@study.command()
def bits(
    *,
    instances: Instances = 2500,
    most: Annotated[
        int, typer.Option(min=6, max=24, help="Largest number of resistances, n = 4 up to this.")
    ] = 24,
    seed: Seed = 1,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Bits of precision against the number of resistances.

    For the theory's uniform case and for what a board may be made of: equal nominals, binary and
    geometric ladders, one decade, three-way switches. Median and worst over all instances, for one
    random target each and for the worst target of all (half of the largest gap between sums).
    Fits a line: about one bit per resistance for typical targets; for the worst one, it depends on
    the nominal values. All 2,500 instances up to n = 24 take some minutes on two cores.
    """
    from calibration.studies.bits import bits_study
    from instrument.studies.pictures import bits_against_resistances
    from instrument.studies.run import run_study

    run_study(
        bits_study(instances, most),
        bits_against_resistances,
        seed=seed,
        jobs=jobs,
        scheduler=scheduler,
        out=out,
        as_json=json,
    )
