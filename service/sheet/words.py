"""Numbers, names and amounts as a sheet prints them."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from service.core.figures.units import HOURS_PER_DAY
from service.core.figures.vocabulary import BasisName, Currency
from service.sheet.kept import KeptEstimate, KeptInterval

BASES: Final[Mapping[BasisName, str]] = {
    "rental": "Rented",
    "owned": "Owned",
    "fully_loaded": "Fully loaded",
}
BASES_MEAN: Final[Mapping[BasisName, str]] = {
    "rental": "the devices of this run, at the rate they are rented for",
    "owned": "the share of bought hardware that this run uses, with power and hosting",
    "fully_loaded": "the hardware, and the experiments, people and data around the run",
}
SYMBOLS: Final[Mapping[Currency, str]] = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "INR": "₹",
}
UNITS: Final[Mapping[str, str]] = {
    "device_hour": "device-hours",
    "gigabyte_month": "GB-months",
    "gigabyte": "GB",
    "kilowatt_month": "kW-months",
    "kwh": "kWh",
    "person_month": "person-months",
    "lump_sum": "lump sum",
}
OF_AMOUNTS: Final = frozenset({"usd", "eur", "gbp", "jpy", "cny", "inr"})
"""Units of lines that are shares of other amounts."""
COUNTED: Final = frozenset({"count", "ratio", "share"})
"""Units of figures that are plain numbers."""
SHORT_PLACES: Final = 6
EXACT_FROM: Final = 1000


def named(word: str) -> str:
    """A word of the contract for people: `device_rental` is `device rental`."""
    return word.replace("_", " ")


def unit_of(unit: str) -> str:
    """The unit of a line for people. A share of amounts is `of USD`."""
    return f"of {unit.upper()}" if unit in OF_AMOUNTS else UNITS.get(unit, named(unit))


def money(amount: str, currency: Currency) -> str:
    """An amount with its sign, its currency and separators for thousands."""
    sign, digits = ("−", amount[1:]) if amount.startswith("-") else ("", amount)
    return f"{sign}{SYMBOLS[currency]}{grouped(digits)}"


def grouped(digits: str) -> str:
    """Digits with separators for thousands; those after the point stay as they are."""
    whole, point, places = digits.partition(".")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(whole):,}{point}{places}"


def rough(amount: str | float, currency: Currency) -> str:
    """An amount in three digits, as a chart has room for: $294K."""
    value = float(amount)
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size * 0.9995:
            return _signed(f"{value / size:.3g}", currency) + suffix
    return _signed(f"{value:.3g}", currency)


def _signed(digits: str, currency: Currency) -> str:
    sign, digits = ("−", digits[1:]) if digits.startswith("-") else ("", digits)
    return f"{sign}{SYMBOLS[currency]}{digits}"


def span(interval: KeptInterval, currency: Currency) -> str:
    """The middle 80% of an amount. One amount if nothing moves it."""
    if interval.p10 == interval.p90:
        return "exact"
    return f"{money(interval.p10, currency)} to {money(interval.p90, currency)}"


def number(value: float) -> str:
    """A number with no more digits than it deserves."""
    if value == 0.0 or not abs(value) < EXACT_FROM:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.4g}"


def quantity(value: float) -> str:
    """The quantity of a line: two decimals, or three digits if it is below one."""
    return f"{value:,.2f}" if abs(value) >= 1.0 or not value else f"{value:.3g}"


def rate(text: str) -> str:
    """A rate with at most six decimal places."""
    whole, _, places = text.partition(".")
    return f"{grouped(whole)}.{places[:SHORT_PLACES]}"


def figure(value: float, unit: str) -> str:
    """A figure with its unit."""
    if unit == "share":
        return f"{value:.3g}" if abs(value) < 0.001 else f"{value:.3%}".replace(".000%", "%")
    return f"{value:,.4g}" if unit in COUNTED else f"{value:,.4g} {named(unit)}"


def middle(estimate: KeptEstimate | object) -> str:
    """The central value of an estimate. Empty if it is not known."""
    return number(estimate.central) if isinstance(estimate, KeptEstimate) else ""


def around(estimate: KeptEstimate) -> str:
    """The middle 80% of an estimate."""
    if estimate.p10 == estimate.p90:
        return "exact"
    return f"{number(estimate.p10)} to {number(estimate.p90)}"


def days(hours: float) -> str:
    """Hours in words: as hours below two days, then as days."""
    if hours < 2 * HOURS_PER_DAY:
        return f"{hours:,.1f} hours"
    return f"{hours / HOURS_PER_DAY:,.1f} days"


def leaf(name: str) -> str:
    """The last part of a figure's name, in words."""
    return named(name.rpartition("/")[2]).replace(".", ": ")


def or_empty(value: object) -> str:
    """Text that may be absent."""
    return "" if value is UNSET else str(value)
