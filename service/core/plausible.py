"""Given numbers beside what the catalog holds of them: a number far outside is warned of.

Far outside is beyond the range of the catalog's rows by the policy's factor; of a share, the factor
is that of its odds, x / (1 - x). Usual mistakes of units are tried, and told if one of them leads
inside. Nothing is compared that is left to a default, and a zero leaves something out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from service.core.answer import LikelyMistake, ObservedRange
from service.core.argument import Argument, middle
from service.core.catalog.catalog import Policy
from service.core.catalog.observed import Observed, ObservedName
from service.core.figures.lanes import Lanes, by_lane
from service.core.figures.units import (
    BYTES_PER_GIGABIT,
    DAYS_PER_YEAR,
    HOURS_PER_DAY,
    HOURS_PER_MONTH,
    HOURS_PER_YEAR,
    MONTHS_PER_YEAR,
    SECONDS_PER_HOUR,
    Unit,
)
from service.core.request.accounting import (
    Experiments,
    OwnedTerms,
    StaffByPeople,
    Storage,
    Transfer,
)
from service.core.request.described import PEAK_FORMATS, DescribedAccelerator, DescribedPeaks
from service.core.request.names import PlacedDevice
from service.core.request.request import (
    Cluster,
    ClusterSite,
    Owned,
    QuoteRequest,
    Rate,
    Reliability,
)
from service.core.request.wire import Interval
from service.core.request.work import (
    Compute,
    Distillation,
    Finetuning,
    ParametersModel,
    Preference,
    Pretraining,
    Reinforcement,
    RewardModelling,
)

CENTS: Final = 100.0
THOUSAND, MILLION, BILLION, TRILLION = 1e3, 1e6, 1e9, 1e12
DEVICES_OF_A_SERVER: Final = 8.0
BITS_OF_A_BYTE: Final = 8.0
ROWS_OF_FORMAT: Final = {"nvfp4": "fp4"}
"""Formats that data sheets print under another name."""
FLOP_OF_A_PETAFLOP_DAY: Final = 1e15 * HOURS_PER_DAY * SECONDS_PER_HOUR
WORKING_HOURS_PER_YEAR: Final = 2080.0
SELF_EXPLANATORY: Final[frozenset[Unit]] = frozenset(("count", "flop", "ratio", "share", "token"))
"""Units that what is compared says already."""
DIGITS_SHOWN: Final = 4
LEAST_WRITTEN_OUT, MOST_WRITTEN_OUT = 1e-4, 1e7
MOST_TOLD: Final = 2
"""Most mistakes of units that one warning names."""


class Check(NamedTuple):
    """What a member is compared with, and the mistakes that lead outside.

    `mistakes` are factors that turn the number into the right one, by what it would be then.
    `sequence_of` is the member that has the tokens of a sequence, where sequences may be meant.
    `by_device` compares with rows of the cluster's device, if it has some. `above` is what no such
    number lies below, and does not count. `scale` turns the number into the unit of the rows.
    """

    quantity: ObservedName
    mistakes: Mapping[str, float] = {}
    sequence_of: str = ""
    by_device: bool = False
    above: float = 0.0
    scale: float = 1.0


class GivenNumber(NamedTuple):
    """A number of the request that can be compared, where it stands, and on which device."""

    value: float | Interval[Any]
    pointer: str
    device: str
    check: Check


RATE_CHECK: Final = Check(
    "usd_per_device_hour",
    {
        "the price of a month": 1.0 / HOURS_PER_MONTH,
        "the price of a day": 1.0 / HOURS_PER_DAY,
        "the price of a year": 1.0 / HOURS_PER_YEAR,
        "the price of a minute": SECONDS_PER_HOUR / 60.0,
        "the price of a second": SECONDS_PER_HOUR,
        "the price of a server of 8": 1.0 / DEVICES_OF_A_SERVER,
        "in cents": 1.0 / CENTS,
    },
    by_device=True,
)
PURCHASE_CHECK: Final = Check(
    "usd_per_device",
    {
        "in thousands of dollars": THOUSAND,
        "the price of a server of 8": 1.0 / DEVICES_OF_A_SERVER,
        "in cents": 1.0 / CENTS,
    },
    by_device=True,
)
HOSTING_CHECK: Final = Check(
    "usd_per_kilowatt_month",
    {
        "for a watt": THOUSAND,
        "for a megawatt": 1.0 / THOUSAND,
        "for a year": 1.0 / MONTHS_PER_YEAR,
        "for a kilowatt-hour": HOURS_PER_MONTH,
    },
)
PER_GIGABYTE: Final = {"for a terabyte": 1.0 / THOUSAND, "in cents": 1.0 / CENTS}
MFU_CHECK: Final = Check("mfu", {"divided by 100 twice": 100.0})
COUNTED: Final = {
    "in thousands": THOUSAND,
    "in millions": MILLION,
    "in billions": BILLION,
    "in trillions": TRILLION,
}
PARAMETERS: Final = Check("parameters", COUNTED)
OWNED_TERMS: Final = {"usd_per_device": PURCHASE_CHECK, "usd_per_kilowatt_month": HOSTING_CHECK}

CHECKED: Final[Mapping[type[Struct], Mapping[str, Check]]] = {
    Rate: {"usd_per_device_hour": RATE_CHECK},
    Owned: OWNED_TERMS,
    OwnedTerms: OWNED_TERMS,
    ClusterSite: {
        "pue": Check("pue", above=1.0),
        "usd_per_kwh": Check(
            "usd_per_kwh",
            {
                "in cents": 1.0 / CENTS,
                "for a megawatt-hour": 1.0 / THOUSAND,
                "for a watt-hour": THOUSAND,
            },
        ),
        "carbon_kg_co2e_per_kwh": Check(
            "carbon_kg_co2e_per_kwh",
            {
                "in tonnes": THOUSAND,
                "in grams": 1.0 / THOUSAND,
            },
        ),
    },
    Cluster: {
        "network_gbit_per_s_per_device": Check(
            "byte_per_s_per_device",
            {
                "in megabits": 1.0 / THOUSAND,
                "in terabits": THOUSAND,
                "in gigabytes": 8.0,
            },
            scale=BYTES_PER_GIGABIT,
        )
    },
    DescribedAccelerator: {
        "memory_gb": Check(
            "device_memory_bytes",
            {
                "in megabytes": 1.0 / THOUSAND,
                "in bytes": 1.0 / BILLION,
                "of a server of 8": 1.0 / DEVICES_OF_A_SERVER,
            },
            scale=BILLION,
        ),
        "memory_bandwidth_gb_per_s": Check(
            "device_memory_byte_per_s",
            {"in terabytes": THOUSAND, "in gigabits": 1.0 / BITS_OF_A_BYTE},
            scale=BILLION,
        ),
        "power_w": Check(
            "device_watts",
            {"in kilowatts": THOUSAND, "of a server of 8": 1.0 / DEVICES_OF_A_SERVER},
        ),
        "scale_up_gb_per_s": Check(
            "device_link_byte_per_s",
            {"in terabytes": THOUSAND, "in gigabits": 1.0 / BITS_OF_A_BYTE},
            scale=BILLION,
        ),
        "usd_per_device": PURCHASE_CHECK,
    },
    DescribedPeaks: {
        form: Check(
            f"device_peak/{ROWS_OF_FORMAT.get(form, form)}",
            {
                "in petaFLOP/s": THOUSAND,
                "in gigaFLOP/s": 1.0 / THOUSAND,
                "of a server of 8": 1.0 / DEVICES_OF_A_SERVER,
                "a rate with sparsity": 0.5,
            },
            scale=TRILLION,
        )
        for form in PEAK_FORMATS
    },
    Reliability: {
        "failures_per_device_day": Check(
            "failures_per_device_day",
            {
                "for a year": 1.0 / DAYS_PER_YEAR,
                "for an hour": HOURS_PER_DAY,
                "for a thousand devices": 1.0 / THOUSAND,
            },
        )
    },
    Compute: {
        "mfu": MFU_CHECK,
        "flop": Check(
            "flop",
            {
                "in units of 1e24": 1e24,
                "in units of 1e21": 1e21,
                "in petaFLOP/s-days": FLOP_OF_A_PETAFLOP_DAY,
                "in petaFLOP": 1e15,
            },
        ),
    },
    Pretraining: {
        "mfu": MFU_CHECK,
        "tokens": Check("pretraining_tokens", COUNTED),
        "global_batch_tokens": Check(
            "batch_tokens",
            {"in thousands": THOUSAND, "in millions": MILLION},
            sequence_of="sequence_length",
        ),
    },
    Finetuning: {"mfu": MFU_CHECK},
    Preference: {"mfu": MFU_CHECK},
    RewardModelling: {"mfu": MFU_CHECK},
    Distillation: {"mfu": MFU_CHECK},
    Reinforcement: {"mfu": MFU_CHECK},
    ParametersModel: {"total": PARAMETERS, "active": PARAMETERS},
    Storage: {"usd_per_gigabyte_month": Check("usd_per_gigabyte_month", PER_GIGABYTE)},
    Transfer: {"usd_per_gigabyte": Check("usd_per_gigabyte", PER_GIGABYTE)},
    Experiments: {"factor": Check("experiment_factor", {"in percent": 1.0 / CENTS})},
    StaffByPeople: {
        "usd_per_person_year": Check(
            "usd_per_person_year",
            {
                "in thousands of dollars": THOUSAND,
                "for a month": MONTHS_PER_YEAR,
                "for an hour of work": WORKING_HOURS_PER_YEAR,
            },
        )
    },
}
"""The members that are compared, by the part of the request that they stand in."""
NUMBERS: Final = frozenset((float, int, Interval, Lanes))
NOT_GIVEN: Final = frozenset((UnsetType, str, bool))


def warn_of_implausible(
    argument: Argument, request: QuoteRequest, *, described: Mapping[str, PlacedDevice]
) -> None:
    """Warn of every given number that is far from what the catalog holds.

    `described` has the devices that the request describes, by the ids that stand for them in it.
    """
    numbers = [*given_numbers(request, pointer="", device=request.cluster.accelerator)]
    for device, (said, pointer) in described.items():
        numbers += given_numbers(said, pointer=pointer, device=device)
    for given in numbers:
        warn_if_far(argument, given)


def given_numbers(said: Struct, *, pointer: str, device: str) -> Iterator[GivenNumber]:
    """Every number of a part of the request that can be compared."""
    checks = CHECKED.get(type(said), {})
    if isinstance(said, Cluster):
        device = said.accelerator
    for name in said.__struct_fields__:
        value = getattr(said, name)
        if type(value) in NOT_GIVEN:
            continue
        if name in checks:
            yield GivenNumber(value, f"{pointer}/{name}", device, _check(checks[name], said))
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, Struct):
                    place = f"{pointer}/{name}/{index}"
                    yield from given_numbers(item, pointer=place, device=device)
        elif type(value) not in NUMBERS:
            yield from given_numbers(value, pointer=f"{pointer}/{name}", device=device)


def _check(check: Check, said: Struct) -> Check:
    """The check of a member, with the mistake that another member of the part suggests."""
    if not check.sequence_of:
        return check
    words = "counted in sequences"
    factor = getattr(said, check.sequence_of)
    return check._replace(mistakes={words: factor, **check.mistakes})


def warn_if_far(argument: Argument, given: GivenNumber, *, because: str = "") -> None:
    """Warn of a number that is far from what the catalog holds, with the likely mistake.

    `because` says how a number follows that is not given itself.
    """
    rows = rows_of(argument.catalog.observed, given)
    if rows is None:
        return
    number = number_of(given, rows) * given.check.scale
    if number and is_far(number, rows, argument.catalog.policy, above=given.check.above):
        mistakes = likely_mistakes(number, rows, given.check, argument.catalog.policy)
        argument.warn(
            "implausible_value",
            in_words(number, rows, mistakes, given.check, because=because),
            pointer=given.pointer,
            observed=ObservedRange(
                what=rows.what,
                unit=rows.unit,
                low=rows.low,
                high=rows.high,
                count=rows.count,
                given=number,
                likely=mistakes,
            ),
        )


def rows_of(observed: Mapping[ObservedName, Observed], given: GivenNumber) -> Observed | None:
    """What the catalog holds of a number: of this device, or else of all."""
    quantity = given.check.quantity
    if given.check.by_device:
        return observed.get(f"{quantity}/{given.device}", observed.get(quantity))
    return observed.get(quantity)


def number_of(given: GivenNumber, rows: Observed) -> float:
    """The number, or the middle of its interval."""
    value = given.value
    if not isinstance(value, Interval):
        return value
    low, high = sorted((value.low, value.high))
    if value.central is not UNSET and low <= value.central <= high:
        return float(value.central)
    return middle(low, high, unit=rows.unit)


def is_far(number: float, rows: Observed, policy: Policy, *, above: float = 0.0) -> bool:
    """Whether a number is beyond the range of the rows by more than the policy's factor."""
    if rows.unit == "share":
        odds = number / (1.0 - number) if number < 1.0 else float("inf")
        low, high = rows.low / (1.0 - rows.low), rows.high / (1.0 - rows.high)
        return odds < low / policy.implausible_factor or odds > high * policy.implausible_odds
    least = (rows.low - above) / policy.implausible_factor + above
    most = (rows.high - above) * policy.implausible_factor + above
    return number > most or (number < least and not above)


def likely_mistakes(
    number: float, rows: Observed, check: Check, policy: Policy
) -> tuple[LikelyMistake, ...]:
    """Mistakes of units that lead inside the range, the one nearest to its middle first.

    If none does, those that lead near it.
    """
    tried = [
        LikelyMistake(value=number * factor, mistake=words)
        for words, factor in check.mistakes.items()
    ]
    inside = [one for one in tried if rows.low <= one.value <= rows.high]
    near = [one for one in tried if not is_far(one.value, rows, policy, above=check.above)]

    def distance(mistake: LikelyMistake) -> float:
        return max(mistake.value / rows.median, rows.median / mistake.value)

    return tuple(sorted(inside or near, key=distance)[:MOST_TOLD])


def in_words(
    number: float,
    rows: Observed,
    mistakes: tuple[LikelyMistake, ...],
    check: Check,
    *,
    because: str,
) -> str:
    """The warning of a number that is far outside."""
    shown, low, high = (words_of(one / check.scale) for one in (number, rows.low, rows.high))
    unit = "" if rows.unit in SELF_EXPLANATORY or check.scale != 1.0 else f" {rows.unit}"
    count = f"{rows.count} " if rows.count > 1 else ""
    likely = "".join(
        f"{', or' if index else '; it would be'} {words_of(mistake.value / check.scale)} if it is"
        f" {mistake.mistake}"
        for index, mistake in enumerate(mistakes)
    )
    return (
        f"{because}{shown}{unit} is far outside the catalog's {count}{rows.what}, {low} to {high}"
        f"{likely}"
    )


@by_lane
def words_of(number: float) -> str:
    """A number with four digits, as a reader writes it."""
    rounded = float(f"{number:.{DIGITS_SHOWN}g}")
    written_out = LEAST_WRITTEN_OUT <= abs(rounded) < MOST_WRITTEN_OUT
    return f"{rounded:,.10g}" if written_out else f"{rounded:g}"
