"""Numbers of a device that a request describes, in the form in which the catalog has others.

They are sealed like the catalog's, and a ledger opens them in its own way: what was stated as given
at its place in the request, and what follows from it as derived.
"""

from collections.abc import Mapping
from typing import Any

from service.core.figures.formulas import Formula
from service.core.figures.sources import Datum


class StatedDatum(Datum, frozen=True, kw_only=True):
    """A number of the request, found at `pointer`, in the unit in which it is stated."""

    pointer: str


class InferredDatum(Datum, frozen=True, kw_only=True):
    """A number of the catalog that stands for a member of the request which is not there."""

    pointer: str


class ComputedDatum(Datum, frozen=True, kw_only=True):
    """A number that a formula makes of other sealed numbers and of `fixed` arguments."""

    formula: Formula[..., Any]
    inputs: Mapping[str, Datum]
    fixed: Mapping[str, float]
