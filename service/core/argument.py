"""State of one quote: the catalog, its ledger, its warnings; and the cursor that reads a request.

A `Cursor` stands at one place of the request. It knows the struct that was said there, the JSON
pointer of that struct, and the prefix under which figures of that place are named. So no function
spells an address by hand.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from service.core.answer import ObservedRange, WarningCode
from service.core.catalog.catalog import Catalog, ListedOffer
from service.core.catalog.market import (
    Panel,
    Wanted,
    fitting_offers,
    offers_asked_about,
    panel_of,
)
from service.core.figures.arrays import Real
from service.core.figures.formulas import Formula
from service.core.figures.lanes import by_lane
from service.core.figures.ledger import Ledger, Term
from service.core.figures.units import Unit, spread_of
from service.core.request.wire import Interval

S = TypeVar("S", bound=Struct)
R = TypeVar("R")
UnknownReason: TypeAlias = Literal["contradictory", "does_not_fit", "unsuited"]


class Unknown(Struct, frozen=True, kw_only=True):
    """Why a result is not known, and the request member to blame.

    `contradictory`: the request cannot be what it says. `does_not_fit`: the memory of the devices
    is too small. `unsuited`: the catalog lacks a number of the device that the work needs.
    """

    reason: UnknownReason
    detail: str
    pointer: str


class Fixed(Struct, frozen=True):
    """An argument of a formula that is not a figure, and where it stands.

    `stands` is a JSON pointer into the request, a row of the catalog, or what chose the value.
    """

    value: Any
    stands: str


class Caution(NamedTuple):
    """Something to warn of, as it was found: a code, in words, and the place in the request.

    `figures` are those that it is about; by default those that stand at the place. `observed` is
    what a number of the request was compared with.
    """

    code: WarningCode
    detail: str
    pointer: str
    figures: tuple[str, ...] = ()
    observed: ObservedRange | UnsetType = UNSET


class ReadInterval(NamedTuple):
    """The central value and the ends of an interval in order, and what is odd about it."""

    central: float
    low: float
    high: float
    cautions: tuple[Caution, ...]


class Argument:
    """State of one quote. It lives as long as the computation of that quote.

    `found` keeps what was searched for, by the numbers that it depends on. Stages of one model on
    one cluster search once. `priced_for` is the day up to which prices age: by default that of the
    catalog's edition.
    """

    __slots__ = ("_cautions", "catalog", "found", "ledger", "priced_for")

    def __init__(
        self,
        catalog: Catalog,
        *,
        priced_for: str = "",
        told: tuple[Caution, ...] = (),
        ledger: Ledger | None = None,
    ) -> None:
        """An empty argument over a catalog. `told` is what was warned of before it began."""
        self.catalog = catalog
        self.ledger = Ledger() if ledger is None else ledger
        self.found: dict[Hashable, Any] = {}
        self.priced_for = priced_for or catalog.day
        self._cautions: dict[Caution, None] = dict.fromkeys(told)

    def aside(self) -> "Argument":
        """An argument of the same quote that is tried and thrown away, with its warnings."""
        tried = Argument(self.catalog, priced_for=self.priced_for, ledger=self.ledger.empty())
        tried.found = self.found
        return tried

    def branch(self) -> "Argument":
        """A copy that grows by itself: all that was written and warned of so far is in both."""
        grown = Argument(
            self.catalog,
            priced_for=self.priced_for,
            told=self.warnings,
            ledger=self.ledger.branch(),
        )
        grown.found = self.found
        return grown

    def panel(self, wanted: Wanted) -> Panel:
        """Who votes in a market. It is searched for once a quote."""
        if wanted not in self.found:
            self.found[wanted] = panel_of(self.catalog, wanted)
        panel: Panel = self.found[wanted]
        return panel

    def fitting(self, wanted: Wanted) -> tuple[ListedOffer, ...]:
        """The offers that can make a cluster. Those of a seller are searched for once."""
        of_any_size = replace(wanted, devices=0.0)
        if of_any_size not in self.found:
            self.found[of_any_size] = offers_asked_about(self.catalog, wanted)
        return fitting_offers(self.catalog, wanted, self.found[of_any_size])

    @property
    def warnings(self) -> tuple[Caution, ...]:
        """What was warned of so far, each once."""
        return tuple(self._cautions)

    def at(self, said: S, *, pointer: str, prefix: str) -> "Cursor[S]":
        """A cursor at the struct `said`, which stands at `pointer`; figures begin with `prefix`."""
        return Cursor(self, said, pointer=pointer, prefix=prefix)

    def warn(
        self,
        code: WarningCode,
        detail: str,
        *,
        pointer: str,
        figures: tuple[str, ...] = (),
        observed: ObservedRange | UnsetType = UNSET,
    ) -> None:
        """Add a warning to the quote, unless it has the same one already.

        `figures` are those that it is about, where they are not those at `pointer`. `observed` is
        what a number of the request was compared with.
        """
        self._cautions[Caution(code, detail, pointer, figures, observed)] = None

    @contextmanager
    def unwarned(self) -> Iterator[None]:
        """Nothing is warned of while this lasts: what is computed is not shown line by line."""
        before = dict(self._cautions)
        yield
        self._cautions = before

    def warn_of(self, unknown: Unknown) -> None:
        """Warn that a result is not known. The quote shows what is unsuited without a warning."""
        if unknown.reason != "unsuited":
            self.warn(unknown.reason, unknown.detail, pointer=unknown.pointer)

    def quantity(self, value: float | Interval[Any], *, pointer: str, unit: Unit) -> Term:
        """A number or interval of the request, found at `pointer`."""
        if not isinstance(value, Interval):
            return self.ledger.given(value, pointer=pointer, unit=unit)
        read = read_interval(value, pointer=pointer, unit=unit)
        self._cautions |= dict.fromkeys(read.cautions)
        return self.ledger.given(
            read.central, pointer=pointer, unit=unit, low=read.low, high=read.high
        )

    def assume(self, name: str, *, pointer: str = "") -> Term:
        """A default of the catalog. The request member at `pointer`, if any, would override it."""
        return self.ledger.take(self.catalog.assumption(name), pointer=pointer or UNSET)

    def stated_or_default(
        self,
        value: float | Interval[Any] | UnsetType,
        *,
        pointer: str,
        unit: Unit,
        assumption: str,
    ) -> Term:
        """The caller's number, or else the catalog's default, which `pointer` would override."""
        if value is UNSET:
            return self.assume(assumption, pointer=pointer)
        return self.quantity(value, pointer=pointer, unit=unit)

    def stated_or_assumed(
        self,
        value: float | Interval[Any] | UnsetType,
        *,
        pointer: str,
        unit: Unit,
        assumption: str,
        code: WarningCode,
    ) -> Term:
        """The caller's number, or else the catalog's default with a warning."""
        if value is not UNSET:
            return self.quantity(value, pointer=pointer, unit=unit)
        term = self.assume(assumption, pointer=pointer)
        self.warn(
            code,
            f"{assumption} is not given; the catalog's default, {term.central:g}, was taken",
            pointer=pointer,
        )
        return term


class Cursor(Generic[S]):
    """One place of the request: `said` is the struct there, `pointer` is its JSON pointer.

    Figures that are derived here are named `prefix/name`.
    """

    __slots__ = ("argument", "pointer", "prefix", "said")

    def __init__(self, argument: Argument, said: S, *, pointer: str, prefix: str) -> None:
        self.argument = argument
        self.said: S = said
        self.pointer = pointer
        self.prefix = prefix

    def at(self, member: str, *, prefix: str | None = None) -> "Cursor[Any]":
        """A cursor at the struct that a member holds; the same prefix unless another is given."""
        return Cursor(
            self.argument,
            getattr(self.said, member),
            pointer=self.pointer_of(member),
            prefix=self.prefix if prefix is None else prefix,
        )

    def each(self, member: str) -> "tuple[Cursor[Any], ...]":
        """A cursor at each struct of a list, in order."""
        at = self.pointer_of(member)
        return tuple(
            Cursor(self.argument, said, pointer=f"{at}/{index}", prefix=self.prefix)
            for index, said in enumerate(getattr(self.said, member))
        )

    def under(self, prefix: str) -> "Cursor[S]":
        """The same place, with another prefix for what is derived."""
        return Cursor(self.argument, self.said, pointer=self.pointer, prefix=prefix)

    def on(self, argument: Argument) -> "Cursor[S]":
        """The same place in another argument, such as one that is tried and thrown away."""
        return Cursor(argument, self.said, pointer=self.pointer, prefix=self.prefix)

    def pointer_of(self, member: str) -> str:
        """The JSON pointer of a member, or of a member's member: `moe/experts`.

        A member that the struct does not have is our own mistake.
        """
        said: Any = self.said
        for name in member.split("/"):
            tag = said.__struct_config__.tag_field if isinstance(said, Struct) else None
            assert hasattr(said, name) or name == tag, f"{said!r} has no member {name!r}"
            said = getattr(said, name, None)
        return f"{self.pointer}/{member}"

    def row(self, member: str, look_up: Callable[..., R]) -> R:
        """The row of the catalog that a member names, through one of the catalog's lookups."""
        return look_up(getattr(self.said, member), pointer=self.pointer_of(member))

    def states(self, member: str) -> bool:
        """Whether the request gives the member."""
        return getattr(self.said, member) is not UNSET

    def quantity(self, member: str, *, unit: Unit) -> Term:
        """The number or interval that a member holds."""
        return self.argument.quantity(
            getattr(self.said, member), pointer=self.pointer_of(member), unit=unit
        )

    def assumed(
        self, member: str, *, unit: Unit, default: str, warns: WarningCode | None = None
    ) -> Term:
        """The number that a member holds, or else the catalog's `default`, which it overrides.

        `warns` is the code of the warning that the default was taken.
        """
        value, pointer = getattr(self.said, member), self.pointer_of(member)
        if warns is None:
            return self.argument.stated_or_default(
                value, pointer=pointer, unit=unit, assumption=default
            )
        return self.argument.stated_or_assumed(
            value, pointer=pointer, unit=unit, assumption=default, code=warns
        )

    def fixed(self, member: str) -> Fixed:
        """A member as an argument of a formula that is not a figure."""
        return Fixed(getattr(self.said, member), self.pointer_of(member))

    def assume(self, name: str, *, member: str = "") -> Term:
        """A default of the catalog. The member, if one is named, would override it."""
        return self.argument.assume(name, pointer=self.pointer_of(member) if member else "")

    def derive(
        self, formula: Formula[..., Real], name: str = "", unit: Unit | None = None, /, **of: Any
    ) -> Term:
        """Apply a formula to terms and fixed arguments, as the figure `prefix/name`.

        The name is the formula's own unless another is given. A `Term` is an input, a `Fixed` has
        a source that the figure shows, and every other value is passed on as it is.
        """
        inputs, fixed, sources = _sorted(of)
        return self.argument.ledger.derive(
            formula,
            name=f"{self.prefix}/{name or formula.name}",
            unit=unit,
            inputs=inputs,
            fixed=fixed,
            structure_sources=sources,
        )

    def derive_once(
        self, formula: Formula[..., Real], name: str = "", unit: Unit | None = None, /, **of: Any
    ) -> Term:
        """The figure `prefix/name`, derived unless it is written already. For shared figures."""
        written = f"{self.prefix}/{name or formula.name}"
        if written in self.argument.ledger:
            return self.argument.ledger.term(written)
        return self.derive(formula, name, unit, **of)

    def derive_parts(
        self, formula: Formula[..., Any], name: str = "", /, **of: Any
    ) -> dict[str, Term]:
        """Apply a formula that answers with a named tuple: a figure `prefix/name/part` for each."""
        inputs, fixed, sources = _sorted(of)
        return self.argument.ledger.derive_parts(
            formula,
            name=f"{self.prefix}/{name or formula.name}",
            inputs=inputs,
            fixed=fixed,
            structure_sources=sources,
        )

    def warn(self, code: WarningCode, detail: str, *, member: str = "") -> None:
        """Warn of this place, or of one of its members."""
        self.argument.warn(
            code, detail, pointer=self.pointer_of(member) if member else self.pointer
        )

    def unknown(self, reason: UnknownReason, detail: str, *, member: str = "") -> Unknown:
        """Why a result is not known, with the blame on this place or on one of its members."""
        pointer = self.pointer_of(member) if member else self.pointer
        return Unknown(reason=reason, detail=detail, pointer=pointer)


def _sorted(of: Mapping[str, Any]) -> tuple[dict[str, Term], dict[str, Any], dict[str, str]]:
    """Arguments of a formula as inputs, fixed values, and where the fixed values stand."""
    inputs = {key: value for key, value in of.items() if isinstance(value, Term)}
    fixed = {
        key: value.value if isinstance(value, Fixed) else value
        for key, value in of.items()
        if key not in inputs
    }
    sources = {key: value.stands for key, value in of.items() if isinstance(value, Fixed)}
    return inputs, fixed, sources


def read_interval(value: Interval[Any], *, pointer: str, unit: Unit) -> ReadInterval:
    """An interval of the request, found at `pointer`."""
    cautions: list[Caution] = []
    low, high = value.low, value.high
    if low > high:
        detail = f"low {low:g} is above high {high:g}; they were exchanged"
        cautions.append(Caution("interval_reversed", detail, pointer))
        low, high = high, low
    central = middle(low, high, unit=unit)
    if value.central is not UNSET:
        if low <= value.central <= high:
            central = value.central
        else:
            detail = (
                f"central {value.central:g} is outside {low:g} to {high:g}; "
                f"the middle, {central:g}, was taken"
            )
            cautions.append(Caution("central_outside_interval", detail, pointer))
    return ReadInterval(central, low, high, tuple(cautions))


@by_lane
def middle(low: float, high: float, *, unit: Unit) -> float:
    """The median of the distribution whose 90% interval runs from `low` to `high`.

    The geometric mean of a log-normal, the geometric mean of the odds of a logit-normal, the
    rounded mean of a count.
    """
    spread = spread_of(unit)
    if spread == "lognormal":
        found = math.sqrt(low) * math.sqrt(high)
    elif spread == "logitnormal" and low > 0.0 and high < 1.0:
        odds = math.sqrt(low / (1.0 - low)) * math.sqrt(high / (1.0 - high))
        found = odds / (1.0 + odds)
    elif spread == "discrete":
        found = float(round((low + high) / 2.0))
    else:
        found = (low + high) / 2.0
    return min(max(found, low), high)
