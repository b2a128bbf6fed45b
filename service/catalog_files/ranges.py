"""`ranges/*.toml`: measured rules for 90% intervals that no source prints."""

from contextlib import suppress
from math import exp, log, sqrt
from typing import Annotated, Final, Literal, TypedDict, get_args

from msgspec import Meta, Struct

from service.catalog_files.files import DataFiles, RefusedError
from service.catalog_files.sources import Text
from service.core.catalog.dates import days_between
from service.core.figures.units import DAYS_PER_YEAR, Z_90

RuleName = Literal[
    "tariff_of_zone",
    "tariff_of_country",
    "tariff_stand_in",
    "carbon_of_region",
    "carbon_of_zone",
    "pue_of_region",
    "pue_of_fleet",
    "estimated_power",
    "purchase_price",
]
ExactName = Literal[
    "specification",
    "count",
    "disclosure",
    "reference_rate",
    "market_statement",
    "definition",
    "convention",
    "price_index",
    "published_discount",
    "reference_rate_of_exchange",
    "listed_price",
    "measured_width",
]
Scale = Literal["log", "log_excess", "root_gram"]
Deviation = Annotated[float, Meta(ge=0, le=5)]
GRAM_PER_KG: Final = 1000.0
RULES: Final[tuple[RuleName, ...]] = get_args(RuleName)
EXACT: Final[tuple[ExactName, ...]] = get_args(ExactName)


class Range(TypedDict):
    """The members of a datum that a rule fills."""

    low: float
    high: float
    range_basis: str


class RangeRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule: standard deviations below and above a figure, on the scale where they are constant.

    `log` is the logarithm of the value, `log_excess` that of its excess over one, and `root_gram`
    the square root in grams. Deviations grow with age as in a random walk: the `per_root_year`
    parts are added in quadrature, times the root of the years from the figure's date to that of
    the edition.
    """

    name: RuleName
    scale: Scale
    below: Deviation = 0.0
    above: Deviation = 0.0
    below_per_root_year: Deviation = 0.0
    above_per_root_year: Deviation = 0.0
    rows: Annotated[int, Meta(ge=1)]
    basis: Text


class ExactRow(Struct, frozen=True, forbid_unknown_fields=True):
    """Why figures of a kind have no spread."""

    name: ExactName
    basis: Annotated[str, Meta(pattern="^exact: ")]


class Ranges:
    """The rules by name, and the date up to which figures age."""

    def __init__(self, rules: dict[str, RangeRow], exact: dict[str, str], edition: str) -> None:
        self._rules, self._exact, self._edition = rules, exact, edition

    def of(self, rule: RuleName, value: float, *, as_of: str) -> Range:
        """The 90% interval of a figure of this date."""
        row = self._rules[rule]
        years = self._age_years(as_of)
        below = Z_90 * sqrt(row.below**2 + row.below_per_root_year**2 * years)
        above = Z_90 * sqrt(row.above**2 + row.above_per_root_year**2 * years)
        low, high = ends(row.scale, value, below=below, above=above)
        basis = row.basis if low < high else f"exact: no older than this edition; {row.basis}"
        return {"low": low, "high": high, "range_basis": basis}

    def _age_years(self, as_of: str) -> float:
        """Years up to the edition. None for a date that the calendar does not have.

        Such a date is reported where the figure's source is cited; here the loader only goes on.
        """
        try:
            days = days_between(as_of, self._edition)
        except ValueError:
            return 0.0
        return max(days, 0) / DAYS_PER_YEAR

    def exact(self, kind: ExactName, value: float, *, why: str = "") -> Range:
        """An interval without spread: both ends are the value."""
        basis = f"{self._exact[kind]}; {why}" if why else self._exact[kind]
        return {"low": value, "high": value, "range_basis": basis}


def ends(scale: Scale, value: float, *, below: float, above: float) -> tuple[float, float]:
    """The value moved down and up on the scale. A value at the end of the scale stays there."""
    if scale == "log":
        return value * exp(-below), value * exp(above)
    if scale == "log_excess":
        excess = value - 1.0
        return 1.0 + excess * exp(-below), 1.0 + excess * exp(above)
    root = sqrt(value * GRAM_PER_KG)
    return max(root - below, 0.0) ** 2 / GRAM_PER_KG, (root + above) ** 2 / GRAM_PER_KG


def on_scale(scale: Scale, value: float) -> float:
    """A figure on the scale of a rule."""
    if scale == "log":
        return log(value)
    return log(value - 1.0) if scale == "log_excess" else sqrt(value * GRAM_PER_KG)


def read_ranges(files: DataFiles) -> Ranges:
    """All rules. A missing one is a problem of its file."""
    rules: dict[str, RangeRow] = {}
    for place, row in files.toml_rows("ranges/measured.toml", "range", RangeRow):
        with suppress(RefusedError):
            place.check_new(row.name, rules)
            rules[row.name] = row
    exact: dict[str, str] = {}
    for place, kind in files.toml_rows("ranges/exact.toml", "exact", ExactRow):
        with suppress(RefusedError):
            place.check_new(kind.name, exact)
            exact[kind.name] = kind.basis
    for name in RULES:
        if name not in rules:
            files.place("ranges/measured.toml").report(f"there is no range {name!r}")
            rules[name] = RangeRow(name=name, scale="log", rows=1, basis="missing")
    for reason in EXACT:
        if reason not in exact:
            files.place("ranges/exact.toml").report(f"there is no exact {reason!r}")
            exact[reason] = "exact: missing"
    return Ranges(rules, exact, files.edition.date)
