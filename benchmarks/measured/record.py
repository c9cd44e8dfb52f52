"""The raw figures beside the page, docs/measured.json, and how they are measured."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measured.boards import write_boards
from benchmarks.measured.sections import RUN, Section

ROOT = Path(__file__).parents[2]
FAILED = 2
"""Exit statuses from here on say that nothing was measured; 1 says that a specification was not
met, which is a result.
"""


class Record:
    """What was measured, section by section, as one JSON document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sections: dict[str, dict[str, Any]] = {}
        if path.exists():
            self.sections = json.loads(path.read_text("utf-8"))

    def measure(self, section: Section) -> None:
        """Run a section's commands and replace what was recorded of it.

        Raises RuntimeError where a command fails; what was recorded before then stays.
        """
        measured = [_measured(command) for command in section.commands]
        self.sections[section.name] = {"conditions": conditions(), "measured": measured}

    def write(self) -> None:
        """Write the document."""
        text = json.dumps(self.sections, indent=1, ensure_ascii=False, sort_keys=True)
        self.path.write_text(text + "\n", "utf-8")


def conditions() -> dict[str, str]:
    """Return when, with which versions and on what class of machine figures are measured."""
    import numba
    import numpy as np

    from ohmsum import __version__

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "ohmsum": f"{__version__} ({_commit()})",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "system": platform.system(),
    }


def _commit() -> str:
    """Return the commit of the tree, `-dirty` where a file that is measured differs from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], text=True)
        changed = subprocess.check_output(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs"], text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return commit.strip() + ("-dirty" if changed.strip() else "")


def _processor() -> str:
    """Return the processor's family by name, such as `x86_64 AMD EPYC, AVX-512`."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.machine()
    values = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in text.splitlines())
    }
    flags = values.get("flags", "").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""
    name = f"{platform.machine()} {values.get('model name', '')}".strip()
    return f"{name}, {vectors}" if vectors else name


def _measured(command: str) -> dict[str, Any]:
    """Run one command and return its figures, or its lines of text where it prints no document."""
    program, *arguments = shlex.split(command)
    if command.startswith(RUN):
        with tempfile.TemporaryDirectory() as folder:
            write_boards(Path(folder) / "boards")
            given = [sys.executable, "-m", program, *arguments, "--json"]
            text, seconds = _output(command, given, Path(folder))
        return {"command": command, "processor_seconds": seconds, **run_figures(json.loads(text))}
    text, seconds = _output(command, [sys.executable, *arguments], ROOT)
    return {"command": command, "processor_seconds": seconds, "text": text.rstrip().splitlines()}


def _output(command: str, arguments: list[str], folder: Path) -> tuple[str, float]:
    """Return what a process prints on stdout, and the processor seconds that it took."""
    print(command, file=sys.stderr, flush=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": path}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode < 0 or done.returncode >= FAILED:
        raise RuntimeError(f"{command} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_figures(document: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that the page shows, out of the document of `ohmsum run`."""
    validation, program = document["validation"], document["program"]
    settling = document["calibration"]["settling"]
    figures = {
        "seed": _seed(document["run"]["command"]),
        "board": document["board"]["preset"],
        "matrix": document["run"]["matrix"]["shape"],
        "tiles": len(program["tiles"]),
        "bits": validation["bits"],
        "bits_interval": validation["bits_interval"],
        "worst_bits": validation["worst_bits"],
        "predicted_bits": document["budget"]["predicted_bits"],
        "board_seconds": _sum(document["bench_seconds"]),
        "calibration_board_seconds": document["calibration"]["bench_seconds"],
        "rounds": program["rounds"],
        "residual_bits": -math.log2(program["residual_rms"]) if program["residual_rms"] else None,
        "settle_seconds": settling["settle_seconds"],
        "time_constant_seconds": settling["time_constant_seconds"],
        "kinds": _kinds(validation),
        "causes": [
            {"cause": row["cause"], "bits": row["bits"]} for row in document["budget"]["rows"]
        ],
    }
    if "intermediate_precision" in validation:
        figures["visits"] = [
            {
                "hours": visit["hours"],
                "bits": visit["bits"],
                "watched_bits": visit["watched"]["bits"],
                "watched_worst_bits": visit["watched"]["worst_bits"],
            }
            for visit in validation["intermediate_precision"]
        ]
        again = validation["reprogrammed"]
        figures["reprogrammed"] = {
            "bits": again["bits"],
            "worst_bits": again["worst_bits"],
            "board_seconds": _sum(again["bench_seconds"]),
        }
    return figures


def _seed(command: str) -> int:
    words = shlex.split(command)
    return int(words[words.index("--seed") + 1]) if "--seed" in words else 1


def _sum(seconds: dict[str, float]) -> float:
    return float(sum(seconds.values()))


def _kinds(validation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return bits, and worst bits where there are any, of everything that validation states."""
    kinds = [
        {"kind": kind.replace("_", " "), "bits": stated["bits"], "worst_bits": stated["worst_bits"]}
        for kind, stated in (
            (f"the job's inputs, {validation['inputs']}", validation),
            *validation["other_vectors"].items(),
            *validation["not_one_shot"].items(),
        )
    ]
    relative = {
        f"repeatability, mean of {count}": share
        for count, share in validation["repeatability"]["relative_scatter"].items()
    }
    for design, stated in validation.get("linearity", {}).items():
        if isinstance(stated, dict):
            name = design.replace("_", " ")
            relative[f"nonlinearity, {name}"] = stated["relative_nonlinearity"]
            relative[f"noise of that, {name}"] = stated["relative_noise"]
    if "hysteresis" in validation:
        relative["hysteresis"] = validation["hysteresis"]["relative_difference"]
        relative["noise of that"] = validation["hysteresis"]["relative_noise"]
    return kinds + [
        {"kind": kind, "bits": -math.log2(share) if share else None, "worst_bits": None}
        for kind, share in relative.items()
    ]
