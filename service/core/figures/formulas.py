"""The registry of formulas: each has a name on the wire, and the unit of what it answers.

A figure cites the formula that it was derived by. It cites a registered name and not a module path,
so that moving a function moves no byte of an answer. `docs/formulas.md` is made from the registry.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from types import MappingProxyType
from typing import Any, Final, Generic, ParamSpec, TypeVar

from service.core.figures.units import Unit

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

WHOLE: Final = ""
"""The key of `units` for an answer that is a single number."""


class Formula(Generic[P, R_co]):
    """A pure function with a name on the wire and the units of its answer.

    `units` has one entry for each part of the answer: a member of the named tuple that it answers
    with, or `WHOLE` for a single number. It is empty if the formula answers in the unit of its
    arguments; the call that derives a figure then states the unit. `any_unit` names the inputs that
    come in several units; every other input has one unit wherever the formula is applied.
    """

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str,
        units: Mapping[str, Unit],
        any_unit: Iterable[str] = (),
    ) -> None:
        self.function = function
        self.name = name
        self.units = MappingProxyType(dict(units))
        self.any_unit = frozenset(any_unit)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Apply the formula to numbers or to arrays of draws."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<formula {self.name}>"


REGISTRY: Final[dict[str, Formula[..., Any]]] = {}
"""All formulas by name, in the order in which their modules were imported."""


def formula(
    name: str,
    *,
    unit: Unit | None = None,
    parts: Mapping[str, Unit] | None = None,
    any_unit: Iterable[str] = (),
) -> Callable[[Callable[P, R_co]], Formula[P, R_co]]:
    """Register a function under a name that stays the same for ever.

    `unit` is the unit of a single number, `parts` are the units of a named tuple by member. With
    neither, the formula answers in the unit of its arguments. `any_unit` names inputs that come in
    several units. A name that is taken raises `ValueError`.
    """
    units: Mapping[str, Unit] = parts or ({} if unit is None else {WHOLE: unit})

    def register(function: Callable[P, R_co]) -> Formula[P, R_co]:
        if name in REGISTRY:
            raise ValueError(f"a formula named {name!r} is registered already")
        registered = Formula(function, name=name, units=units, any_unit=any_unit)
        REGISTRY[name] = registered
        return registered

    return register
