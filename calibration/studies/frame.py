"""What every study is made of: chunks that anybody may compute, and a summary of their samples.

A study knows nothing of files or of machines. It hands its chunks to a scheduler, which may be any
callable that maps a function over them and gives results back as they come.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.arrays import Floats
from calibration.statistics import as_finite_bits

Samples = Mapping[str, Sequence[float]]
"""What was measured, by name; one number for each instance of a chunk."""
Row = Mapping[str, str | int | float | None]
"""A line of a table, by column."""

CHUNK = 250
"""Instances of a chunk: some seconds at most, which is what an interruption may cost."""


@dataclass(frozen=True)
class Chunk:
    """Some instances of one case of a study; its random numbers depend on nothing else."""

    study: str
    case: str
    n: int
    index: int
    instances: int

    @property
    def key(self) -> str:
        """What tells the chunk apart from all others of its study."""
        return f"{self.case}/{self.n}/{self.index}/{self.instances}"

    def generator(self, seed: int) -> np.random.Generator:
        """Return the chunk's own stream of random numbers."""
        name = zlib.crc32(f"{self.study} {self.case}".encode())
        return np.random.default_rng(
            np.random.SeedSequence(seed, spawn_key=(name, self.n, self.index))
        )


Measure = Callable[[Chunk], Samples]
Scheduler = Callable[[Measure, Sequence[Chunk]], Iterator[tuple[Chunk, Samples]]]
"""Maps a function over chunks; yields each with its result, in any order."""
Gathered = Mapping[tuple[str, int], Mapping[str, Floats]]
"""(case, n) to samples by name, each (instances,)."""


@dataclass(frozen=True)
class Summary:
    """What a study found."""

    rows: Sequence[Row]
    """One line for each case and n."""
    findings: Sequence[Row]
    """One line for each fit or prediction, measured and predicted side by side."""


@dataclass(frozen=True)
class Study:
    """A study, ready to be run."""

    name: str
    title: str
    source: str
    """Where its prediction comes from."""
    notes: Sequence[str]
    """How its numbers are meant, and what was left out."""
    chunks: Sequence[Chunk]
    measure: Callable[[int, Chunk], Samples]
    """(seed, chunk) to samples; of module level, so that another machine can be told to call it."""
    summarize: Callable[[Gathered], Summary]


def split(study: str, case: str, n: int, instances: int) -> list[Chunk]:
    """Cut the instances of one case into chunks."""
    return [
        Chunk(study, case, n, index, min(CHUNK, instances - start))
        for index, start in enumerate(range(0, instances, CHUNK))
    ]


def gather(results: Iterable[tuple[Chunk, Samples]]) -> Gathered:
    """Put the samples of chunks together, in the order of the chunks' numbers."""
    cases: dict[tuple[str, int], list[tuple[int, Samples]]] = {}
    for chunk, samples in results:
        cases.setdefault((chunk.case, chunk.n), []).append((chunk.index, samples))
    gathered = {}
    for case, parts in cases.items():
        ordered = [samples for _, samples in sorted(parts, key=lambda part: part[0])]
        gathered[case] = {
            name: np.concatenate([np.asarray(part[name], dtype=np.float64) for part in ordered])
            for name in ordered[0]
        }
    return gathered


def rounded_bits(error: Floats, full_scale: Floats | float) -> list[float]:
    """Return log2(full scale / (2·error)), at most MAX_BITS, to a millionth of a bit."""
    return rounded(as_finite_bits(np.asarray(2.0 * error / full_scale)))


def rounded(values: Floats) -> list[float]:
    """Return values as floats that keep few digits: what machines disagree about is dropped."""
    return [float(value) for value in np.round(values, 6)]
