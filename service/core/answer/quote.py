"""A quote, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, UnsetType

from service.core.answer.base import Answer, Estimate, Pointer, QuoteId
from service.core.answer.bills import Bill, Bridge, Ownership
from service.core.answer.stages import RunTotals, StageAnswer
from service.core.figures.sources import Figure

WarningCode: TypeAlias = Literal[
    "assumed_mfu",
    "assumed_architecture",
    "assumed_goodput",
    "assumed_site",
    "assumed_layout",
    "assumed_network",
    "assumed_padding",
    "assumed_prompt_length",
    "assumed_response_length",
    "assumed_rollout",
    "assumed_serving",
    "assumed_split",
    "batch_rounded",
    "commitment_unused",
    "contradictory",
    "devices_idle",
    "does_not_fit",
    "extrapolated",
    "duplicate_stage_name",
    "interval_reversed",
    "central_outside_interval",
    "low_confidence_price",
    "mean_above_cap",
    "memory_tight",
    "rank_above_matrix",
    "market_price_used",
    "precision_substituted",
    "stale_price",
    "unknown_power",
    "unpriced_line",
    "weak_driver",
    "wide_interval",
]


class QuoteWarning(Answer, frozen=True, kw_only=True):
    """Something that a reader of the numbers should know, with a code for programs."""

    code: WarningCode
    detail: str
    pointer: Pointer


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
    bridges: tuple[Bridge, ...]
    ownership: tuple[Ownership, ...]
    stages: tuple[StageAnswer, ...]
    totals: RunTotals
    wall_clock_hours: Annotated[
        Estimate | UnsetType,
        Meta(description="From the start of the first stage to the end of the last."),
    ] = UNSET
    critical_path: Annotated[
        tuple[str, ...], Meta(description="Names of the stages that set the wall clock.")
    ] = ()
    figures: dict[str, Figure]
    warnings: tuple[QuoteWarning, ...]
