"""Types that all parts of an answer share."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from service.core.catalog.market import PriceMeaning
from service.core.figures.sources import FigureName
from service.core.figures.vocabulary import Currency

Amount: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^-?\d+(\.\d{1,12})?$(?!\n)",
        description="Decimal string in units of the currency, to its minor unit: two places, and "
        "none for yen. More where an amount under a hundred minor units, such as a dollar, enters, "
        "which has three digits.",
        examples=["294000.00", "0.004"],
    ),
]
UnitRate: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^-?\d+\.\d{2,}$(?!\n)",
        description="Decimal string, at least two places: money for one unit of the line.",
        examples=["2.00"],
    ),
]
QuoteId: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^q_[0-9a-f]{64}$(?!\n)", description="Content id of a quote."),
]
Pointer: TypeAlias = Annotated[str, Meta(description="JSON pointer into the request (RFC 6901).")]


PriceIs: TypeAlias = Annotated[
    PriceMeaning,
    Meta(
        description="`list`: what a seller asks of everybody, until it changes its list. "
        "`offered`: what was asked at that moment for spot capacity, a block of days or a machine "
        "of somebody else. `stated`: what a report reckons with. None is what was paid or traded: "
        "indices of one day are far apart."
    ),
]


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of all parts of an answer. A member that does not apply is absent."""


class Money(Answer, frozen=True, kw_only=True):
    """An amount and its currency."""

    amount: Amount
    currency: Currency


class AmountInterval(Answer, frozen=True, kw_only=True):
    """10%, 50% and 90% quantiles of an amount, read off joint draws. Quantiles do not add."""

    p10: Amount
    p50: Amount
    p90: Amount


class Budget(Answer, frozen=True, kw_only=True):
    """What to budget: enough in half of the draws (`p50`), and in four of five (`p80`).

    The total adds up line by line, and need not be the middle of what a run may cost. Compare and
    rank by `p50`.
    """

    p50: Amount
    p80: Amount


class Estimate(Answer, frozen=True, kw_only=True):
    """A number of a stage, its quantiles, and the figure it is walked back from."""

    central: float
    p10: float
    p50: float
    p90: float
    figure: FigureName


class ClaimedEstimate(Estimate, frozen=True, kw_only=True):
    """A number that rests on what operators claim of themselves.

    They set contracts for power against the use of a whole year. No meter at the site shows it.
    """

    claimed_by: Annotated[
        tuple[str, ...], Meta(min_length=1, description="The operators whose claim it is.")
    ]


class EstimateWithOutcomes(Estimate, frozen=True, kw_only=True):
    """A number of a stage with 20 equally likely values, read off the same draws."""

    outcomes: Annotated[
        tuple[float, ...],
        Meta(
            min_length=20,
            max_length=20,
            description="Ascending: quantiles 2.5%, 7.5%, ..., 97.5%.",
        ),
    ]
