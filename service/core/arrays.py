"""Branches per element that serve a float and an array alike; a float stays a plain float."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = float | NDArray[np.float64]


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", 1) == 0 else value


def where(condition: Any, if_true: Any, if_false: Any) -> Any:
    """`if_true` where the condition holds, `if_false` elsewhere."""
    if isinstance(condition, bool | np.bool_):
        return if_true if condition else if_false
    return _plain(np.where(condition, if_true, if_false))


def maximum(a: Any, b: Any) -> Any:
    """The larger of two, element by element."""
    return _plain(np.maximum(a, b))


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two, element by element."""
    return _plain(np.minimum(a, b))
