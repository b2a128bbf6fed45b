"""The closed list of units, how each is spread when it is uncertain, and plain conversions."""

from collections.abc import Mapping
from statistics import NormalDist
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

from service.core.figures.vocabulary import Currency

Unit: TypeAlias = Literal[
    "ratio",
    "share",
    "standard_deviation",
    "count",
    "token",
    "flop",
    "flop/token",
    "flop/s",
    "teraflop/s",
    "byte",
    "byte/s",
    "gigabyte/s",
    "gigabit/s",
    "token/s",
    "second",
    "hour",
    "day",
    "month",
    "year",
    "device_hour",
    "person",
    "person_month",
    "gigabyte_month",
    "gigabyte",
    "kilowatt_month",
    "watt",
    "kwh",
    "usd",
    "usd/device_hour",
    "eur/device_hour",
    "gbp/device_hour",
    "inr/device_hour",
    "cny/device_hour",
    "jpy/device_hour",
    "usd/eur",
    "usd/gbp",
    "usd/inr",
    "usd/cny",
    "usd/jpy",
    "usd/device",
    "usd/kwh",
    "eur/kwh",
    "gbp/kwh",
    "usd/kilowatt_month",
    "usd/gigabyte_month",
    "usd/gigabyte",
    "usd/person_month",
    "usd/person_year",
    "share/year",
    "oom/year",
    "1/device_day",
    "kg_co2e",
    "kg_co2e/kwh",
    "kg_co2e/device",
    "liter/kwh",
    "eur",
    "eur/kilowatt_month",
    "eur/gigabyte_month",
    "eur/gigabyte",
    "eur/person_month",
    "gbp",
    "gbp/kilowatt_month",
    "gbp/gigabyte_month",
    "gbp/gigabyte",
    "gbp/person_month",
    "jpy",
    "jpy/kwh",
    "jpy/kilowatt_month",
    "jpy/gigabyte_month",
    "jpy/gigabyte",
    "jpy/person_month",
    "cny",
    "cny/kwh",
    "cny/kilowatt_month",
    "cny/gigabyte_month",
    "cny/gigabyte",
    "cny/person_month",
    "inr",
    "inr/kwh",
    "inr/kilowatt_month",
    "inr/gigabyte_month",
    "inr/gigabyte",
    "inr/person_month",
]
UNITS: Final[frozenset[str]] = frozenset(get_args(Unit))

UNIT_OF_CURRENCY: Final[Mapping[Currency, Unit]] = MappingProxyType(
    {"USD": "usd", "EUR": "eur", "GBP": "gbp", "JPY": "jpy", "CNY": "cny", "INR": "inr"}
)

SECONDS_PER_HOUR: Final = 3600.0
HOURS_PER_DAY: Final = 24.0
DAYS_PER_YEAR: Final = 365.25
HOURS_PER_YEAR: Final = HOURS_PER_DAY * DAYS_PER_YEAR
MONTHS_PER_YEAR: Final = 12.0
HOURS_PER_MONTH: Final = HOURS_PER_YEAR / MONTHS_PER_YEAR
WATTS_PER_KILOWATT: Final = 1000.0
BYTES_PER_GIGABYTE: Final = 1e9
BYTES_PER_GIGABIT: Final = 1e9 / 8.0
Z_90: Final = NormalDist().inv_cdf(0.95)
"""Standard deviations from the median of a normal distribution to an end of its 90% interval."""
Z_80: Final = NormalDist().inv_cdf(0.90)
"""The same for the 80% interval, from p10 to p90."""

Distribution: TypeAlias = Literal["lognormal", "logitnormal", "discrete"]


def spread_of(unit: Unit) -> Distribution:
    """How an uncertain figure of this unit is distributed.

    Shares (MFU, goodput, utilisation) live between 0 and 1 and are logit-normal, counts are whole
    numbers, every other unit is a positive scale and log-normal.
    """
    if unit == "share":
        return "logitnormal"
    if unit == "count":
        return "discrete"
    return "lognormal"
