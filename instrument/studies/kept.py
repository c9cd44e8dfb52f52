"""Chunks that are computed are kept, one line of a file each, so that a study can be continued."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from calibration.studies.frame import Chunk, Measure, Samples, Scheduler
from instrument.errors import UsageError

FORMAT = "ohmsum study 1"


def keeping(scheduler: Scheduler, path: Path, study: str, seed: int) -> Scheduler:
    """Return a scheduler that takes what it can from a file and adds what it computes to it.

    Raises UsageError where the file belongs to another study or seed, or to no study at all. A
    last line that was torn by an interruption is computed again.
    """
    header = json.dumps({"format": FORMAT, "study": study, "seed": seed})
    kept = _read(path, header)

    def run(measure: Measure, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Samples]]:
        yield from ((chunk, kept[chunk.key]) for chunk in chunks if chunk.key in kept)
        missing = [chunk for chunk in chunks if chunk.key not in kept]
        with path.open("a", encoding="utf-8") as file:
            for chunk, samples in scheduler(measure, missing):
                file.write(json.dumps([chunk.key, samples]) + "\n")
                file.flush()
                yield chunk, samples

    return run


def _read(path: Path, header: str) -> dict[str, Samples]:
    """Return kept chunks by key; begin the file where there is none, cut off a torn last line."""
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        whole = b""
    lines = whole[: whole.rfind(b"\n") + 1].decode("utf-8", errors="replace").splitlines()
    if not lines:
        path.write_text(header + "\n", "utf-8")
        return {}
    if lines[0] != header:
        raise UsageError(
            f"{path}: of another study or seed; choose another --out, or delete it to begin anew"
        )
    if not whole.endswith(b"\n"):
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    try:
        return dict(json.loads(line) for line in lines[1:])
    except ValueError as error:
        raise UsageError(f"{path}: damaged ({error}); delete it to begin anew") from error
