"""What may be asked about a published figure: its amount, its date, and the run it is about."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.figures.vocabulary import ClaimScope
from service.core.request.accounting import Accounting
from service.core.request.envelope import DAY_OF_ANY_YEAR
from service.core.request.ids import RunName
from service.core.request.quantities import ClaimedUsd, DeviceHours
from service.core.request.request import CatalogVersion, Cluster, PricedOn, Run
from service.core.request.wire import Interval, Unordered, Wire

ClaimBound: TypeAlias = Literal["about", "at_least", "at_most"]
LEAP_YEAR_OF_CLAIMS: Final = (
    r"(?:19(?:0[48]|[2468][048]|[13579][26])|20(?:[02468][048]|[13579][26]))"
)
SaidOn: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^(?:(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])|-{DAY_OF_ANY_YEAR})?"
        rf"|{LEAP_YEAR_OF_CLAIMS}-02-29)$(?!\n)",
        description="ISO date, possibly cut to the month or the year.",
        examples=["2025-09-17"],
    ),
]


class ClaimedRuns(Wire, tag_field="kind", tag="runs", frozen=True, kw_only=True):
    """Reference runs of the catalog, with their disclosed hours and rates.

    A run that discloses no hours is read at the hours that the engine predicts for it. The base
    model is that of the runs, unless `accounting` states another.
    """

    ids: Annotated[Unordered[RunName], Meta(min_length=1, max_length=16)]
    accounting: Accounting = field(default_factory=Accounting)


class ClaimedRequest(Wire, tag_field="kind", tag="request", frozen=True, kw_only=True):
    """A run and a cluster as a quote describes them.

    `device_hours` are those that were disclosed for the whole run. The readings then rest on them,
    and the hours that follow from the description are compared with them.
    """

    run: Run
    cluster: Cluster
    accounting: Accounting = field(default_factory=Accounting)
    device_hours: DeviceHours | Interval[DeviceHours] | UnsetType = UNSET


ClaimSubject: TypeAlias = ClaimedRuns | ClaimedRequest


class ClaimRequest(Wire, frozen=True, kw_only=True):
    """A published figure, to be judged.

    `bound` says whether the amount itself was claimed, or that it was at least or at most as much.
    An interval with `at_least` counts from its low end, and one with `at_most` up to its high end.
    `scope` is what the claim itself says that it covers. Readings of that scope come first.
    `catalog` is the edition that the claim is judged by, as in a quote. `as_of` is the day at whose
    prices it is judged: by default that of `said_on`, where the catalog knows the market of that
    day, and otherwise that of the edition.
    """

    catalog: CatalogVersion | UnsetType = UNSET

    amount: ClaimedUsd | Interval[ClaimedUsd]
    bound: ClaimBound = "about"
    currency: Literal["USD"] = "USD"
    said_on: SaidOn
    scope: ClaimScope | UnsetType = UNSET
    what: ClaimSubject
    as_of: PricedOn | UnsetType = UNSET
