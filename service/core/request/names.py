"""The stages of a request with their places, and every id that it names.

An id that the catalog does not hold is an error. All errors are found, not only the first.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import UNSET, Struct

from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import QuoteError, UnknownProvider, UnknownRegion
from service.core.request.accounting import BaseRuns
from service.core.request.described import DescribedAccelerator
from service.core.request.request import (
    BookRate,
    CatalogOffer,
    Cluster,
    Market,
    QuoteRequest,
    Stage,
)
from service.core.request.work import (
    Finetuning,
    Generation,
    Metered,
    Model,
    PresetModel,
    Pretraining,
    Reinforcement,
)


class PlacedStage(Struct, frozen=True):
    """A stage and the cluster that it runs on, its own or the run's, with their JSON pointers."""

    stage: Stage
    pointer: str
    cluster: Cluster
    cluster_pointer: str


class PlacedDevice(NamedTuple):
    """A described device and where it is described first."""

    said: DescribedAccelerator
    pointer: str


def placed_stages(request: QuoteRequest) -> Iterator[PlacedStage]:
    """Every stage of a request, in order."""
    for index, stage in enumerate(request.run.stages):
        pointer = f"/run/stages/{index}"
        if stage.cluster is UNSET:
            yield PlacedStage(stage, pointer, request.cluster, "/cluster")
        else:
            yield PlacedStage(stage, pointer, stage.cluster, f"{pointer}/cluster")


def described_devices(request: QuoteRequest) -> Iterator[PlacedDevice]:
    """Every description of a device, in the order of the request."""
    if isinstance(request.cluster.device, DescribedAccelerator):
        yield PlacedDevice(request.cluster.device, "/cluster/accelerator")
    for placed in placed_stages(request):
        device, work = placed.cluster.device, placed.stage.work
        if placed.stage.cluster is not UNSET and isinstance(device, DescribedAccelerator):
            yield PlacedDevice(device, f"{placed.cluster_pointer}/accelerator")
        if isinstance(work, Metered) and isinstance(work.measured_on, DescribedAccelerator):
            yield PlacedDevice(work.measured_on, f"{placed.pointer}/work/measured_on")


def unknown_names(request: QuoteRequest, catalog: Catalog) -> tuple[QuoteError, ...]:
    """An error for every id of the request that the catalog does not hold."""
    errors: list[QuoteError] = []
    for pointer, cluster in _clusters(request).items():
        errors += _unknown_in(cluster, catalog, pointer=pointer)
    base = request.accounting.base_model
    if isinstance(base, BaseRuns):
        for index, run in enumerate(base.ids):
            errors += _missing(catalog.run, run, pointer=f"/accounting/base_model/ids/{index}")
    for placed in placed_stages(request):
        work = placed.stage.work
        if isinstance(work, Metered) and work.measured_on is not UNSET:
            errors += _unknown_device(
                work.measured_on, catalog, pointer=f"{placed.pointer}/work/measured_on"
            )
    for model, pointer in _models(request):
        if isinstance(model, PresetModel):
            errors += _missing(catalog.model, model.id, pointer=f"{pointer}/id")
    return tuple(errors)


def _unknown_in(cluster: Cluster, catalog: Catalog, *, pointer: str) -> Iterator[QuoteError]:
    supply = cluster.supply
    yield from _unknown_device(cluster.device, catalog, pointer=f"{pointer}/accelerator")
    if cluster.site.id is not UNSET:
        yield from _missing(catalog.site, cluster.site.id, pointer=f"{pointer}/site/id")
    if isinstance(supply, CatalogOffer):
        yield from _missing(catalog.offer, supply.id, pointer=f"{pointer}/supply/id")
    if isinstance(supply, BookRate):
        yield from _missing(catalog.book_rate, supply.name, pointer=f"{pointer}/supply/name")
    if isinstance(supply, Market):
        if supply.provider is not UNSET and supply.provider not in catalog.providers:
            yield UnknownProvider(
                asked=supply.provider,
                known=catalog.names[UnknownProvider],
                pointer=f"{pointer}/supply/provider",
            )
        if supply.region is not UNSET and supply.region not in catalog.regions:
            yield UnknownRegion(
                asked=supply.region,
                known=catalog.names[UnknownRegion],
                pointer=f"{pointer}/supply/region",
            )


def _unknown_device(
    device: str | DescribedAccelerator, catalog: Catalog, *, pointer: str
) -> Iterator[QuoteError]:
    """The error of a device's id, or of the generation that a described one is said to be of."""
    if isinstance(device, DescribedAccelerator):
        at = f"{pointer}/generation"
        yield from _missing(catalog.generation, device.generation, pointer=at)
    else:
        yield from _missing(catalog.accelerator, device, pointer=pointer)


def _missing(look_up: Callable[..., object], asked: str, *, pointer: str) -> Iterator[QuoteError]:
    """The error of a lookup, if it ends in one."""
    try:
        look_up(asked, pointer=pointer)
    except QuoteError as error:
        yield error


def _models(request: QuoteRequest) -> Iterator[tuple[Model, str]]:
    """Every model that the request names, with where it stands."""
    for placed in placed_stages(request):
        work, pointer = placed.stage.work, placed.pointer
        if isinstance(work, Pretraining | Finetuning | Generation | Reinforcement):
            yield work.model, f"{pointer}/work/model"
        if isinstance(work, Reinforcement) and work.reward_model is not UNSET:
            yield work.reward_model, f"{pointer}/work/reward_model"
        anchor = work.anchor if isinstance(work, Pretraining) else UNSET
        if anchor is not UNSET and anchor.model is not UNSET:
            yield anchor.model, f"{pointer}/work/anchor/model"


def _clusters(request: QuoteRequest) -> dict[str, Cluster]:
    """Every cluster that the request describes, once, by its pointer."""
    placed = {one.cluster_pointer: one.cluster for one in placed_stages(request)}
    return {"/cluster": request.cluster} | placed
