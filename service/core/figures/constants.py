"""Fitted constants of the step-time engine, by name."""

from collections.abc import Mapping
from typing import NamedTuple


class Constants(NamedTuple):
    """All constants by name: SI units, shares 0 to 1, ratios and counts.

    `effects` are logarithms of how a generation or device differs from its kind, by names such
    as `gemm_share/hopper`.
    """

    values: Mapping[str, float]
    effects: Mapping[str, float]
