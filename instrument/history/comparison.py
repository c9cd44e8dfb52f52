"""Two runs side by side: settings that differ, bits, and which cause of the budget got worse."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from instrument.bench_file import MAX_BENCH_BYTES
from instrument.files import as_usage_error, read_bytes
from instrument.history.documents import Result
from instrument.history.figures import firmware_of
from instrument.history.folders import KeptRun
from instrument.history.listing import summary
from instrument.run_files import BENCH_FILE

MIN_SHARE = 0.05
"""Change of a cause that words name, over the sum of all changes of squares."""
MIN_CHANGE = 0.02
"""Sum of all changes of squares, over the larger sum of squares, below which nothing is named: the
predictions of one board on two days differ by as much.
"""


@dataclass(frozen=True)
class Cause:
    """A cause of the error of products in both runs; the change is that of the second."""

    cause: str
    a: float
    b: float
    """Relative error; 0 where a run's budget does not have it."""

    @property
    def change_of_square(self) -> float:
        """Change of its square, by which it changes the sum."""
        return self.b**2 - self.a**2


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common, and what not."""

    a: KeptRun
    b: KeptRun
    settings: tuple[tuple[str, Any, Any], ...]
    """Name and both values of each setting that differs."""
    bits: tuple[tuple[str, float | None, float | None], ...]
    """Name and both values: measured, predicted, worst."""
    causes: tuple[Cause, ...]
    """The largest change of the sum first."""
    words: tuple[str, ...]
    """Sentences: what changed, and which causes explain it."""

    def document(self) -> dict[str, Any]:
        """Return the comparison as JSON holds it."""
        return {
            "runs": [summary(self.a), summary(self.b)],
            "words": list(self.words),
            "settings": [{"setting": name, "a": a, "b": b} for name, a, b in self.settings],
            "bits": [
                {"bits": name, "a": a, "b": b, "difference": _difference(a, b)}
                for name, a, b in self.bits
            ],
            "budget": [asdict(cause) | {"difference": cause.b - cause.a} for cause in self.causes],
        }


def compare_runs(a: KeptRun, b: KeptRun) -> Comparison:
    """Compare a run with a later one, or with any other.

    Raises UsageError where one of them has no result, or a bench file that cannot be read.
    """
    result_a, result_b = a.finished_result(), b.finished_result()
    mine, others = _settings(a, result_a), _settings(b, result_b)
    names = dict.fromkeys([*mine, *others])
    bits = tuple(
        (name, _bits_of(result_a)[name], _bits_of(result_b)[name]) for name in _bits_of(result_a)
    )
    causes = _causes(result_a, result_b)
    return Comparison(
        a=a,
        b=b,
        settings=tuple(
            (name, mine.get(name), others.get(name))
            for name in names
            if mine.get(name) != others.get(name)
        ),
        bits=bits,
        causes=causes,
        words=tuple(_in_words(result_a, result_b, causes)),
    )


def _settings(run: KeptRun, result: Result) -> dict[str, Any]:
    """Return what a run was asked for and what it ran on, by name."""
    about, claim = result.run, run.claim
    calibration = about.calibration
    document = {
        "command": claim.command,
        "options": _options(claim.asked),
        "bench": {"name": about.bench} | _bench_file(run),
        "matrix": None if about.matrix is None else about.matrix.model_dump(mode="json"),
        "inputs": None if about.inputs is None else about.inputs.model_dump(mode="json"),
        "specification": None
        if result.specification is None
        else result.specification.model_dump(),
        "board": result.board.model_dump(),
        "firmware": firmware_of(result),
        "calibration": None
        if calibration is None
        else {"made_at": calibration.made_at.isoformat(), "run": calibration.run},
        "versions": claim.versions,
        "host": claim.host,
    }
    return dict(_flat(document))


def _options(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the command, whichever it is: they stand below its name."""
    of_commands = (options for options in asked.values() if isinstance(options, Mapping))
    return {name: value for options in of_commands for name, value in options.items()}


def _bench_file(run: KeptRun) -> dict[str, Any]:
    """Return the keys of the bench file that the run has kept; none where it has kept none."""
    path = run.path / BENCH_FILE
    if not path.exists():
        return {}
    with as_usage_error(path, "not a bench file"):
        return tomllib.loads(read_bytes(path, MAX_BENCH_BYTES).decode("utf-8"))


def _flat(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _bits_of(result: Result) -> dict[str, float | None]:
    validation, budget = result.validation, result.budget
    return {
        "measured": None if validation is None else validation.bits,
        "predicted": None if budget is None else budget.predicted_bits,
        "worst": None if validation is None else validation.worst_bits,
    }


def _causes(a: Result, b: Result) -> tuple[Cause, ...]:
    mine, others = (
        {}
        if result.budget is None
        else {row.cause: row.relative_error for row in result.budget.rows}
        for result in (a, b)
    )
    causes = [
        Cause(name, mine.get(name, 0.0), others.get(name, 0.0))
        for name in dict.fromkeys([*mine, *others])
    ]
    return tuple(sorted(causes, key=lambda cause: -abs(cause.change_of_square)))


def _in_words(a: Result, b: Result, causes: Sequence[Cause]) -> Iterator[str]:
    if a.run.matrix and b.run.matrix and a.run.matrix.sha256 != b.run.matrix.sha256:
        yield "The matrices differ: the bits of two tasks are compared."
    bits_a, bits_b = _bits_of(a), _bits_of(b)
    change = _difference(bits_a["measured"], bits_b["measured"])
    if change is not None:
        more = "more" if change > 0 else "fewer"
        yield (
            f"B has {bits_b['measured']:.2f} bits, {abs(change):.2f} {more} than A"
            + (": the 95 % intervals of both overlap." if _overlap(a, b) else ".")
        )
        foreseen = _difference(bits_a["predicted"], bits_b["predicted"])
        if foreseen is not None:
            signed = f"{foreseen:+.2f} bits; measured is {change:+.2f}".replace("-", "−")
            yield f"The budgets predict a change of {signed}."
    if not causes:
        yield "There are no two budgets to compare."
        return
    total = sum(abs(cause.change_of_square) for cause in causes)
    largest = max(sum(cause.a**2 for cause in causes), sum(cause.b**2 for cause in causes))
    if total <= MIN_CHANGE * largest:
        yield "No cause of the budget has changed by what matters."
        return
    for name, sign in (("Worse", 1), ("Better", -1)):
        named = [cause for cause in causes if sign * cause.change_of_square > MIN_SHARE * total]
        if named:
            changes = ", ".join(
                f"{cause.cause} ({cause.a:.2e} to {cause.b:.2e})" for cause in named
            )
            yield f"{name} in B: {changes}."


def _overlap(a: Result, b: Result) -> bool:
    ends = [
        result.validation.bits_interval if result.validation is not None else None
        for result in (a, b)
    ]
    (low_a, high_a), (low_b, high_b) = (end or (None, None) for end in ends)
    if low_a is None or high_a is None or low_b is None or high_b is None:
        return False
    return low_a <= high_b and low_b <= high_a


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a
