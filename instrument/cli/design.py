"""`ohmsum design`: a search for the resistors to buy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import MAX_SEED, Json


class Distribution(StrEnum):
    """Distribution of resistors about their nominal values."""

    UNIFORM = "uniform"
    NORMAL = "normal"
    LOGNORMAL = "lognormal"


class Series(StrEnum):
    """E series of values that can be bought."""

    NONE = "none"
    E6 = "E6"
    E12 = "E12"
    E24 = "E24"
    E48 = "E48"
    E96 = "E96"


def design(
    *,
    branches: Annotated[
        int,
        typer.Option(min=2, max=12, help="Resistors per crosspoint; a weight has twice as many."),
    ] = 10,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.9, help="±, as a fraction: a limit if uniform, else three sigma."
        ),
    ] = 0.10,
    distribution: Annotated[
        Distribution, typer.Option(help="How resistors spread about their nominal values.")
    ] = Distribution.UNIFORM,
    series: Annotated[
        Series, typer.Option(help="Take nominal values of this E series only.")
    ] = Series.NONE,
    ohms: Annotated[
        float, typer.Option(min=1.0, max=1e9, help="Smallest nominal resistance, ohm.")
    ] = 100e3,
    ratio: Annotated[
        float, typer.Option(min=1.0, max=1e4, help="Largest over smallest nominal resistance.")
    ] = 10.0,
    on_ohms: Annotated[
        float, typer.Option(min=1e-6, max=1e6, help="Resistance of a closed switch, ohm; ± 20 %.")
    ] = 20.0,
    off_ohms: Annotated[
        float,
        typer.Option(min=1e3, max=1e18, help="Resistance of an open switch, its leakage, ohm."),
    ] = 10e9,
    bits: Annotated[
        float, typer.Option(min=0.0, max=60.0, help="Wanted bits at the worst target of a pair.")
    ] = 14.0,
    wanted_yield: Annotated[
        float,
        typer.Option(
            "--yield", min=0.5, max=0.9999, help="Wanted share of pairs that reach these bits."
        ),
    ] = 0.99,
    board: Annotated[
        str,
        typer.Option(
            help="Preset that everything but the crosspoints is taken from: 8x4, 64x16, 100x100, "
            "or a preset file."
        ),
    ] = "64x16",
    candidates: Annotated[
        int | None,
        typer.Option(
            min=10,
            max=1_000_000,
            help="Sets of nominal values to try: the search time "
            "[default: by --branches, under a minute]",
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            min=100,
            max=10_000_000,
            help="Pairs that the expectation is measured on [default: by --branches]",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Seed of the search and of all pairs.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the files [default: one in ohmsum-results/]"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Search the nominal values that make every weight precise.

    A weight is a differential pair of crosspoints. Its bits are log2(largest weight / error) at its
    worst target, targets being up to half of what the pair reaches. The search maximizes the bits
    that the wanted share of pairs reaches. Its result is then measured on new pairs, beside equal
    nominals, one decade and the gap-free radix 2 / (1 + tolerance) under the same limits.

    Writes board.toml for `ohmsum sim --board`, a CSV, a JSON document and a picture. Takes about
    half a minute on two cores, whatever the branches. Exit status 1 if the goal is not reached with
    95 % confidence.
    """
    from calibration.studies import Goal, Parts
    from instrument.errors import UsageError
    from instrument.studies import effort_of, offered_values, run_design

    parts = Parts(
        branches=branches,
        tolerance=tolerance,
        distribution=distribution.value,
        smallest_ohms=ohms,
        largest_ratio=ratio,
        on_ohms=on_ohms,
        on_spread=0.2,
        off_ohms=off_ohms,
        offered_ohms=None if series is Series.NONE else offered_values(series, ohms, ratio),
    )
    if off_ohms <= on_ohms * (1 + parts.on_spread):
        raise UsageError(
            f"--off-ohms {off_ohms:g}: an open switch must resist more than a closed one, of which "
            f"--on-ohms allows up to {on_ohms * (1 + parts.on_spread):g} ohm"
        )
    effort = effort_of(branches, candidates, pairs, seed)
    goal = Goal(bits, wanted_yield)
    raise typer.Exit(run_design(parts, goal, effort, board=board, out=out, as_json=json))
