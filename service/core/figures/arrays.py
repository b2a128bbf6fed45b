"""Branches that work element by element: plain floats stay plain floats, arrays stay arrays.

Formulas of the core are written once and take a number or an array of draws; these few helpers
stand where plain Python would need an `if`.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Real: TypeAlias = float | Array
"""One number, or one number per draw (or per layout): shape `[n]`."""


def exp(a: Real) -> Real:
    """e to the power of a, element by element."""
    return _nearest(np.exp, a)


def expm1(a: Real) -> Real:
    """e to the power of a, less one, element by element."""
    return _nearest(np.expm1, a)


def log(a: Real) -> Real:
    """The natural logarithm, element by element."""
    return _nearest(np.log, a)


def log2(a: Real) -> Real:
    """The logarithm to base two, element by element."""
    return _nearest(np.log2, a)


def _nearest(function: np.ufunc, a: Real) -> Real:
    """A function element by element; of one number, the float nearest to what it is.

    Libraries choose instructions by the processor that they find, and those differ in the last
    digit of a float. Draws are printed with fewer digits. A central value is printed with all of
    them, so one number is computed with 64 bits of mantissa or more and rounded to 53.
    """
    if isinstance(a, np.ndarray):
        return np.asarray(function(a), dtype=np.float64)
    return float(function(np.longdouble(a)))


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


def ceil(a: Real) -> Real:
    """The next whole number that is not below a, element by element."""
    return np.ceil(a) if isinstance(a, np.ndarray) else float(math.ceil(a))


def where(condition: bool | NDArray[np.bool_], a: Real, b: Real) -> Real:
    """`a` where the condition holds and `b` elsewhere, element by element."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, a, b)
    return a if condition else b
