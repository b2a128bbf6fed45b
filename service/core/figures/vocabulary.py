"""Words of the contract that figures, catalog and request share."""

from typing import Literal, TypeAlias

BasisName: TypeAlias = Literal["rental", "owned", "fully_loaded"]
BASES: tuple[BasisName, ...] = ("rental", "owned", "fully_loaded")
"""All ways of accounting, in the order in which a quote shows them."""
