"""Serve a simulated bench from this process until a signal stops it."""

from __future__ import annotations

import json
import os
import shlex
import time
import zipfile
from pathlib import Path

from rich.console import Console

from instrument.config import MAX_BENCH_BYTES, bench_toml
from instrument.errors import FileNotWritten, UsageError
from instrument.files import as_usage_error, read_bytes, write_text
from instrument.interruption import Interrupted
from instrument.printable import printable
from simulator.bench import LinkKind, serve_bench
from simulator.faults import PlanError, load_plan
from simulator.preset import PresetError, load_preset

TRUE_SIEMENS = "drawn_closed_siemens"
"""An array that a truth holds, and nothing else does."""
MARK = "# Written by ohmsum sim: the next one replaces it.\n"


def serve(
    preset_name: str,
    *,
    seed: int,
    port: int,
    max_sessions: int,
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
    if truth is not None:
        _check_truth(truth)
    served = False
    wires: tuple[LinkKind, ...] = ("socket", "serial") if os.name == "posix" else ("socket",)
    try:
        with serve_bench(
            preset,
            seed,
            wires,
            port=port,
            max_sessions=max_sessions,
            realtime=realtime,
            faults=plan,
            truth=truth,
        ) as simulated:
            served = True
            board = simulated.resources["board"]
            write_text(bench, MARK + bench_toml(board["socket"]))
            announcement = {"resources": simulated.resources, "bench": str(bench.resolve())}
            console = Console(markup=False, emoji=False)
            name, written = printable(preset.name), shlex.quote(printable(str(bench)))
            if as_json:
                console.out(json.dumps(announcement), highlight=False)
            else:
                console.print(f"Simulated board {name}, seed {seed}, until Ctrl-C:")
                for wire, resource in board.items():
                    console.print(f"  {wire:<7} {resource}", highlight=False, soft_wrap=True)
                console.print(
                    f"In another terminal:  ohmsum run --bench {written} --matrix random",
                    soft_wrap=True,
                )
            console.file.flush()
            while True:
                time.sleep(3600)  # Windows lets Ctrl-C end a sleep, but not the wait for an event
    except Interrupted:
        # Being stopped is how a server ends.
        return
    except OSError as error:
        said = error.strerror or error
        if error.filename:
            raise FileNotWritten(f"{error.filename}: cannot be written ({said})") from error
        if served:
            raise  # stdout is full, or its reader has gone: no port's fault
        raise UsageError(f"cannot serve on port {port}: {said}") from error


def _check_replaceable(bench: Path) -> None:
    """Refuse to overwrite a file that a person may have written."""
    _check_folder(bench)
    if not os.path.lexists(bench):
        return
    written = read_bytes(bench, MAX_BENCH_BYTES)
    if not written.startswith(MARK.encode()):
        raise UsageError(f"{bench} exists and is not from ohmsum sim; name another with --bench")


def _check_truth(truth: Path) -> None:
    """Refuse to overwrite what is not an earlier truth."""
    _check_folder(truth)
    if not truth.exists():
        return
    with as_usage_error(truth, "exists and is not from ohmsum sim; name another with --truth"):
        if not truth.is_file():
            raise ValueError("no file")
        with zipfile.ZipFile(truth) as archive:
            archive.getinfo(f"{TRUE_SIEMENS}.npy")


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"{path}: {path.parent} is no folder")
