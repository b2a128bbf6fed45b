"""The whole argument on one page: a newcomer starts here.

A request names a run and a cluster. Each stage's work becomes device-hours, each cluster's supply
becomes a price, each basis becomes a bill; the ledger that all of it went through becomes the
figures, and is replayed over draws for the intervals. Nothing here reads a clock, a file, the
network or the environment.
"""

from collections import Counter
from collections.abc import Iterator

from msgspec import UNSET, Raw

from service.core.answer import CatalogStamp, Quote
from service.core.argument import Argument
from service.core.bases.rental.bill import rental_bill
from service.core.catalog import Catalog
from service.core.errors import NotQuotable, QuoteError, UnknownProvider, UnknownRegion
from service.core.offers import price_of
from service.core.printing import printed_bill, printed_stage, spread_of_quote
from service.core.request import CatalogOffer, Cluster, Market, QuoteRequest
from service.core.stages import effort_of


def quote(
    request: QuoteRequest,
    catalog: Catalog,
    *,
    id: str,
    canonical_request: bytes,
    engine: str,
    valid_until: str,
) -> Quote:
    """One quote; raises `NotQuotable` with everything that the request names and nobody knows.

    `id` and `canonical_request` come from the cache key, `valid_until` from the validity policy.
    """
    check_names(request, catalog)
    argument = Argument(catalog)
    _check_stage_names(argument, request)
    efforts = tuple(
        effort_of(
            argument,
            stage,
            pointer=pointer,
            cluster=cluster,
            cluster_pointer=cluster_pointer,
        )
        for stage, pointer, (cluster, cluster_pointer) in zip(
            request.run.stages,
            _stage_pointers(request),
            _clusters_of_stages(request),
            strict=True,
        )
    )
    prices = tuple(
        price_of(argument, effort.cluster, pointer=effort.cluster_pointer) for effort in efforts
    )
    bills = (rental_bill(argument, efforts, prices),)
    spread = spread_of_quote(argument.ledger, bills, efforts)
    return Quote(
        id=id,
        issued_at=catalog.published_at,
        valid_until=valid_until,
        engine=engine,
        catalog=CatalogStamp(version=catalog.version, digest=catalog.digest),
        request=Raw(canonical_request),
        bases=tuple(printed_bill(bill, spread) for bill in bills),
        stages=tuple(printed_stage(effort, spread) for effort in efforts),
        figures=argument.ledger.figures(),
        warnings=tuple(argument.warnings),
    )


def check_names(request: QuoteRequest, catalog: Catalog) -> None:
    """Every catalog id of the request must exist; raises `NotQuotable` with all that do not."""
    errors: list[QuoteError] = []
    for cluster, pointer in _clusters(request):
        errors += _unknown_in(cluster, catalog, pointer=pointer)
    if errors:
        raise NotQuotable(tuple(errors))


def _unknown_in(cluster: Cluster, catalog: Catalog, *, pointer: str) -> Iterator[QuoteError]:
    supply = cluster.supply
    try:
        catalog.accelerator(cluster.accelerator, pointer=f"{pointer}/accelerator")
    except QuoteError as error:
        yield error
    if isinstance(supply, CatalogOffer):
        try:
            catalog.offer(supply.id, pointer=f"{pointer}/supply/id")
        except QuoteError as error:
            yield error
    if isinstance(supply, Market):
        if supply.provider is not UNSET and supply.provider not in catalog.providers:
            yield UnknownProvider(
                asked=supply.provider,
                known=tuple(catalog.providers),
                pointer=f"{pointer}/supply/provider",
            )
        if supply.region is not UNSET and supply.region not in catalog.regions:
            yield UnknownRegion(
                asked=supply.region,
                known=tuple(catalog.regions),
                pointer=f"{pointer}/supply/region",
            )


def _check_stage_names(argument: Argument, request: QuoteRequest) -> None:
    counts = Counter(stage.name for stage in request.run.stages)
    for index, stage in enumerate(request.run.stages):
        if counts[stage.name] > 1:
            argument.warn(
                "duplicate_stage_name",
                f"{counts[stage.name]} stages are named {stage.name!r}; lines follow their order",
                pointer=f"/run/stages/{index}/name",
            )


def _stage_pointers(request: QuoteRequest) -> Iterator[str]:
    return (f"/run/stages/{index}" for index in range(len(request.run.stages)))


def _clusters_of_stages(request: QuoteRequest) -> Iterator[tuple[Cluster, str]]:
    """The cluster of each stage: its own, or the run's."""
    for pointer, stage in zip(_stage_pointers(request), request.run.stages, strict=True):
        if stage.cluster is UNSET:
            yield request.cluster, "/cluster"
        else:
            yield stage.cluster, f"{pointer}/cluster"


def _clusters(request: QuoteRequest) -> Iterator[tuple[Cluster, str]]:
    """Every cluster that the request describes, once."""
    yield request.cluster, "/cluster"
    for cluster, pointer in _clusters_of_stages(request):
        if pointer != "/cluster":
            yield cluster, pointer
