"""Data of the demo: a linear classifier of handwritten digits and its test images.

The images are those held back from its training; train.py made both.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from calibration.arrays import Floats, Ints


@dataclass(frozen=True)
class Digits:
    """The classifier and its test images."""

    weights: Floats
    """(64, 10): weights from pixels to class scores."""
    images: Floats
    """(images, 64): pixels from 0 to 1."""
    labels: Ints
    """(images,): the digit that was written."""


def load_digits() -> Digits:
    """Return the classifier and the test images that `instrument/digits/train.py` made."""
    with (
        (resources.files("instrument.digits") / "digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as data,
    ):
        return Digits(
            weights=data["weights"].astype(np.float64),
            images=data["pixels"].astype(np.float64) / 16,
            labels=data["labels"].astype(np.int64),
        )


@dataclass(frozen=True)
class Classification:
    """Accuracies of the analog and the digital decisions, as fractions of all images."""

    digital_accuracy: float
    analog_accuracy: float
    agreement: float
    """Fraction of images on which both decide alike."""


def classify(exact: Floats, answered: Floats, labels: Ints) -> Classification:
    """Compare the decisions of digital and analog scores, both (images, classes).

    A decision is the class of the largest score; `labels` (images,) are the right ones.
    """
    digital, analog = exact.argmax(axis=1), answered.argmax(axis=1)
    return Classification(
        digital_accuracy=float((digital == labels).mean()),
        analog_accuracy=float((analog == labels).mean()),
        agreement=float((digital == analog).mean()),
    )
