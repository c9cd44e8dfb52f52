"""Training of the demo's classifier: `python -m instrument.digits.train` makes digits.npz.

It needs scikit-learn. The data are scikit-learn's bundled 8 × 8 digits (the test part of the UCI
"Optical Recognition of Handwritten Digits" set, 1,797 images, pixels from 0 to 16). A quarter is
held back, stratified by digit. The classifier is a multinomial logistic regression without
intercept, so that its scores are a plain product.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from instrument.files import write_arrays


def train(path: Path) -> float:
    """Train, write the .npz, and return the accuracy on the images held back."""
    pixels, labels = load_digits(return_X_y=True)
    train_pixels, test_pixels, train_labels, test_labels = train_test_split(
        pixels, labels, test_size=0.25, random_state=0, stratify=labels
    )
    model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=5000)
    model.fit(train_pixels / 16, train_labels)
    write_arrays(
        path,
        {
            "weights": model.coef_.T.astype(np.float32),
            "pixels": test_pixels.astype(np.uint8),
            "labels": test_labels.astype(np.uint8),
        },
    )
    return float(model.score(test_pixels / 16, test_labels))


if __name__ == "__main__":
    accuracy = train(Path(__file__).with_name("digits.npz"))
    print(f"accuracy on the images held back: {accuracy:.4f}")  # noqa: T201  (the result of a script)
