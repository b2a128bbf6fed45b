"""Branches that work element by element: plain floats stay plain floats, arrays stay arrays.

Formulas of the core are written once and take a number or an array of draws; these few helpers
stand where plain Python would need an `if`.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Real: TypeAlias = float | Array
"""One number, or one number per draw (or per layout): shape `[n]`."""


def maximum(a: Real, b: Real) -> Real:
    """The larger of the two, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.maximum(a, b)
    return max(a, b)


def minimum(a: Real, b: Real) -> Real:
    """The smaller of the two, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.minimum(a, b)
    return min(a, b)


def where(condition: bool | NDArray[np.bool_], a: Real, b: Real) -> Real:
    """`a` where the condition holds and `b` elsewhere, element by element."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, a, b)
    return a if condition else b
