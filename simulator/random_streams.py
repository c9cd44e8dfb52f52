"""One stream of random numbers for each part, all from one seed."""

from __future__ import annotations

import zlib

import numpy as np


def random_stream(seed: int, part: str) -> np.random.Generator:
    """Return the generator of the part of this name, the same for the same seed and name.

    The streams are children of one SeedSequence, told apart by the part's name and not by the order
    in which they are asked for: a part switched off, or a new one, leaves the draws of the others
    as they were.
    """
    return np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(zlib.crc32(part.encode()),))
    )
