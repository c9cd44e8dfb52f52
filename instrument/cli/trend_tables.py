"""A board over its runs, as `ohmsum trend` prints it."""

from __future__ import annotations

from collections.abc import Sequence

from instrument.cli.history_tables import UNSTATED, bits, local_time, plain_table, print_json
from instrument.cli.printed_result import stdout_console
from instrument.history import CalibrationPoint, MovedBranch, Trend
from instrument.printable import printable, printable_values

MICRO = 1e6
KELVIN_OF_ZERO_CELSIUS = 273.15


def print_trend(trend: Trend, *, as_json: bool) -> None:
    """Print the trend of a board: as JSON and nothing else, or as tables."""
    document = trend.document()
    if as_json:
        print_json(document)
        return
    console = stdout_console()
    console.print(printable(f"Board {trend.board_type or ''} {trend.board}"), soft_wrap=True)
    runs = plain_table("run", "started", "bits", "predicted", "worst")
    for run in printable_values(document["runs"]):
        runs.add_row(
            run["id"],
            local_time(run["started"]),
            bits(run["bits"]),
            bits(run["predicted_bits"]),
            bits(run["worst_bits"]),
        )
    console.print(runs)
    points = trend.changes.points
    if points:
        table = plain_table(
            "calibrated", "°C", "all, ppm", "rows, ppm", "columns, ppm", "row µV", "column µV"
        )
        for point in points:
            table.add_row(
                f"{point.made_at.astimezone():%Y-%m-%d %H:%M}",
                f"{point.board_kelvin - KELVIN_OF_ZERO_CELSIUS:.2f}",
                f"{point.common_ppm:+.1f}",
                _largest(point.row_gain_ppm),
                _largest(point.column_gain_ppm),
                _moved(point, points[0], "row_offset_volts"),
                _moved(point, points[0], "column_offset_volts"),
            )
        console.print(table)
        console.print(
            "Changes since the first calibration: of all conductances, and the largest of the "
            "gains of rows and columns (which) and of their offsets."
        )
    if trend.changes.branches:
        table = plain_table("branch", "change, ppm", "largest, ppm", "over its uncertainty", "is")
        for branch in trend.changes.branches:
            table.add_row(
                str(branch),
                _change(branch),
                _largest([change or 0.0 for change in branch.change_ppm], which=False),
                f"{branch.sigmas:.1f}" + (" !" if branch.moved else ""),
                branch.status[-1],
            )
        console.print(table)
    for sentence in trend.words:
        console.print(sentence, soft_wrap=True)


def _change(branch: MovedBranch) -> str:
    change, uncertainty = branch.change_ppm[-1], branch.uncertainty_ppm[-1]
    if change is None or uncertainty is None:
        return UNSTATED
    return f"{change:+.0f} ± {uncertainty:.0f}"


def _largest(changes: Sequence[float], *, which: bool = True) -> str:
    """Write the change that is largest, and of which line it is, counted from 1."""
    index = max(range(len(changes)), key=lambda at: abs(changes[at]))
    return f"{changes[index]:+.1f}" + (f" ({index + 1})" if which else "")


def _moved(point: CalibrationPoint, first: CalibrationPoint, name: str) -> str:
    pairs = zip(getattr(point, name), getattr(first, name), strict=True)
    return _largest([MICRO * (now - before) for now, before in pairs])
