"""A quote, exactly as the contract prints it."""

from typing import Annotated

from msgspec import UNSET, Meta, Raw, UnsetType

from service.core.answer.base import Answer, EstimateWithOutcomes, QuoteId
from service.core.answer.bills import (
    Bill,
    Bridge,
    Exclusion,
    MarketAnswer,
    NarrowedBy,
    Ownership,
    RateVersusMarket,
)
from service.core.answer.calendar import Calendar
from service.core.answer.heading import Heading
from service.core.answer.prices import PricesBehind, Today
from service.core.answer.stages import RunTotals, StageAnswer
from service.core.answer.warnings import QuoteWarning
from service.core.figures.sources import Figure


class EngineStamp(Answer, frozen=True, kw_only=True):
    """The engine that computed: its version, and a digest of all code that can move a byte."""

    version: Annotated[str, Meta(description="Semantic version of the service.")]
    digest: Annotated[
        str,
        Meta(
            pattern="^sha256:[0-9a-f]{64}$(?!\\n)",
            description="Equal digests, catalogs and requests give equal bytes.",
        ),
    ]


class CatalogStamp(Answer, frozen=True, kw_only=True):
    """Which edition of the catalog was used."""

    version: str
    digest: str


class Quote(Answer, frozen=True, kw_only=True):
    """One run on one cluster, itemised, sourced, reproducible.

    `issued_at` is the instant of the catalog's edition, not the time of the request:
    the same engine, catalog and request give the same bytes on any machine and any day. `request`
    is the canonical form of what was sent, and all pointers lead into it: lists whose order makes
    no difference are sorted there.
    """

    id: QuoteId
    issued_at: Annotated[str, Meta(description="RFC 3339; the catalog edition's instant.")]
    valid_until: Annotated[str, Meta(description="RFC 3339; ask again after it.")]
    engine: EngineStamp
    catalog: CatalogStamp
    request: Raw
    bases: tuple[Bill, ...]
    exclusions: Annotated[
        tuple[Exclusion, ...], Meta(description="What the bases leave out, each once.")
    ]
    bridges: tuple[Bridge, ...]
    ownership: tuple[Ownership, ...]
    rate_versus_market: Annotated[
        tuple[RateVersusMarket, ...],
        Meta(description="Of each cluster at a given rate whose device has comparable prices."),
    ] = ()
    markets: Annotated[
        tuple[MarketAnswer, ...],
        Meta(description="Of each cluster whose price is that of the market."),
    ] = ()
    stages: tuple[StageAnswer, ...]
    totals: RunTotals
    wall_clock_hours: Annotated[
        EstimateWithOutcomes | UnsetType,
        Meta(description="From the start of the first stage to the end of the last."),
    ] = UNSET
    critical_path: Annotated[
        tuple[str, ...], Meta(description="Names of the stages that set the wall clock.")
    ] = ()
    figures: dict[str, Figure]
    warnings: Annotated[
        tuple[QuoteWarning, ...],
        Meta(
            description="What to act on, then what to check: within each, what moves a total most "
            "comes first, and else the order of the request."
        ),
    ]
    notes: Annotated[
        tuple[QuoteWarning, ...],
        Meta(description="What is good to know, such as defaults that were taken; same order."),
    ]
    narrow_by: Annotated[
        tuple[NarrowedBy, ...],
        Meta(description="What to say next: for each basis, what narrows its interval most."),
    ] = ()
    prices_behind: Annotated[
        tuple[PricesBehind, ...],
        Meta(
            description="Prices of the catalog for device-hours that the totals rest on, with "
            "their dates; of accelerators whose price is given there are none."
        ),
    ] = ()
    calendar: Annotated[
        Calendar | UnsetType,
        Meta(
            description="Days and months, for a `start` in the request or in the address. It is "
            "no part of what is kept under the id."
        ),
    ] = UNSET
    today: Annotated[
        Today | UnsetType,
        Meta(
            description="Validity and ages of prices on a day, for `today` in the request or in "
            "the address. It is no part of what is kept under the id."
        ),
    ] = UNSET
    heading: Annotated[
        Heading | UnsetType,
        Meta(
            description="`title`, `buyer`, `reference` and `note` of the request or of the "
            "address. They are no part of what is kept under the id."
        ),
    ] = UNSET
