"""`ohmsum sim`: a simulated bench, served for another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from instrument.cli.options import Json, LogFile, Seed, Verbose


def sim(
    *,
    board: Annotated[
        str, typer.Option(help="Preset: 8x4, 64x16, 100x100, or a preset file.")
    ] = "64x16",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 0,
    max_sessions: Annotated[
        int,
        typer.Option(
            min=1, help="Maximum number of TCP connections at once; further ones are closed."
        ),
    ] = 64,
    bench: Annotated[
        Path, typer.Option(help="Where to write the bench.toml that points at the simulated bench.")
    ] = Path("bench.toml"),
    seed: Seed = 1,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime",
            help="Let settling and apertures take as long on the wall as on the bench.",
        ),
    ] = False,
    faults: Annotated[
        Path | None,
        typer.Option(metavar="PLAN", help="A fault plan (TOML): what goes wrong, where and when."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File (.npz) for the truth that cannot be read over the wire: every branch, every "
            "error, every fault. Written again when the bench is stopped.",
        ),
    ] = None,
    verbose: Verbose = False,
    log: LogFile = None,
    json: Json = False,
) -> None:
    """Serve a simulated bench on this machine's loopback until stopped (Ctrl-C, SIGTERM).

    Prints where its instruments answer and writes a bench.toml, so that another terminal can say
    `ohmsum run --bench bench.toml --matrix random`.
    """
    from instrument.cli.logs import start_logging
    from instrument.cli.sim_server import serve

    start_logging(verbose=verbose, file=log)
    serve(
        board,
        seed=seed,
        port=port,
        max_sessions=max_sessions,
        bench=bench,
        realtime=realtime,
        faults=faults,
        truth=truth,
        as_json=json,
    )
