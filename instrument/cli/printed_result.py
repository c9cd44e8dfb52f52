"""Results as the commands print them: JSON, or tables for a person."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from instrument.exit_status import OUT_OF_SPECIFICATION
from instrument.printable import printable_values
from instrument.wording import recoveries

MAX_OUTPUTS_SHOWN = 3
MIN_CONSOLE_WIDTH = 40
_log = logging.getLogger(__name__)


def print_result(document: dict[str, Any], *, as_json: bool) -> None:
    """Print a result document: as JSON and nothing else, or as a table."""
    console = stdout_console()
    if as_json:
        console.out(json.dumps(document, indent=2), highlight=False)
    else:
        document = printable_values(document)
        console.print(_table(document))
        about = document["run"]
        kept = f"Report: {about['report']}" if "report" in about else f"Kept in: {about['folder']}"
        console.print(kept, soft_wrap=True)


def status_of(document: dict[str, Any]) -> int:
    """Return the exit status of a result."""
    return 0 if document["ok"] else OUT_OF_SPECIFICATION


def print_products(document: dict[str, Any], *, as_json: bool) -> None:
    """Print what `ohmsum multiply` has done: as JSON and nothing else, or in lines."""
    console = stdout_console()
    if as_json:
        console.out(json.dumps(document, indent=2), highlight=False)
        return
    document = printable_values(document)
    if document["lost_outputs"]:
        lost = _from_one(document["lost_outputs"])
        console.print(f"LOST outputs {lost}: NaN in the file", soft_wrap=True)
    console.print(
        f"{document['output']}: {document['vectors']} vectors × {document['outputs']} outputs",
        soft_wrap=True,
    )


def print_budget(budget: dict[str, Any], *, as_json: bool) -> None:
    """Print the budget of a result document: as JSON and nothing else, or as a table."""
    console = stdout_console()
    if as_json:
        console.out(json.dumps(budget, indent=2), highlight=False)
        return
    budget = printable_values(budget)
    table = Table(title="Relative error of the products")
    table.add_column("cause")
    for name in ("relative error", "bits"):
        table.add_column(name, justify="right")
    for row in budget["rows"]:
        error = row["relative_error"]
        table.add_row(row["cause"], f"{error:.2e}", _as_bits(error))
    table.add_section()
    for name, kind in (("sum in squares", "predicted"), ("measured", "measured")):
        error = budget[f"{kind}_relative_error"]
        text = "–" if error is None else f"{error:.2e}"
        table.add_row(name, text, _bits(budget[f"{kind}_bits"]))
    console.print(table)


def stdout_console() -> Console:
    """Return the console of results, which prints names of files and boards unchanged."""
    console = Console(markup=False, emoji=False)
    # Some terminals claim a width of 0 (COLUMNS=0 in containers): nothing would be printed.
    console.width = max(console.width, MIN_CONSOLE_WIDTH)
    return console


def _table(document: dict[str, Any]) -> Table:
    board, calibration = document["board"], document["calibration"]
    bad = {name: count for name, count in calibration["statuses"].items() if name != "ok" and count}
    faults = ", ".join(f"{count} {name}" for name, count in bad.items()) or "all ok"

    table = Table(title=f"Board {board['preset']} {board['serial']}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row(
        "calibration",
        f"{calibration['branches']:,} branches ({faults}), {calibration['readings']:,} readings, "
        f"{calibration['bench_seconds']:.0f} s on the bench",
    )
    if calibration["expired"]:
        table.add_row("", f"EXPIRED, used all the same: {calibration['expired']}")
    table.add_row("settling", calibration["settling"]["in_words"])
    converters = calibration["converters"]
    table.add_row(
        "converters",
        f"DACs bent by up to {converters['largest_inl_steps']:.2f} ± "
        f"{converters['largest_inl_uncertainty_steps']:.2f} steps, ADCs by up to "
        f"{1e6 * converters['largest_adc_inl_of_range']:.1f} ± "
        f"{1e6 * converters['largest_adc_inl_uncertainty_of_range']:.1f} ppm of the range",
    )
    idle = [
        f"{kind.replace('_', ' ')} {_from_one(converters[kind])}"
        for kind in ("dead_rows", "unseen_rows", "dead_columns", "saturated_columns")
        if converters[kind]
    ]
    if idle:
        table.add_row("", "; ".join(idle))
    if "program" in document:
        _add_program(table, document["program"])
    if "validation" in document:
        for name, text in _validated(document["validation"]):
            table.add_row(name, text)
    if "budget" in document:
        _add_verdict(table, document)
    if counts := document.get("recovery"):  # results of earlier versions have none
        table.add_row("went on after", recoveries(counts))
    spent = document["bench_seconds"]
    table.add_row(
        "time",
        f"{document['wall_seconds']:.1f} s; on the bench {spent['settling']:.1f} s settling, "
        f"{spent['integrating']:.1f} s integrating, {spent['talking']:.1f} s talking",
    )
    return table


def _add_program(table: Table, program: dict[str, Any]) -> None:
    table.add_row(
        "program",
        f"{program['rows']} × {program['outputs']} weights, {program['rounds']} rounds, "
        + (
            "no residual: no weight comes near enough to be refined"
            if program["residual_rms"] is None
            else f"residual {program['residual_rms']:.1e} of the largest weight"
        ),
    )
    if len(program["tiles"]) > 1:
        products = [tile["partial_products"] for tile in program["tiles"]]
        bits = [stated.get("bits", stated["predicted_bits"]) for stated in products]
        table.add_row(
            "tiles",
            f"{len(bits)}, one after another; their partial products {_bits(min(bits))} to "
            f"{_bits(max(bits))} bits",
        )
    if program["lost_outputs"]:
        lost = _from_one(program["lost_outputs"])
        table.add_row(
            "",
            f"LOST outputs {lost}: a column overloads every range; nothing is stated of them",
        )
    if program["unreachable"]:
        table.add_row("", f"{program['unreachable']} weights beyond what their branches reach")
    if program["coarse"]:
        table.add_row(
            "",
            f"{program['coarse']} weights whose branches are too few to come within 2⁻¹¹ of the "
            f"largest weight: off by {program['coarse_rms']:.1e} of it (rms)",
        )


def _add_verdict(table: Table, document: dict[str, Any]) -> None:
    """Add the budget, and whether the specification is met, or predicted to be."""
    verdict = "within" if document["ok"] else "NOT within"
    predicted = "" if "validation" in document else "predicted, "
    wanted = document["specification"]
    budget = document["budget"]
    largest = ", ".join(f"{row['cause']} {_bits(row['bits'])}" for row in budget["rows"][:3])
    table.add_row("budget", f"{_bits(budget['predicted_bits'])} bits; alone {largest}")
    if "classification" in document:
        decided = document["classification"]
        table.add_row(
            "decisions",
            f"{decided['analog_accuracy']:.2%} right, {decided['digital_accuracy']:.2%} in "
            f"float64; {decided['agreement']:.2%} alike",
        )
    agreement = "" if wanted["agreement"] is None else f", {wanted['agreement']:.1%} alike"
    where = "every output" if wanted["scope"] == "output" else "all outputs together"
    table.add_row(
        "specification", f"{verdict} ({predicted}{wanted['bits']:g} bits, {where}{agreement})"
    )
    validation = document.get("validation")
    if validation and not validation["foreseen"]:
        from instrument.budget import unforeseen_in_words  # late: only such a run needs it

        table.add_row("NOT FORESEEN", unforeseen_in_words(validation["unforeseen"]), style="red")


def _validated(validation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    interval = validation["bits_interval"]
    sure = (
        f"{_bits(interval[0])} to {_bits(interval[1])} at {validation['confidence_level']:.0%}"
        if interval
        else f"no interval: {validation['no_interval']}"
    )
    yield (
        "validation",
        f"{validation['vectors']} one-shot products: relative error "
        f"{validation['relative_error']:.2e} = {_bits(validation['bits'])} bits ({sure}), worst "
        f"{_bits(validation['worst_bits'])} bits of full scale",
    )
    outputs = sorted(
        (output for output in validation["outputs"] if output["bits"] is not None),
        key=lambda output: output["bits"],
    )
    yield (
        "worst outputs",
        "; ".join(_output_in_words(output) for output in outputs[:MAX_OUTPUTS_SHOWN])
        + f"; median {_bits(outputs[len(outputs) // 2]['bits'])} bits of {len(outputs)} outputs",
    )
    others = validation["other_vectors"].items()
    yield (
        "other vectors",
        ", ".join(f"{name.replace('_', ' ')} {_bits(kind['bits'])}" for name, kind in others)
        + " bits",
    )
    averaged, refined = validation["not_one_shot"].values()
    yield (
        "not one-shot",
        f"mean of {averaged['readings']} readings {_bits(averaged['bits'])} bits (one of them "
        f"{_bits(averaged['bits_of_one_reading'])}); digitally refined {_bits(refined['bits'])} "
        "bits",
    )
    cost = validation["cost_of_a_product"]
    seconds = cost["bench_seconds"]["settling"] + cost["bench_seconds"]["integrating"]
    yield (
        "one product",
        f"{cost['multiply_adds']:,} multiply-adds if digital; here {1e3 * seconds:.3g} ms and "
        f"{1e3 * cost['resistor_joules']:.2g} mJ in the resistors alone",
    )
    if "linearity" in validation:
        linearity, hysteresis = validation["linearity"], validation["hysteresis"]
        scatter = validation["repeatability"]["relative_scatter"]["1"]
        yield (
            "thorough",
            f"noise {_as_bits(scatter)}, nonlinearity "
            f"{_as_bits(linearity['shared_rows']['relative_nonlinearity'])}, hysteresis "
            f"{_as_bits(hysteresis['relative_difference'])} bits (by noise alone "
            f"{_as_bits(hysteresis['relative_noise'])})",
        )
    if "intermediate_precision" in validation:
        worst = min(validation["intermediate_precision"], key=lambda visit: visit["bits"] or 0.0)
        last = validation["intermediate_precision"][-1]
        yield (
            "hours",
            f"after {last['hours']:.1f} h {_bits(last['bits'])} bits; least "
            f"{_bits(worst['bits'])} bits, after {worst['hours']:.1f} h",
        )
        anew = validation["reprogrammed"]
        anew_seconds = sum(anew["bench_seconds"].values())
        yield (
            "and then",
            f"{_bits(last['watched']['bits'])} bits with the gain that sentinels show; "
            f"{_bits(anew['bits'])} bits reprogrammed, in {anew_seconds:.0f} s",
        )


def _from_one(indices: list[int]) -> str:
    """Return indices as they are counted on the board, from 1."""
    return ", ".join(str(index + 1) for index in indices)


def _output_in_words(output: dict[str, Any]) -> str:
    """Write the bits of an output, counted from 1, with their interval."""
    ends = output["bits_interval"]
    sure = f"{_bits(ends[0])} to {_bits(ends[1])}" if ends else "no interval"
    return (
        f"output {output['output'] + 1} {_bits(output['bits'])} bits ({sure}; predicted "
        f"{_bits(output['predicted_bits'])})"
    )


def _bits(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _as_bits(error: float | None) -> str:
    return "–" if error is None else f"{-math.log2(error):.2f}" if error else "∞"
