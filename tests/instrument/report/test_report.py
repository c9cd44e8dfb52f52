"""The report: one self-contained page that says what the run reached, whatever the run was."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calibration.branches.characterization import BranchCalibration, BranchStatus
from calibration.budget.causes import Budget, Row
from calibration.converters.corrected import CorrectedCrossbar
from calibration.noise.survey import NoiseSurvey
from calibration.programming.board_model import first_estimate
from calibration.programming.precision_by_branches import PrecisionByBranches
from calibration.programming.programmed import Programmed
from calibration.programming.sentinels import Watch
from calibration.programming.targets import Targets
from calibration.statistics.measured_value import MeasuredValue
from calibration.transfer.measure import TransferMeasurement
from calibration.transfer.product_ranges import range_of_use
from calibration.transfer.wires import WireEstimate
from drivers.crossbar_board import CrossbarBoard, SpentSeconds
from instrument import wording
from instrument.board_calibration.record import BoardIdentity, Calibration
from instrument.budget import Budgets
from instrument.digits import Classification
from instrument.matrix.programmed import ProgrammedMatrix
from instrument.matrix.tiled import ProgrammedTile, TiledMatrix
from instrument.pipeline import Run
from instrument.report import Circumstances, pictures, validation_pictures, write_report
from instrument.report import budget as budget_part
from instrument.report import validation as validation_tables
from instrument.report.noise import noise_rows
from instrument.results.document import Specification
from instrument.validation import Checks, Scope, Validation
from instrument.validation.cost import Cost
from instrument.validation.hysteresis import Hysteresis
from instrument.validation.linearity import Linearity, Superposition
from instrument.validation.over_hours import IntermediatePrecision, Reprogrammed, Visit
from instrument.validation.repeatability import Repeatability
from kirchhoff import Wire
from tests.support.branch_calibrations import (
    coefficients_of,
    converters_of,
    ranges_of,
    settle_time_of,
    survey_of,
)
from tests.support.tiled_programs import alone, changed, programmed_of

SPECIFICATION = Specification(bits=11.0, agreement=0.995)
CIRCUMSTANCES = Circumstances(title="Digits on board 64x16", seed=7, wall_seconds=12.3)
CLASSIFICATION = Classification(digital_accuracy=0.9644, analog_accuracy=0.9622, agreement=0.9978)
SMALL_BOARD = BoardIdentity("8x4", "B000001", 8, 8, 4)


def make_run(
    shape: tuple[int, int] = (5, 3),
    *,
    board: BoardIdentity = SMALL_BOARD,
    vectors: int = 20,
    error: float = 1e-4,
) -> Run:
    """Make up a run: `error` is the rms of products and weights, relative to the largest."""
    random = np.random.default_rng(0)
    rows, outputs = shape
    weights = random.uniform(-1, 1, shape)
    weights[0, 0] = 1.0
    inputs = random.uniform(-1, 1, (vectors, rows))
    exact = inputs @ weights
    validation = Validation(
        inputs=inputs,
        exact=exact,
        answered=exact * (1 + error * random.standard_normal(exact.shape)),
        full_scale=float(np.abs(weights).sum(axis=0).max()),
    )
    scale_siemens = 9e-6
    wanted = weights * scale_siemens
    transfer = np.zeros((rows, board.columns))
    transfer[:, 0 : 2 * outputs : 2] = wanted * (1 + error * random.standard_normal(shape))
    branch_shape = board.rows, board.columns, board.branches
    unknowns = 1 + board.branches, 1 + board.branches
    branches = BranchCalibration(
        branch_siemens=random.uniform(1e-6, 1e-5, branch_shape),
        uncertainty_siemens=np.full(branch_shape, 6e-12),
        open_siemens=np.full(branch_shape[:2], 1e-9),
        status=np.zeros(branch_shape, dtype=np.int8),
        readings=106_496,
        range_amperes=30e-6,
        row_volts=0.9375,
        design="one at a time",
        groups=np.eye(1 + board.branches, dtype=bool)[:, 1:],
        noise_covariance=np.zeros((board.rows, *unknowns)),
        noise_variance_siemens2=np.full(board.columns, 1e-24),
        signal_covariance_siemens2=np.zeros((board.rows, *unknowns)),
        drift_covariance=np.zeros((board.rows, board.rows)),
        wild_readings=np.zeros((board.rows, board.columns), dtype=np.int_),
        drift_ppm=0.0,
        reference_kelvin=296.15,
        reference_seconds=30.0,
        kelvin_range=np.array([296.15, 296.15]),
        delay_seconds=5e-4,
    )
    wire = Wire(0.02, 0.02, 0.05, 0.0)
    budget = Budget((Row("ADC noise", error * 0.9), Row("mains", error / 1e6), Row("rest", 0.0)))
    return Run(
        board=board,
        resource="TCPIP::127.0.0.1::5025::SOCKET",
        calibration=Calibration(
            board=board,
            branches=branches,
            converters=converters_of(board.rows, board.columns),
            ranges=ranges_of(board.columns),
            noise=survey_of(),
            settling=settle_time_of(),
            temperature=coefficients_of(branch_shape),
            bytes_moved=444_921,
            bench_seconds=79.6,
            converter_seconds=11.4,
            board_kelvin=296.2,
            wall_seconds=0.5,
            made_at=datetime(2026, 3, 14, tzinfo=UTC),
            versions={"ohmsum": "0.1.0", "firmware": "1.0"},
        ),
        program=alone(
            ProgrammedMatrix(
                # The page asks the board for nothing but the settings that it was used with.
                board=cast(
                    CrossbarBoard, SimpleNamespace(aperture_seconds=0.02, delay_seconds=1e-3)
                ),
                corrected=cast(CorrectedCrossbar, None),
                weights=weights,
                programmed=Programmed(
                    pattern=np.zeros(branch_shape, dtype=bool),
                    targets=Targets(wanted, np.full(weights.shape[1], scale_siemens), 40e-6),
                    transfer=TransferMeasurement(
                        transfer,
                        np.zeros(board.columns),
                        np.full(board.columns, error * 1e-6),
                        volts=0.9375,
                    ),
                    ranges=(range_of_use(1e-3, board.columns), range_of_use(3e-3, board.columns)),
                    round_residuals=(error * 10, error * 3, error * 2, error),
                    wire=WireEstimate(wire, Wire(1e-5, 1e-5, 1e-3, 0.5)),
                    estimate=first_estimate(branches, wire),
                    unreachable=np.zeros(shape, dtype=bool),
                    coarse=np.zeros(shape, dtype=bool),
                    lost=np.zeros(shape[1], dtype=bool),
                ),
                volts_per_unit=0.9375,
                input_full_scale=1.0,
            )
        ),
        validation=validation,
        tile_validations=(validation,),
        budgets=Budgets(budget, np.full(weights.shape[1], budget.relative_error), (budget,)),
        checks=make_checks(validation, error),
        calibration_expired=None,
        coverage=PrecisionByBranches(
            branches_per_weight=2 * np.arange(1, board.branches + 1),
            median_bits=np.arange(1.0, board.branches + 1) * 2,
            worst_bits=np.arange(1.0, board.branches + 1) * 1.5,
        ),
        spent=SpentSeconds(settling=1.7, integrating=66.6, talking=0.5),
    )


def make_checks(validation: Validation, error: float) -> Checks:
    """Make up what is checked beside the products, with errors of the same size."""
    random = np.random.default_rng(1)

    def worse(factor: float, *, sampled: bool) -> Validation:
        answered = validation.exact + factor * validation.error
        return replace(validation, answered=answered, sampled=sampled)

    passes = error * random.standard_normal((16, *validation.exact.shape))
    return Checks(
        scope=Scope(),
        kinds={
            "sparse": worse(2, sampled=True),
            "one_hot": worse(3, sampled=False),
            "largest_product_signs": worse(4, sampled=False),
            "largest_error_signs": worse(5, sampled=False),
        },
        refined=replace(validation, answered=validation.exact + validation.error / 2),
        repeatability=Repeatability(validation.inputs, validation.exact + passes, validation.exact),
        averaged=replace(validation, answered=validation.exact + validation.error / 4),
        averaged_one_shot=validation,
        cost=Cost(15, SpentSeconds(settling=1e-3, integrating=20e-3, talking=4e-4), 2.7e-4),
        linearity=None,
        hysteresis=None,
        intermediate_precision=None,
        spent=SpentSeconds(0.3, 6.0, 0.1),
    )


def thorough(run: Run) -> Run:
    """Let more be validated, over two hours, with inputs of a person's own."""
    random, checks, exact = np.random.default_rng(2), run.checks, run.validation.exact

    def drawn(repeats: int) -> NDArray[np.float64]:
        return exact + 1e-4 * random.standard_normal((repeats, *exact.shape))

    superposition = Superposition(drawn(4) - exact, exact, run.validation.full_scale)
    return replace(
        run,
        checks=replace(
            checks,
            scope=Scope(own_inputs=True, thorough=True, hours=2.0),
            kinds={"uniform": run.validation} | checks.kinds,
            linearity=Linearity(superposition, superposition),
            hysteresis=Hysteresis(drawn(8), drawn(8), exact),
            intermediate_precision=IntermediatePrecision(
                visits=tuple(
                    Visit(
                        hours=hours,
                        board_kelvin=296.0 + hours,
                        validation=replace(run.validation, answered=drawn(1)[0]),
                        watched=run.validation,
                        watches=(Watch(1 + 1e-5 * hours, 1e-7, 2e-5 * hours, (), (0.0, 296.0)),),
                    )
                    for hours in (0.0, 1.0, 2.0)
                ),
                reprogrammed=Reprogrammed(
                    run.program, run.validation, SpentSeconds(1.5, 30.0, 2.0)
                ),
            ),
        ),
    )


def in_tiles(run: Run) -> Run:
    """Put a second tile of the same weights below the first, at half its scale."""
    (part,) = run.program.tiles
    programmed = part.matrix.programmed
    targets = replace(programmed.targets, scale_siemens=programmed.targets.scale_siemens / 2)
    below = ProgrammedTile(
        replace(part.tile, first_row=part.tile.rows),
        replace(part.matrix, programmed=replace(programmed, targets=targets)),
    )
    weights = np.concatenate([part.matrix.weights] * 2)
    return replace(
        run,
        program=TiledMatrix(weights, (part, below)),
        tile_validations=2 * run.tile_validations,
        budgets=replace(run.budgets, tiles=2 * run.budgets.tiles),
    )


def with_faults(run: Run) -> Run:
    """Break a short, an open and a stuck branch and a whole crosspoint, with two wild readings
    elsewhere, and put two weights beyond reach.
    """
    status = run.calibration.branches.status.copy()
    status[0, 1, 2], status[3, 4, 0], status[5, 2, 3] = (
        BranchStatus.SHORT,
        BranchStatus.OPEN,
        BranchStatus.STUCK,
    )
    status[2, 6] = BranchStatus.OPEN
    wild = np.zeros(status.shape[:2], dtype=np.int_)
    wild[4, 7] = 2
    branches = replace(run.calibration.branches, status=status, wild_readings=wild)
    unreachable = programmed_of(run.program).unreachable.copy()
    unreachable[[1, 4], [2, 0]] = True
    programmed = replace(programmed_of(run.program), unreachable=unreachable)
    return replace(
        run,
        calibration=replace(run.calibration, branches=branches),
        program=changed(run.program, programmed=programmed),
    )


def with_nothing_working(run: Run) -> Run:
    """Leave no branch that works and no weight within reach."""
    status = np.full_like(run.calibration.branches.status, BranchStatus.OPEN)
    branches = replace(run.calibration.branches, status=status)
    unreachable = np.ones_like(programmed_of(run.program).unreachable)
    programmed = replace(programmed_of(run.program), unreachable=unreachable)
    return replace(
        run,
        calibration=replace(run.calibration, branches=branches),
        program=changed(run.program, programmed=programmed),
    )


def with_zero_products(run: Run) -> Run:
    """Let every exact product be zero, so that a relative error has no meaning."""
    zero = replace(run.validation, exact=np.zeros_like(run.validation.exact))
    return replace(run, validation=zero, checks=make_checks(zero, 1e-4))


EVIL_BOARD = BoardIdentity(
    "<script>alert('1')</script>&amp;\"x", "</title><img src=http://a.b/c>", 8, 8, 4
)
EVIL_RESOURCE = "<iframe src='file:///etc'>"
EVIL_TITLE = "<b onclick=x>{{ 7 * 7 }}"
EVIL_NOTE, EVIL_FILE = "<i onclick=y>", "</td><b>W.npy"
ABOUT = {
    "id": "20310502T101112Z-0badcafe",
    "started": "2031-05-02T12:11:12+02:00",
    "finished": "2031-05-02T12:13:14+02:00",
    "command": "ohmsum run --bench bench.toml --matrix W.npy",
    "bench": "bench.toml",
    "host": "bench-3",
    "note": None,
    "matrix": {"name": "W.npy", "shape": [1, 1], "sha256": "0a" * 32, "sha256_of": "file"},
    "inputs": {"name": "random", "shape": [9, 1], "sha256": "0b" * 32, "sha256_of": "values"},
    "calibration": {"made_at": "2031-05-01T10:00:00+00:00", "run": "earlier", "joined": []},
    "versions": {"ohmsum": "0.1.0", "commit": "c0ffee", "python": "3.12.1"},
}
EVIL_ABOUT = ABOUT | {"note": EVIL_NOTE, "matrix": ABOUT["matrix"] | {"name": EVIL_FILE}}

RUNS = {
    "small": make_run(),
    "one weight": make_run((1, 1)),
    "one weight, one vector, one branch": make_run(
        (1, 1), board=BoardIdentity("1x1", "B0", 1, 2, 1), vectors=1
    ),
    "100 outputs": make_run(
        (100, 100), board=BoardIdentity("100x100", "B000009", 100, 200, 2), vectors=64
    ),
    "exact": make_run(error=0.0),
    "hopeless": make_run(error=30.0),
    "zero products": with_zero_products(make_run()),
    "faults": with_faults(make_run()),
    "thorough": thorough(make_run()),
    "tiled": in_tiles(with_faults(make_run())),
    "nothing works": with_nothing_working(make_run()),
    "evil": replace(make_run(board=EVIL_BOARD), resource=EVIL_RESOURCE),
}
CLASSIFICATIONS = {
    "small": CLASSIFICATION,
    "100 outputs": replace(CLASSIFICATION, agreement=0.9),
}
OTHER_CIRCUMSTANCES = {
    "evil": Circumstances(title=EVIL_TITLE, about=EVIL_ABOUT),
    "one weight": Circumstances(title="Bench 3", about=ABOUT),
}


def write(name: str, path: Path) -> bytes:
    write_report(
        RUNS[name],
        SPECIFICATION,
        CLASSIFICATIONS.get(name),
        OTHER_CIRCUMSTANCES.get(name, CIRCUMSTANCES),
        path,
    )
    return path.read_bytes()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The page of a run, by its name; written once, because drawing takes half a second."""
    folder = tmp_path_factory.mktemp("reports")
    return cache(lambda name: write(name, folder / f"{name}.html").decode())


VOID = {"meta", "img", "br", "link", "input", "hr"}


@dataclass
class _Page(HTMLParser):
    """What a page is made of; raises where an element is not closed in order."""

    open: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        for name, value in attrs:
            if name in {"src", "href", "srcset", "data", "action", "poster", "background"}:
                self.addresses.append(value or "")
            if (tag, name) == ("img", "src"):
                self.images.append(value or "")
            assert not name.startswith("on"), "no scripts"
        if tag == "img":
            assert dict(attrs)["alt"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data


def parse(page: str) -> _Page:
    parsed = _Page()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    parsed.text = re.sub(r"\s+", " ", parsed.text)
    return parsed


def svgs(page: _Page) -> list[ElementTree.Element]:
    """Return the pictures; raises where one is not well-formed SVG."""
    start = "data:image/svg+xml;base64,"
    assert all(image.startswith(start) for image in page.images)
    return [ElementTree.fromstring(b64decode(image[len(start) :])) for image in page.images]


def said_of_noise(survey: NoiseSurvey) -> dict[str, str]:
    return {row.name: row.value for row in noise_rows(survey)}


def test_noise_is_told_in_the_units_of_data_sheets() -> None:
    survey = replace(
        survey_of(),
        amplifier=MeasuredValue(25 * 5.8e-9**2, 1e-17),
        flicker=MeasuredValue(-1e-18, 2e-18),
    )
    survey = replace(
        survey, johnson=MeasuredValue(survey.johnson_expected, survey.johnson_expected / 50)
    )
    said = said_of_noise(survey)
    space = "\N{NO-BREAK SPACE}"
    assert re.fullmatch(rf"\(5\.8\d* ± .*\){space}nV", said["Amplifier, 1/√Hz"])
    assert said["Amplifier at 1 Hz, falling as 1/√f, 1/√Hz"] == f"at most 1.814{space}nV"
    assert said["Johnson noise, of √(4kTG)"] == "1.000 ± 0.010"
    assert said["Line frequency"] == f"(50.0200 ± 0.0010){space}Hz"
    assert said["Temperature coefficient, all together, 1/K"].startswith("(−100")


@pytest.mark.parametrize("name", RUNS)
def test_any_run_gives_one_well_formed_page_that_needs_nothing_else(
    name: str, pages: Callable[[str], str]
) -> None:
    html = pages(name)
    page = parse(html)
    assert page.addresses == page.images
    assert {"script", "link", "iframe", "object"}.isdisjoint(page.seen)
    assert not re.search(r"@import|url\(|@font-face", html)
    pictures = svgs(page)
    assert len(pictures) == 8 + (name == "thorough")
    for picture in pictures:
        hrefs = [value for part in picture.iter() for key, value in part.items() if "href" in key]
        assert all(href.startswith(("#", "data:")) for href in hrefs)
    assert len(html) < 1_500_000
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", page.text)


def test_headline_figures_stand_on_the_page(pages: Callable[[str], str]) -> None:
    text, validation = parse(pages("small")).text, RUNS["small"].validation
    mantissa, exponent = f"{validation.relative_error:.2e}".split("e")
    converters = RUNS["small"].calibration.converters
    largest, step = converters.rows.largest(), converters.step_volts
    wanted = [
        CIRCUMSTANCES.title,
        "Within specification",
        f"{mantissa} × 10−{-int(exponent)}",
        f"Bits{validation.bits:.2f}",
        "{:.2f} to {:.2f} at 95 %".format(*validation.bits_interval),
        f"Worst bits{validation.worst_bits:.2f}",
        "Decisions alike99.78 %",
        "Accuracy, analog96.22 %",
        "digital: 96.44 %",
        "at least 11",
        "at least 99.5 %",
        "Branches measured256",
        "Readings106 496",
        "Bench time79.6 s",
        "Whole run12.3 s",
        "simulated, seed 7",
        "board 8x4, serial number B000001",
        "TCPIP::127.0.0.1::5025::SOCKET",
        "9 µS for a weight of one",
        "20 ms",
        "rows at ±937.5 mV, range 30 µA",
        f"({abs(largest.deviation) / step:.4f} ± {largest.uncertainty / step:.4f}) steps "
        f"(row {largest.channel + 1}; standard)",
        "11.4 s on the bench, part of the calibration’s",
    ]
    assert [figure for figure in wanted if figure not in text] == []


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], list[Figure]]:
    """The figures that are drawn for the page of a run, by its name."""

    def drawn_for(name: str) -> list[Figure]:
        drawn: list[Figure] = []

        def keep(picture: Callable[[Figure], None], height_inches: float) -> str:
            drawn.append(Figure(figsize=(5, height_inches)))
            picture(drawn[-1])
            return "<svg/>"

        for module in (budget_part, pictures, validation_pictures):
            monkeypatch.setattr(module, "draw", keep)
        write(name, tmp_path / "report.html")
        return drawn

    return drawn_for


@pytest.mark.parametrize("name", ["small", "thorough", "tiled", "hopeless"])
def test_every_axis_says_what_it_counts(name: str, figures: Callable[[str], list[Figure]]) -> None:
    drawn = figures(name)
    assert len(drawn) == 8 + (name == "thorough")
    for figure in drawn:
        for axes in figure.axes:
            place = axes.get_subplotspec()
            if place is not None and axes.get_label() != "<colorbar>":
                named = any(tick.get_text().isalpha() for tick in axes.get_yticklabels())
                assert axes.get_ylabel() or named or not place.is_first_col()
                assert axes.get_xlabel() or not place.is_last_row()


@pytest.mark.parametrize("uncertainty", [0.0, 1e-9])
def test_the_noise_of_a_measurement_is_a_line_where_there_is_any(
    uncertainty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure, program = Figure(), RUNS["small"].program
    monkeypatch.setattr(pictures, "draw", lambda picture, _height: picture(figure))
    programmed = programmed_of(program)
    transfer = replace(
        programmed.transfer,
        uncertainty_siemens=np.full_like(programmed.transfer.uncertainty_siemens, uncertainty),
    )
    part = program.tiles[0]
    matrix = replace(part.matrix, programmed=replace(programmed, transfer=transfer))
    pictures.convergence(replace(program, tiles=(replace(part, matrix=matrix),)))
    (axes,) = figure.axes
    levels = [line.get_ydata()[0] for line in axes.lines if "noise" in str(line.get_label())]
    largest = np.abs(programmed.targets.difference_siemens).max()
    noise = [-np.log2(np.sqrt(2) * uncertainty / largest)] if uncertainty else []
    assert levels == pytest.approx(noise)


@pytest.mark.parametrize("name", ["small", "hopeless", "100 outputs"])
def test_the_histogram_counts_every_product_beside_their_rms(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure, validation = Figure(), RUNS[name].validation
    monkeypatch.setattr(pictures, "draw", lambda picture, _height: picture(figure))
    pictures.error_histogram(validation)
    (axes,) = figure.axes
    error = (validation.error / validation.full_scale * 1e6).ravel()
    rms = float(np.sqrt((error**2).mean()))
    lines = [list(line.get_xdata()) for line in axes.lines]
    assert [one[0] for one in lines if len(one) == 2] == pytest.approx([-rms, rms])
    counts = axes.patches[0].get_data().values
    assert counts.sum() == error.size
    (curve,) = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(
        error.size * np.diff(axes.patches[0].get_data().edges)[0], rel=0.02
    )


def test_the_map_counts_rows_and_outputs_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure()
    monkeypatch.setattr(pictures, "draw", lambda picture, _height: picture(figure))
    program = RUNS["tiled"].program
    pictures.error_map(program)
    axes = figure.axes[0]
    rows, outputs = program.weights.shape
    assert axes.get_xlim() == (0.5, outputs + 0.5)
    assert axes.get_ylim() == (rows + 0.5, 0.5)
    (cut,) = {line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 0.5} - {0}
    assert cut == program.tiles[1].tile.first_row + 0.5


def test_every_tile_has_a_row_where_there_are_several(pages: Callable[[str], str]) -> None:
    text = parse(pages("tiled")).text
    bits = f"{RUNS['tiled'].validation.bits:.2f}"
    for rows, scale in (("1 to 5", "9"), ("6 to 10", "4.5")):
        where = f"rows {rows}, outputs 1 to 3"
        assert re.search(f"{where}{scale}\\sµS1\\smA.*?{bits}", text)
        assert re.search(f"{where}4\\d", text)  # rounds
    assert "2, 3: " in text
    assert "7, 3: " in text  # beyond reach, of the second tile
    assert "The tiles" not in parse(pages("small")).text


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("small", "Within specification"),
        ("one weight", "Within specification"),
        ("one weight, one vector, one branch", "Not within specification"),
        ("exact", "Within specification"),
        ("hopeless", "Not within specification"),
        ("100 outputs", "Not within specification"),
        ("zero products", "Not within specification"),
    ],
)
def test_verdict_is_that_of_the_specification(
    name: str, verdict: str, pages: Callable[[str], str]
) -> None:
    assert f" {verdict} " in parse(pages(name)).text
    met = SPECIFICATION.met(RUNS[name], CLASSIFICATIONS.get(name))
    assert met == verdict.startswith("Within")


def test_every_kind_of_vectors_has_a_row_and_what_is_not_one_shot_its_own(
    pages: Callable[[str], str],
) -> None:
    text, run = parse(pages("thorough")).text, RUNS["thorough"]
    one_shot, rest = text.split("One-shot products", 1)[1].split("Not one-shot", 1)
    checks = run.checks
    rows = {"the job’s inputs": run.validation} | {
        validation_tables.KINDS[name]: kind for name, kind in checks.kinds.items()
    }
    assert [one_shot.count(row_of(name, products)) for name, products in rows.items()] == [1] * 6
    assert one_shot.count("these are all") == 3
    other = {"mean of 16 readings": checks.averaged, "refined: the job’s inputs": checks.refined}
    assert [rest.count(row_of(name, products)) for name, products in other.items()] == [1, 1]


def row_of(name: str, products: Validation) -> str:
    """Return a row of the table of precision as it stands on the page, the tags taken away."""
    mantissa, exponent = f"{products.relative_error:.2e}".split("e")
    ends = products.bits_interval
    sure = "these are all" if ends is None else f"{ends.low:.2f} to {ends.high:.2f}"
    return (
        f"{name}{len(products.inputs)}{mantissa} × 10−{-int(exponent)} "
        f"{products.bits:.2f}{sure}{products.worst_bits:.2f}"
    )


def test_what_was_checked_is_told_and_what_was_not_is_not(pages: Callable[[str], str]) -> None:
    told = ("superposition on shared rows", "from closed less from open", "Over hours")
    assert all(part in parse(pages("thorough")).text for part in told)
    assert not any(part in parse(pages("small")).text for part in told)


def test_without_classification_nothing_is_said_of_decisions(pages: Callable[[str], str]) -> None:
    text = parse(pages("one weight")).text
    assert "ecisions" not in text
    assert "ccuracy" not in text


def test_an_exact_answer_has_infinitely_many_bits(pages: Callable[[str], str]) -> None:
    assert "Bits∞" in parse(pages("exact")).text


def test_faults_and_unreachable_weights_are_listed(pages: Callable[[str], str]) -> None:
    text, weights = parse(pages("faults")).text, RUNS["faults"].program.weights
    for entry in ("1, 2, 3: short", "4, 5, 1: open", "6, 3, 4: stuck"):
        assert entry in text
    page = pages("faults")
    assert "<li>3, 7</li>" in page  # a crosspoint without a working branch
    assert "<li>5, 8: 2</li>" in page  # wild readings
    for row, output in ((1, 2), (4, 0)):
        assert f"{row + 1}, {output + 1}: {weights[row, output]:.4g}, is " in text
    assert "beyond reach" not in parse(pages("small")).text


def test_a_long_list_of_faults_is_cut_and_the_rest_counted(pages: Callable[[str], str]) -> None:
    text = parse(pages("nothing works")).text
    assert "none: no weight comes near enough to be refined" in text
    assert text.count(": open") == 60
    assert "and 196 more" in text


def test_names_from_the_wire_are_text_and_nothing_else(pages: Callable[[str], str]) -> None:
    page = parse(pages("evil"))
    assert set(page.seen) == set(parse(pages("hopeless")).seen)
    evil = (EVIL_BOARD.type, EVIL_BOARD.serial, EVIL_RESOURCE, EVIL_TITLE, EVIL_NOTE, EVIL_FILE)
    for name in evil:
        assert name in page.text


def test_the_same_run_gives_the_same_bytes_whatever_matplotlib_is_set_to(
    tmp_path: Path, pages: Callable[[str], str]
) -> None:
    first = pages("faults").encode()
    with mpl.rc_context({"font.size": 23.0, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert write("faults", tmp_path / "again.html") == first
        assert mpl.rcParams["font.size"] == 23.0


def test_an_origin_and_a_seed_stand_there_only_if_given(pages: Callable[[str], str]) -> None:
    dated, seeded = parse(pages("one weight")).text, parse(pages("small")).text
    for said in ("id", "started", "finished", "command", "bench", "host"):
        assert ABOUT[said] in dated
    for said in ("SHA-256 of the file " + "0a" * 32, "by run earlier", "commit c0ffee"):
        assert said in dated
    assert "2031" not in seeded
    assert "simulated" in seeded
    assert "simulated" not in dated


@pytest.mark.parametrize(
    ("fraction", "written"),
    [(1.0, "100 %"), (0.999999, "99.99 %"), (0.96889, "96.89 %"), (1e-6, "0.01 %"), (0.0, "0 %")],
)
def test_a_percentage_is_all_or_nothing_only_if_it_is(fraction: float, written: str) -> None:
    assert wording.percent(fraction) == written.replace(" ", wording.SPACE)


@pytest.mark.parametrize(
    ("value", "uncertainty", "unit", "written"),
    [
        (5.834e-9, 58.66e-12, "V", "(5.834 ± 0.059) nV"),
        (20e-6, 20.35e-9, "V", "(20.000 ± 0.020) µV"),
        (-99.4, 4.19, "ppm/K", "(−99.4 ± 4.2) ppm/K"),
        (0.0, 403.7, "mΩ", "(0 ± 404) mΩ"),
        (3e-12, 2e-9, "V", "(0.0 ± 2.0) nV"),
        (1.007, 0.0996, "", "1.01 ± 0.10"),
        (20.0, 0.0, "mΩ", "(20.00 ± 0.00) mΩ"),
        (float("nan"), 1.0, "V", "–"),
    ],
)
def test_value_and_uncertainty_end_at_the_same_digit(
    value: float, uncertainty: float, unit: str, written: str
) -> None:
    said = wording.measured(value, uncertainty, unit)
    assert said.replace(wording.SPACE, " ") == written


@settings(deadline=None)
@given(st.floats(1e-14, 9e11))
def test_a_quantity_reads_back_as_what_it_is(value: float) -> None:
    number, unit = wording.quantity(value, "V").split(wording.SPACE)
    factor = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
    factor |= {"M": 1e6, "G": 1e9}
    assert float(number) * factor[unit.removesuffix("V")] == pytest.approx(value, rel=5.1e-4)
    assert 1 <= float(number) < 1000
