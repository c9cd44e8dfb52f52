"""Random numbers: one independent stream for each part, all from one seed."""

from __future__ import annotations

import zlib

import numpy as np


def random_stream(seed: int, part: str) -> np.random.Generator:
    """Return the generator of a part, the same for the same seed and name of the part.

    The streams are children of one SeedSequence. Their keys are the parts' names, not the order in
    which they are made: switching a part off, or adding one, leaves the draws of the others as they
    were.
    """
    return np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(zlib.crc32(part.encode()),))
    )
