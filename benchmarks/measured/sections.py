"""What is measured for docs/measured.md: the sections of the page and the commands of each."""

from __future__ import annotations

from dataclasses import dataclass

RUN = "ohmsum run"


@dataclass(frozen=True)
class Section:
    """A part of the page that is measured at once."""

    name: str
    commands: tuple[str, ...]
    columns: tuple[str, ...] = ()
    """Columns of the table, by their names in `page.COLUMNS`; none where a command prints text."""


def _runs(options: str, seeds: range) -> tuple[str, ...]:
    return tuple(f"{RUN} {options} --seed {seed}" for seed in seeds)


def _tiles(board: str, matrix: str, seeds: range = range(1, 2)) -> tuple[str, ...]:
    return _runs(f"--bench sim:{board} --matrix random:{matrix}", seeds)


STATED = ("command", "bits", "interval", "predicted", "worst bits", "board s", "processor s")
QUICK = "small"
"""The section that takes a few seconds."""

SECTIONS = {
    section.name: section
    for section in (
        Section("small", _runs("--bench sim:8x4 --matrix random", range(1, 2)), STATED),
        Section(
            "boards",
            _runs("--bench sim:64x16 --matrix random", range(1, 6))
            + _runs("--bench sim:100x100 --matrix random", range(1, 6)),
            (*STATED, "rounds", "residual bits"),
        ),
        Section(
            "hours",
            _runs("--bench sim:100x100 --matrix random --hours 8", range(1, 6)),
            (
                "command",
                "watched bits",
                "watched worst bits",
                "reprogrammed bits",
                "reprogrammed worst bits",
                "reprogramming s",
            ),
        ),
        Section(
            "defects",
            _runs("--bench sim:boards/100x100-defects.toml --matrix random", range(1, 4)),
            STATED,
        ),
        Section(
            "settling",
            tuple(
                f"{RUN} --bench sim:boards/8x4-slower-{factor}.toml --matrix random --seed 1"
                for factor in (10, 100, 1000)
            ),
            ("command", "time constant", "wait", "bits", "predicted", "calibration s"),
        ),
        Section(
            "tiling",
            _tiles("64x16", "64x16")
            + _tiles("64x16", "128x16", range(1, 4))
            + _tiles("64x16", "128x32", range(1, 4))
            + _tiles("64x16", "65x17")
            + _tiles("64x16", "256x64")
            + _tiles("100x100", "200x200")
            + _tiles("8x4", "64x32"),
            ("command", "tiles", "bits", "predicted", "worst bits", "board s", "processor s"),
        ),
        Section(
            "validation",
            _runs("--bench sim:64x16 --matrix random --thorough", range(1, 2)),
            STATED,
        ),
        Section("uncertainty", ("python -m benchmarks.selection_uncertainty",)),
        Section("selection", ("python -m benchmarks.selection",)),
        Section(
            "peers",
            ("python -m benchmarks.selection_peers --instances 3 --limit-seconds 15",),
        ),
        Section("network", ("python -m benchmarks.network",)),
        Section("calibration", ("python -m benchmarks.calibration",)),
        Section("steps", ("python -m benchmarks.whole_run",)),
        Section("journal", ("python -m benchmarks.journal",)),
        Section("first-run", ("python -m benchmarks.first_run",)),
    )
}
