"""What may be asked to be solved for: the run is given but for one number, and so are limits."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.request.accounting import Accounting
from service.core.request.decisions.compare import ClockHours, ComparedUsd
from service.core.request.ids import ModelName
from service.core.request.quantities import Devices
from service.core.request.request import CatalogVersion, Cluster, PricedOn, Run
from service.core.request.wire import Unordered, Wire

HeldAt: TypeAlias = Annotated[
    Literal["total", "p50", "p80", "p90"],
    Meta(
        description="What has to keep the limits: the total and the hours as printed, or what is "
        "enough in 50%, 80% or 90% of the draws.",
    ),
]
StageNumber: TypeAlias = Annotated[
    float, Meta(ge=0, le=63, multiple_of=1, description="A stage, from 0 on.")
]


class FindPrice(Wire, frozen=True, kw_only=True, tag_field="kind", tag="price"):
    """The price of a device-hour at which the rental bill meets the budget."""


class FindTokens(Wire, frozen=True, kw_only=True, tag_field="kind", tag="tokens"):
    """The most tokens of a stage with which the run keeps the limits.

    The stage is one of pre-training, or of fine-tuning on a number of tokens.
    """

    stage: StageNumber = 0.0


class FindModel(Wire, frozen=True, kw_only=True, tag_field="kind", tag="model"):
    """The largest of some models with which the run keeps the limits.

    Each takes the place of the model of a stage.
    """

    models: Annotated[Unordered[ModelName], Meta(min_length=1, max_length=16)]
    stage: StageNumber = 0.0


class FindDevices(Wire, frozen=True, kw_only=True, tag_field="kind", tag="devices"):
    """The smallest cluster, in whole nodes or a part of one, with which the run keeps the limits.

    The `devices` of the cluster are not looked at.
    """

    most: Devices = 16384.0


class FindOwning(Wire, frozen=True, kw_only=True, tag_field="kind", tag="owning"):
    """The use and the months from which on owning costs less than the best rental on demand."""


Find: TypeAlias = FindPrice | FindTokens | FindModel | FindDevices | FindOwning


class Limits(Wire, frozen=True, kw_only=True):
    """What has to be kept. At least one has to be given, but for `owning`."""

    budget_usd: ComparedUsd | UnsetType = UNSET
    deadline_hours: ClockHours | UnsetType = UNSET


class SolveRequest(Wire, frozen=True, kw_only=True):
    """A run on a cluster, limits, and the one number of it to find."""

    catalog: CatalogVersion | UnsetType = UNSET
    run: Run
    cluster: Cluster
    find: Find
    limits: Limits = field(default_factory=Limits)
    held_at: HeldAt = "total"
    accounting: Accounting = field(default_factory=Accounting)
    as_of: PricedOn | UnsetType = UNSET
