"""Branches that work element by element: plain floats stay plain floats, arrays stay arrays.

Formulas of the core are written once and take a number or an array of draws; these few helpers
stand where plain Python would need an `if`.
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Real: TypeAlias = float | Array
"""One number, or one number per draw (or per layout): shape `[n]`."""
FEW: Final = 64
"""Arrays of up to so many numbers hold no draws: they are points that a central value needs."""

ROOT: Final = 0.5
"""The exponent of a square root."""


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


def cube_root(a: Real) -> Real:
    """The cube root, element by element."""
    return _nearest(np.cbrt, a)


def power(a: Real, exponent: Real) -> Real:
    """`a` to the power of `exponent`, element by element."""
    if isinstance(exponent, float) and exponent == ROOT:
        # Every processor rounds a root to the nearest float.
        return np.sqrt(a) if isinstance(a, np.ndarray) else float(np.sqrt(a))
    return _nearest(np.power, a, exponent)


def _nearest(function: Callable[..., Any], *numbers: Real) -> Real:
    """A function element by element; of central values, the floats nearest to what it is.

    Libraries choose instructions by the processor that they find, and those differ in the last
    digit of a float. Draws are printed with fewer digits. A central value is printed with all of
    them, so it is computed with 64 bits of mantissa or more and rounded to 53, and so are the few
    points that one is integrated from.
    """
    sizes = [a.size for a in numbers if isinstance(a, np.ndarray)]
    if sizes and max(sizes) > FEW:
        return np.asarray(function(*numbers), dtype=np.float64)
    found = function(*(np.longdouble(a) for a in numbers))
    return np.asarray(found, dtype=np.float64) if sizes else float(found)


def maximum(a: Real, b: Real) -> Real:
    """The larger of the two, element by element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.maximum(a, b)
    return max(a, b)


def is_nowhere(a: Real | bool | NDArray[np.bool_]) -> bool:
    """Whether a number is 0, or all of an array: what it multiplies need not be computed."""
    return not np.any(a) if isinstance(a, np.ndarray) else not a


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
