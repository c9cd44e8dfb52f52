"""Server of a simulated bench in this process, until a signal stops it."""

from __future__ import annotations

import json
import os
import shlex
import time
import zipfile
from pathlib import Path

from rich.console import Console

from instrument.bench_file import MAX_BENCH_BYTES, bench_toml
from instrument.errors import FileNotWritten, UsageError
from instrument.files import as_usage_error, read_bytes, write_text
from instrument.interruption import Interrupted
from instrument.printable import printable
from simulator.bench import LinkKind, serve_bench
from simulator.faults import PlanError, load_plan
from simulator.preset import PresetError, load_preset

TRUE_SIEMENS = "drawn_closed_siemens"
"""Array that only a truth file holds."""
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
    """Serve, print the resources, write the bench.toml, and wait for SIGINT or SIGTERM.

    Raises UsageError where an argument or a file cannot be used, FileNotWritten where one cannot be
    written.
    """
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
                time.sleep(3600)  # on Windows, Ctrl-C ends a sleep, but not the wait for an event
    except Interrupted:
        # A signal is the normal end of a server.
        return
    except OSError as error:
        reason = error.strerror or error
        if error.filename:
            raise FileNotWritten(f"{error.filename}: cannot be written ({reason})") from error
        if served:
            raise  # stdout is full, or its reader has gone: the port is not the cause
        raise UsageError(f"cannot serve on port {port}: {reason}") from error


def _check_replaceable(bench: Path) -> None:
    """Raise UsageError for an existing bench.toml that a person may have written."""
    _check_folder(bench)
    if not os.path.lexists(bench):
        return
    written = read_bytes(bench, MAX_BENCH_BYTES)
    if not written.startswith(MARK.encode()):
        raise UsageError(f"{bench} exists and is not from ohmsum sim; name another with --bench")


def _check_truth(truth: Path) -> None:
    """Raise UsageError for an existing file that is no earlier truth."""
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
