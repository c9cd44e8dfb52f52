"""What the commands of a run and of its steps do alike: claim a folder, plan, carry out, print."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from instrument.errors import UsageError


def carry_out_planned(
    command: str,
    options: Mapping[str, Any],
    *,
    out: Path | None,
    began: float,
    verbose: bool,
    log: Path | None,
    trace: Path | None,
    trace_blocks: bool,
    json: bool,
) -> None:
    """Do the run of a command in a folder of its own, and print its result.

    `options` are those of RunOptions that the command has, as its command line gives them. Raises
    UsageError where something in them is wrong, and ends with the exit status of the result.
    """
    from instrument.bench_names import folder_name
    from instrument.cli.logs import start_logging
    from instrument.runs import claim_folder

    start_logging(verbose=verbose, file=log)
    if not math.isfinite(bits := options.get("spec_bits", 0.0)):
        raise UsageError(f"--spec-bits: {bits} is no number of bits")
    name = folder_name(command, options["bench"], options["seed"])
    asked = {key: _as_json(value) for key, value in options.items()}
    with claim_folder(out, name, {command: asked}) as folder:
        from instrument.bus_trace import tracing
        from instrument.cli.carry_out import carry_out
        from instrument.cli.plan import RunOptions, plan

        job = plan(RunOptions.model_validate(asked), command)
        with tracing(trace, whole_blocks=trace_blocks) as traced:
            document = carry_out(job, folder, began, traced)
    from instrument.cli.printed_result import print_result, status_of

    print_result(document, as_json=json)
    raise typer.Exit(status_of(document))


def _as_json(value: Any) -> Any:
    """Return an option as JSON holds it: a path as text, a list as a list of them."""
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return str(value) if isinstance(value, Path | StrEnum) else value
