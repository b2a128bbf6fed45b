"""What the tools take: a run in a few plain arguments, or the whole request of the API."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from service.core.catalog.catalog import MarketTerm
from service.core.figures.vocabulary import ClaimScope
from service.core.request.claim import ClaimBound, SaidOn
from service.core.request.decisions.compare import (
    AskedConfidence,
    ClockHours,
    ComparedTerm,
    ComparedUsd,
    RankedBy,
)
from service.core.request.envelope import StartDate, Title
from service.core.request.quantities import (
    ClaimedUsd,
    DeviceHours,
    Devices,
    Parameters,
    Tokens,
    UsdPerDeviceHour,
)
from service.core.request.wire import PRINTABLE, Wire

MOST_ROWS: Final = 10
MOST_OPTIONS: Final = 5

Name: TypeAlias = Annotated[str, PRINTABLE]
Accelerator: TypeAlias = Annotated[
    str, PRINTABLE, Meta(description="Any usual spelling, such as `H100 SXM`.")
]
List: TypeAlias = Literal["accelerators", "offers", "models", "sites", "runs", "claims"]


class RunAsked(Wire, frozen=True, kw_only=True):
    """A run in plain arguments: `device_hours`, or `tokens` through a model."""

    name: Annotated[Name, Meta(description="Name of the run.")] = "run"
    device_hours: DeviceHours | UnsetType = UNSET
    tokens: Tokens | UnsetType = UNSET
    model: (
        Annotated[Name, Meta(description="Model of the catalog, such as `llama-3.1-8b`.")]
        | UnsetType
    ) = UNSET
    parameters: (
        Annotated[Parameters, Meta(description="In place of `model`: parameters of a transformer.")]
        | UnsetType
    ) = UNSET
    active_parameters: (
        Annotated[Parameters, Meta(description="Of a mixture of experts.")] | UnsetType
    ) = UNSET


class RunOnCluster(RunAsked, frozen=True, kw_only=True):
    """A run and the cluster that it is on."""

    accelerator: Accelerator | UnsetType = UNSET
    devices: Devices | UnsetType = UNSET
    usd_per_device_hour: (
        Annotated[UsdPerDeviceHour, Meta(description="A price that was given or is assumed.")]
        | UnsetType
    ) = UNSET


class QuoteRun(RunOnCluster, frozen=True, kw_only=True):
    """Arguments of `quote_run`."""

    term: (
        Annotated[MarketTerm, Meta(description="Of the market's price, where none is given.")]
        | UnsetType
    ) = UNSET
    start: StartDate | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    request: (
        Annotated[
            dict[str, Any],
            Meta(
                description="In place of all others: a body of POST /quote with several stages, "
                "fine-tuning, reinforcement learning, owned hardware, sites, accounting. Its "
                "schema is QuoteRequest in /openapi.json."
            ),
        ]
        | UnsetType
    ) = UNSET


class CompareOptions(RunAsked, frozen=True, kw_only=True):
    """Arguments of `compare_options`."""

    accelerators: (
        Annotated[
            tuple[Name, ...],
            Meta(min_length=1, max_length=64, description="Those to compare; else all."),
        ]
        | UnsetType
    ) = UNSET
    devices: (
        Annotated[
            tuple[Devices, ...],
            Meta(min_length=1, max_length=16, description="Sizes to compare; else all that fit."),
        ]
        | UnsetType
    ) = UNSET
    terms: Annotated[tuple[ComparedTerm, ...], Meta(min_length=1, max_length=9)] | UnsetType = UNSET
    deadline_hours: ClockHours | UnsetType = UNSET
    budget_usd: ComparedUsd | UnsetType = UNSET
    objective: RankedBy | UnsetType = UNSET
    confidence: AskedConfidence | UnsetType = UNSET
    request: (
        Annotated[
            dict[str, Any],
            Meta(description="In place of all others: a body of POST /compare."),
        ]
        | UnsetType
    ) = UNSET


class JudgeClaim(RunOnCluster, frozen=True, kw_only=True):
    """Arguments of `judge_claim`."""

    amount_usd: ClaimedUsd | UnsetType = UNSET
    said_on: SaidOn | UnsetType = UNSET
    bound: ClaimBound | UnsetType = UNSET
    scope: ClaimScope | UnsetType = UNSET
    runs: (
        Annotated[
            tuple[Name, ...],
            Meta(
                min_length=1,
                max_length=16,
                description="Reference runs of the catalog that the claim is about, in place of "
                "a run in arguments.",
            ),
        ]
        | UnsetType
    ) = UNSET
    request: (
        Annotated[
            dict[str, Any], Meta(description="In place of all others: a body of POST /claim.")
        ]
        | UnsetType
    ) = UNSET


class SearchCatalog(Wire, frozen=True, kw_only=True):
    """Arguments of `search_catalog`."""

    list: List
    words: Annotated[
        str, Meta(max_length=128, description="All of them stand in the id or the name of a row.")
    ] = ""
    accelerator: Annotated[Name, Meta(description="Offers, runs: of this one.")] | UnsetType = UNSET
    provider: Annotated[Name, Meta(description="Offers, sites: of this seller.")] | UnsetType = (
        UNSET
    )
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = MOST_OPTIONS


class ExplainFigure(Wire, frozen=True, kw_only=True):
    """Arguments of `explain_figure`."""

    quote_id: Annotated[str, Meta(max_length=128, description="The id that quote_run gave.")]
    figure: Annotated[
        str,
        Meta(
            max_length=256,
            description="Name of a figure, as the answers of quote_run and of this tool have it.",
        ),
    ]
