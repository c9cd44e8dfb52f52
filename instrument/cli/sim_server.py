"""Serve a simulated bench from this process until a signal stops it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from rich.console import Console

from instrument.config import bench_toml
from instrument.errors import UsageError
from instrument.interruption import Interrupted
from instrument.writing import write_text
from simulator.bench import Wire, serve_bench
from simulator.faults.plan import PlanError, load_plan
from simulator.preset import PresetError, load_preset

MARK = "# Written by ohmsum sim: the next one replaces it.\n"


def serve(
    preset_name: str,
    *,
    seed: int,
    port: int,
    bench: Path,
    realtime: bool,
    faults: Path | None,
    truth: Path | None,
    as_json: bool,
) -> None:
    """Serve, print the resources, write the bench.toml, wait for SIGINT or SIGTERM."""
    try:
        preset = load_preset(preset_name)
        plan = None if faults is None else load_plan(faults, preset.shape, preset.adc.bits)
    except (PresetError, PlanError) as error:
        raise UsageError(str(error)) from error
    _check_replaceable(bench)
    wires: tuple[Wire, ...] = ("socket", "serial") if os.name == "posix" else ("socket",)
    try:
        with serve_bench(
            preset, seed, wires, port=port, realtime=realtime, faults=plan, truth=truth
        ) as simulated:
            board = simulated.resources["board"]
            write_text(bench, MARK + bench_toml(board["socket"]))
            announcement = {"resources": simulated.resources, "bench": str(bench.resolve())}
            console = Console(markup=False, emoji=False)
            if as_json:
                console.out(json.dumps(announcement), highlight=False)
            else:
                console.print(f"Simulated board {preset.name}, seed {seed}, until Ctrl-C:")
                for wire, resource in board.items():
                    console.print(f"  {wire:<7} {resource}", highlight=False, soft_wrap=True)
                console.print(
                    f"In another terminal:  ohmsum run --bench {bench} --matrix random",
                    soft_wrap=True,
                )
            console.file.flush()
            while True:
                time.sleep(3600)  # Windows lets Ctrl-C end a sleep, but not the wait for an event
    except Interrupted:
        # Being stopped is how a server ends.
        return
    except OSError as error:
        what = f"write {error.filename}" if error.filename else f"serve on port {port}"
        raise UsageError(f"cannot {what}: {error.strerror or error}") from error


def _check_replaceable(bench: Path) -> None:
    """Refuse a folder that is none, and to overwrite a file that a person may have written."""
    if not bench.parent.is_dir():
        raise UsageError(f"{bench}: {bench.parent} is no folder")
    try:
        written = bench.read_text("utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{bench}: cannot be replaced ({error})") from error
    if not written.startswith(MARK):
        raise UsageError(f"{bench} exists and is not from ohmsum sim; name another with --bench")
