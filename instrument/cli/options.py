"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Link(StrEnum):
    """Wire to a simulated board."""

    SOCKET = "socket"
    SERIAL = "serial"


class SpecScope(StrEnum):
    """Products that a specification must hold for."""

    OUTPUT = "output"
    MATRIX = "matrix"


MAX_SEED = 2**63 - 1
MAX_HOURS = 1000

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The folder of a run, or its id, or as much of the id's beginning as no other has.",
    ),
]
RunsFolder = Annotated[
    Path, typer.Option("--in", metavar="FOLDER", help="Folder in which ids are looked for.")
]
Picture = Annotated[
    Path | None,
    typer.Option(
        "--picture", metavar="FILE.svg", help="New file that a picture is drawn into, as SVG."
    ),
]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_SEED,
        help="Seed of everything random: the simulated board, random inputs.",
    ),
]
LinkOption = Annotated[
    Link | None,
    typer.Option(
        "--link",
        help="Wire to a board simulated in this process: TCP socket, or serial over a pty "
        "[default: socket]",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print on stderr what is done, in detail.")
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="File that the whole log is appended to, new or an earlier log: every message to and "
        "from the board as well.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder, new or empty, for the report and all that is measured: each run has one of "
        "its own [default: a new folder in ohmsum-results/]",
    ),
]
TraceFile = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="New file for every message to and from the board, a line of JSON each: time, "
        "direction, text, and of each block its length and CRC-32.",
    ),
]
TraceBlocks = Annotated[
    bool, typer.Option("--trace-blocks", help="With --trace: the bytes of every block as well.")
]
Title = Annotated[str | None, typer.Option(help="Headline of the report.")]
Note = Annotated[str | None, typer.Option(help="A remark that the result and the report carry.")]
BenchName = Annotated[
    str,
    typer.Option(help="A bench.toml, or sim:PRESET (8x4, 64x16, 100x100, or a preset file)."),
]
MatrixName = Annotated[
    str,
    typer.Option(
        help="The weights, (rows, outputs): a .npy, .npz or .csv file (any "
        "delimiter, a header line, decimal commas; a pipe as well), or `random` (uniform on "
        "[-1, 1], the board's full size), or `random:ROWSxOUTPUTS`."
    ),
]
GivenCalibration = Annotated[
    Path | None,
    typer.Option(
        help="A calibration.npz of this board, measured before, or the folder of the run that "
        "measured it: no branch is measured anew."
    ),
]
Earlier = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="<path>",
        help="A calibration.npz of this board at another temperature: together they give the "
        "temperature coefficients of the branches. May be given several times.",
    ),
]
AllowExpired = Annotated[
    bool,
    typer.Option(
        "--allow-expired",
        help="Use a calibration that is too old, or of too different a temperature; every "
        "result says so.",
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Use a board whose outputs are on, or that another host holds: they are switched "
        "off first, and the other host's run ends with an error.",
    ),
]
SpecBits = Annotated[
    float,
    typer.Option(
        help="Bits of relative error that the products must reach, at the worse end of their "
        "95 % confidence interval."
    ),
]
SpecScopeOption = Annotated[
    SpecScope,
    typer.Option(
        help="What must reach these bits: every output by itself and all together, or only all "
        "outputs of the matrix together."
    ),
]
NeededCalibration = Annotated[
    Path,
    typer.Option(
        "--calibration",
        metavar="RUN",
        help="The folder of the run that measured this board, or a calibration.npz.",
    ),
]
