"""The number that keeps a run within its limits: the whole of an answer on one page."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from service.core.answer import CatalogStamp, EngineStamp
from service.core.answer.bills import BreakEven
from service.core.answer.comparison import OrderedCluster
from service.core.answer.solution import Solution, What
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.catalog.known import known_on
from service.core.comparing.comparison import compared
from service.core.comparing.printed import ordered_cluster
from service.core.comparing.solving import Found, request_of, solved, wasteful_counts
from service.core.comparing.trying import Trials
from service.core.draws.memo import Memo
from service.core.quote import checked, quote
from service.core.request.accounting import Options
from service.core.request.decisions.compare import Choices, ComparedCluster, CompareRequest
from service.core.request.decisions.solve import (
    FindDevices,
    FindModel,
    FindOwning,
    FindPrice,
    FindTokens,
    SolveRequest,
)
from service.core.request.names import unknown_names
from service.core.request.request import Market, QuoteRequest, devices_of_run

FINDS: Final[Mapping[type, What]] = {
    FindPrice: "price",
    FindTokens: "tokens",
    FindModel: "model",
    FindDevices: "devices",
    FindOwning: "owning",
}
MOST_TRIED: Final = 64
"""Trials that an answer shows."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies an answer, and what it is made with."""

    id: str
    canonical_request: bytes
    engine: EngineStamp
    valid_until: str
    memo: Memo
    base_quote: BaseTotals | None = None


def solution(asked: SolveRequest, catalog: Catalog, context: Context) -> Solution:
    """The number that is asked for. Raises `NotQuotable`, as `quote` does."""
    edition = catalog
    asked, catalog = checked_solution(asked, catalog)
    if isinstance(asked.find, FindOwning):
        members = _owning(asked, catalog, context)
    else:
        trials = Trials(asked, catalog, memo=context.memo, base_quote=context.base_quote)
        members = _members(solved(asked, catalog, trials))
    return Solution(
        id=context.id,
        issued_at=edition.published_at,
        valid_until=context.valid_until,
        engine=context.engine,
        catalog=CatalogStamp(version=edition.version, digest=edition.digest),
        request=Raw(context.canonical_request),
        find=FINDS[type(asked.find)],
        **members,
    )


def check_solution(asked: SolveRequest, catalog: Catalog) -> None:
    """Raises `NotQuotable` for a request that nothing can be found for."""
    checked_solution(asked, catalog)


def checked_solution(asked: SolveRequest, catalog: Catalog) -> tuple[SolveRequest, Catalog]:
    """The request with ids for the devices that it describes, and what its catalog knows of.

    Raises `NotQuotable` with every name of the request that stands for nothing.
    """
    if errors := unknown_names(asked, catalog):
        raise NotQuotable(errors)
    named = checked(request_of(asked), catalog)
    request, catalog = named.request, named.catalog
    if asked.as_of is not UNSET:
        catalog = known_on(catalog, asked.as_of, devices_of_run(request.run, request.cluster))
    return replace(asked, run=request.run, cluster=request.cluster), catalog


def _members(found: Found) -> dict[str, Any]:
    """What was found, as the members of an answer."""
    members: dict[str, Any] = {
        "status": found.status,
        "detail": found.detail,
        "wasteful": wasteful_counts(found.tried) if found.name == "devices" else (),
        "tried": tuple(
            trial.printed(value=value) if isinstance(value, float) else trial.printed(name=value)
            for value, trial in found.tried[:MOST_TRIED]
        ),
    }
    if found.trial is not None:
        members |= {
            found.name: found.value,
            "cost": found.trial.cost,
            "wall_clock_hours": found.trial.wall_clock_hours,
            "quote": _quote(found.trial.request),
        }
    return members


def _quote(request: QuoteRequest) -> Raw:
    """The request of the quote that has the amounts of an answer, without defaults."""
    return Raw(msgspec.json.encode(_stated(msgspec.to_builtins(request), request)))


def _stated(said: dict[str, Any], request: QuoteRequest) -> Mapping[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(
        QuoteRequest(run=request.run, cluster=request.cluster)
    )
    return {
        name: value
        for name, value in said.items()
        if name in {"run", "cluster"} or value != plain.get(name)
    }


def _owning(asked: SolveRequest, catalog: Catalog, context: Context) -> dict[str, Any]:
    """The best rental on demand of the same devices, and where owning costs as much as that."""
    cluster = asked.cluster
    best = _best_rental(asked, catalog, context)
    if best is None:
        words = f"nobody rents out {cluster.devices:,g} {cluster.accelerator} as a cluster"
        return {"status": "infeasible", "detail": words}
    supply = Market(provider=best.supply.provider)
    request = replace(
        request_of(asked),
        cluster=replace(cluster, supply=supply),
        options=Options(bases=("rental", "owned")),
    )
    answer = quote(
        request,
        catalog,
        id=context.id,
        canonical_request=b"{}",
        engine=context.engine,
        valid_until=context.valid_until,
        memo=context.memo,
        base_quote=context.base_quote,
    )
    even = next((one.break_even for one in answer.ownership if one.cluster == "/cluster"), UNSET)
    if not isinstance(even, BreakEven):
        return {"status": "infeasible", "detail": "the price of such devices is not known"}
    return {
        "status": "solved" if even.utilization.central <= 1.0 else "infeasible",
        "detail": _in_words(even, best),
        "rental": best,
        "break_even": even,
        "quote": _quote(request),
    }


def _best_rental(asked: SolveRequest, catalog: Catalog, context: Context) -> OrderedCluster | None:
    """The cheapest seller on demand of as many devices."""
    cluster = asked.cluster
    if not catalog.price_rows.get(cluster.accelerator):
        return None
    choices = Choices(accelerators=(cluster.accelerator,), devices=(cluster.devices,))
    common = ComparedCluster(
        site=cluster.site,
        network_gbit_per_s_per_device=cluster.network_gbit_per_s_per_device,
        reliability=cluster.reliability,
    )
    question = CompareRequest(
        run=asked.run,
        choices=choices,
        cluster=common,
        accounting=asked.accounting,
        as_of=asked.as_of,
    )
    ranked = compared(
        question, catalog, memo=context.memo, base_quote=context.base_quote
    ).ranking.ranked
    return ordered_cluster(ranked[0].costed) if ranked else None


def _in_words(even: BreakEven, best: OrderedCluster) -> str:
    rented = f"renting from {best.supply.provider}"
    if even.utilization.central > 1.0:
        return f"owning costs more than {rented}, however much it is used"
    return (
        f"owning costs less than {rented} from a use of {even.utilization.central:.0%} on, or of "
        f"{even.months.central:,.0f} months of the hours that are rented"
    )
