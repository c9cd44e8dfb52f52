"""Numbers and arrays that a person's own program passes in: what is accepted as such.

`calibration.selection` and `kirchhoff` check their arrays themselves: they know nothing of this
package, raise ValueError, and need contiguous arrays of one kind for their compiled kernels.
"""

from __future__ import annotations

import numpy as np

from calibration.arrays import Floats
from calibration.errors import MatrixError

MIN_SCALABLE = 1e-100
"""Smallest largest weight that can be scaled: one below it, or above its inverse, would leave
binary64 on the way to siemens. An output whose largest weight is below it asks for nothing.
"""


def real_array(values: object, name: str) -> Floats:
    """Return a copy of an array of real numbers, of any shape, as float64.

    Raises MatrixError that begins with `name` for anything else: complex numbers, text, objects,
    sparse matrices, masked values.
    """
    if not isinstance(values, np.ndarray) and hasattr(values, "toarray"):
        raise MatrixError(f"{name} is a dense array, not a {type(values).__name__}: .toarray()")
    if np.ma.is_masked(values):
        raise MatrixError(f"{name} holds masked values: fill them first")
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise MatrixError(f"{name} is a regular array of numbers ({error})") from error
    if array.dtype == object and array.size:
        raise MatrixError(f"{name} holds real numbers, not {type(array.flat[0]).__name__}")
    if array.dtype.kind not in "biuf":
        raise MatrixError(f"{name} holds real numbers, not {array.dtype}")
    with np.errstate(over="ignore"):  # overflow gives infinity, which the caller refuses
        return array.astype(np.float64)
