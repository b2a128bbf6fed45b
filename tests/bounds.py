"""Hypothesis strategies and corners from the bounds that a wire type declares."""

from typing import Any

import msgspec
from hypothesis import strategies as st


def bounds(annotated: Any) -> tuple[float, float]:
    """The smallest and largest legal value of a bounded number."""
    info = msgspec.inspect.type_info(annotated)
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    assert isinstance(info, msgspec.inspect.FloatType)
    assert info.ge is not None
    assert info.le is not None
    return float(info.ge), float(info.le)


def between(annotated: Any) -> st.SearchStrategy[float]:
    """Any legal value of a bounded number."""
    low, high = bounds(annotated)
    return st.floats(min_value=low, max_value=high)
