"""What a run has measured, as named arrays with dimensions and units, for any file format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.converters import FIRST_DEGREE
from instrument.board_calibration import load_calibration
from instrument.errors import UsageError
from instrument.files import arrays_of, as_usage_error, read_bytes
from instrument.history.calibration_quantities import of_calibration
from instrument.history.documents import Result
from instrument.history.figures import figures_of
from instrument.history.folders import KeptRun
from instrument.history.programs import Program, floats_of, read_program
from instrument.history.quantity import NO_UNIT, Measured, Quantity
from instrument.printable import printable
from instrument.run_files import CALIBRATION_FILE, GIVEN_CALIBRATION_FILE, PRODUCTS_FILE

MAX_PRODUCTS_BYTES = 1 << 31


def measured_by(run: KeptRun) -> Measured:
    """Return what a finished run has measured.

    The calibration is the one that the run has used, measured or given. Raises UsageError where the
    run has no result, or one of its files is damaged or does not fit the others.
    """
    result = run.finished_result()
    quantities = [*_of_result(result)]
    degrees: dict[str, int] = {}
    files = (run.path / name for name in (CALIBRATION_FILE, GIVEN_CALIBRATION_FILE))
    used = next((path for path in files if path.exists()), None)
    if used is not None:
        quantities += of_calibration(load_calibration(used))
        degrees = {"row_degree": FIRST_DEGREE, "column_degree": FIRST_DEGREE}
    program = read_program(run.path)
    if program is not None:
        quantities += _of_program(program)
    if (run.path / PRODUCTS_FILE).exists():
        quantities += _of_products(run.path / PRODUCTS_FILE)
    sizes = _sizes(run, quantities)
    labels: dict[str, NDArray[Any]] = {
        name: np.arange(size) + degrees.get(name, 1) for name, size in sizes.items()
    }
    if result.budget is not None:
        labels["cause"] = np.array(
            [printable(row.cause) for row in result.budget.rows], dtype=object
        )
    return Measured(_provenance(run), tuple(quantities), labels)


def _sizes(run: KeptRun, quantities: Sequence[Quantity]) -> dict[str, int]:
    """Return the size of every dimension.

    Raises UsageError where two quantities differ in it.
    """
    sizes: dict[str, int] = {}
    for quantity in quantities:
        if quantity.values.ndim != len(quantity.dimensions):
            raise UsageError(
                f"{run.path}: {quantity.name} is of shape {quantity.values.shape}, not "
                f"({', '.join(quantity.dimensions)}): files of different runs, or damaged ones"
            )
        for name, size in zip(quantity.dimensions, quantity.values.shape, strict=True):
            if sizes.setdefault(name, size) != size:
                raise UsageError(
                    f"{run.path}: {quantity.name} has {size} of {name}, another array "
                    f"{sizes[name]}: files of different runs, or damaged ones"
                )
    return sizes


def _of_result(result: Result) -> Iterator[Quantity]:
    if result.budget is not None:
        errors = np.array([row.relative_error for row in result.budget.rows])
        meaning = "relative error of the products that the budget predicts of the cause"
        yield Quantity("budget_relative_error", ("cause",), NO_UNIT, meaning, errors)
    if result.validation is not None and result.validation.outputs:
        for name, meaning in (
            ("bits", "-log2 of the relative error of an output's products"),
            ("predicted_bits", "the same as the budget predicts it"),
        ):
            bits = [getattr(output, name) for output in result.validation.outputs]
            values = np.array(bits, dtype=np.float64)  # None becomes NaN
            yield Quantity(f"output_{name}", ("output",), "bit", meaning, values)


def _of_program(program: Program) -> Iterator[Quantity]:
    yield Quantity(
        "weights",
        ("matrix_row", "output"),
        NO_UNIT,
        "the matrix that was asked for",
        program.weights,
    )
    yield Quantity(
        "pattern",
        ("tile", "row", "column", "branch"),
        NO_UNIT,
        "whether a switch is closed while the tile stands",
        program.pattern,
    )
    yield Quantity(
        "transfer_siemens",
        ("tile", "row", "column"),
        "S",
        "current of a column over the voltage of a row, wires included; NaN in unused rows",
        program.transfer_siemens,
    )
    yield Quantity(
        "transfer_uncertainty_siemens",
        ("tile", "column"),
        "S",
        "standard uncertainty of each element of a column of transfer_siemens",
        program.transfer_uncertainty_siemens,
    )
    yield Quantity(
        "scale_siemens",
        ("tile", "output"),
        "S",
        "difference of conductance of a weight of one; NaN where the output is not of the tile",
        program.scale_siemens,
    )
    yield Quantity(
        "volts_per_unit", ("tile",), "V", "row voltage of an input of one", program.volts_per_unit
    )


def _of_products(path: Path) -> Iterator[Quantity]:
    with as_usage_error(path, "not the products of a run"):
        arrays = arrays_of(read_bytes(path, MAX_PRODUCTS_BYTES), MAX_PRODUCTS_BYTES)
        for name, dimensions, meaning in (
            ("inputs", ("vector", "matrix_row"), "input vectors"),
            ("exact", ("vector", "output"), "products in float64"),
            ("answered", ("vector", "output"), "one-shot products that the board answered"),
        ):
            yield Quantity(name, dimensions, NO_UNIT, meaning, floats_of(arrays, name))


def _provenance(run: KeptRun) -> dict[str, str | int | float]:
    """Return where the arrays come from, by name; what is unknown is absent."""
    figures = figures_of(run)
    calibration, operands = figures["calibration"] or {}, figures["operands"]
    facts = {
        "title": figures["title"],
        "note": figures["note"],
        **{
            name: figures[name]
            for name in ("id", "command", "host", "bench", "started", "finished", "firmware")
        },
        **{f"{name}_version": number for name, number in figures["versions"].items()},
        "board_serial": figures["board"],
        "board_type": figures["board_type"],
        **{
            f"{name}_{key}": operand[key]
            for name, operand in operands.items()
            if operand
            for key in ("name", "sha256")
        },
        "calibration_made_at": calibration.get("made_at"),
        "calibration_run": calibration.get("run"),
        "calibration_board_kelvin": calibration.get("board_kelvin"),
        "specification_met": None if figures["ok"] is None else str(figures["ok"]).lower(),
        "bits": figures["bits"],
        "worst_bits": figures["worst_bits"],
        "predicted_bits": figures["predicted_bits"],
    }
    return {
        name: printable(value) if isinstance(value, str) else value
        for name, value in facts.items()
        if value is not None
    }
