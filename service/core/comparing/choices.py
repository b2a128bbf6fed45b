"""The clusters that a comparison may choose from: devices, sizes, and ways to get them."""

from collections.abc import Iterator
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from service.core.argument import Argument
from service.core.bills.sold import usual_node
from service.core.catalog.catalog import Catalog, Segment
from service.core.catalog.market import (
    NODE_DEVICES,
    LeftOutReason,
    Panel,
    Wanted,
    offers_of_operators,
    panel_of,
)
from service.core.comparing.pricing import Offered
from service.core.model.named import NamedModel, named_model
from service.core.model.parameters import params_total
from service.core.request.decisions.compare import Choices, ComparedTerm, CompareRequest
from service.core.request.request import Cluster, Market, Owned, QuoteRequest
from service.core.request.work import Finetuning, FullTuning, Pretraining

BYTES_OF_TRAINED_PARAMETER: Final = 8.0
"""Least memory for a parameter that is trained: weight, gradient and two states of two bytes."""
BYTES_OF_HELD_PARAMETER: Final = 0.5
"""Least memory for a parameter that is only held: four bits."""
MOST_COMPARED_DEVICES: Final = 16_384.0
"""The largest cluster that is looked at, unless sizes are listed or bounded."""


def request_on(asked: CompareRequest, accelerator: str, devices: float) -> QuoteRequest:
    """The quote that is asked for on one kind and number of devices."""
    common = asked.cluster
    return QuoteRequest(
        run=asked.run,
        cluster=Cluster(
            device=accelerator,
            devices=devices,
            site=common.site,
            network_gbit_per_s_per_device=common.network_gbit_per_s_per_device,
            reliability=common.reliability,
        ),
        accounting=asked.accounting,
    )


def accelerators_of(asked: CompareRequest, catalog: Catalog) -> tuple[str, ...]:
    """The devices to compare: those listed, or all that are on sale, in the catalog's order."""
    listed = asked.choices.accelerators
    if listed is not UNSET:
        return tuple(dict.fromkeys(listed))
    return tuple(id for id in catalog.accelerators if catalog.price_rows.get(id))


class Sizes:
    """The sizes of a cluster of one device, smallest first."""

    def __init__(self, asked: CompareRequest, catalog: Catalog, accelerator: str) -> None:
        choices, most = asked.choices, asked.constraints.max_devices
        limit = MOST_COMPARED_DEVICES if most is UNSET else most
        self.listed = choices.devices is not UNSET
        if choices.devices is not UNSET:
            self.all: tuple[float, ...] = tuple(
                sorted({one for one in choices.devices if one <= limit})
            )
            self.beyond = tuple(one for one in choices.devices if one > limit)
            return
        node = usual_node(offers_of_operators(catalog, accelerator))
        size = NODE_DEVICES if node is None else float(node.devices)
        least = 1.0
        if choices.devices_range is not UNSET:
            bounds = choices.devices_range
            least, limit = bounds.min, min(limit, bounds.max)
        self.beyond = ()
        self.all = tuple(one for one in _doublings(size, limit) if one >= least)


def _doublings(node: float, limit: float) -> Iterator[float]:
    """Parts of a node from one device up, then nodes, each twice as many as before."""
    devices = 1.0
    while devices < node and devices <= limit:
        yield devices
        devices *= 2.0
    nodes = 1.0
    while nodes * node <= limit:
        yield nodes * node
        nodes *= 2.0


def least_devices(request: QuoteRequest, catalog: Catalog) -> float:
    """Devices below which the model cannot fit, by a bound that is cheap and low."""
    memory = float(
        catalog.accelerator(request.cluster.accelerator, pointer="").memory_bytes._value  # noqa: SLF001 - no number of an answer
    )
    found = 1.0
    for place, stage in enumerate(request.run.stages):
        work = stage.work
        if stage.cluster is not UNSET or not isinstance(work, Pretraining | Finetuning):
            continue
        at = Argument(catalog).at(work, pointer=f"/run/stages/{place}/work", prefix="")
        model = named_model(at.at("model"))
        if isinstance(model, NamedModel):
            trained = isinstance(work, Pretraining) or isinstance(work.method, FullTuning)
            each = BYTES_OF_TRAINED_PARAMETER if trained else BYTES_OF_HELD_PARAMETER
            found = max(found, params_total(architecture=model.architecture) * each / memory)
    return found


def ways_to_get(
    asked: CompareRequest, catalog: Catalog, accelerator: str, devices: float
) -> tuple[list[Offered], dict[LeftOutReason, set[str]]]:
    """Every way to get a cluster of this size, and the sellers that have none, by the reason.

    No quote can be asked for by the name of somebody who only lists what operators sell, and whom
    the catalog has no row of. The operators behind them are compared.
    """
    ways: list[Offered] = []
    left_out: dict[LeftOutReason, set[str]] = {}
    known: dict[Wanted, Panel] = {}
    for term in asked.choices.terms:
        if term == "owned":
            ways.append(Offered(supply=Owned()))
            continue
        for market in _markets(asked.choices, term):
            wanted = Wanted(
                accelerator=accelerator,
                devices=devices,
                term=term,
                region=market.region,
                segment=market.segment,
            )
            panel = panel_of(catalog, wanted, known)
            seats = [
                seat for seat in panel.seats if _is_asked(asked.choices, seat.seller, seat.segment)
            ]
            ways += [
                Offered(supply=replace(market, provider=seat.seller), seat=seat)
                for seat in seats
                if seat.seller in catalog.providers
            ]
            listers = {seat.seller for seat in seats} - catalog.providers.keys()
            left_out.setdefault("behind_operator", set()).update(listers)
            for reason, sellers in panel.left_out.items():
                named = asked.choices.sellers
                left_out.setdefault(reason, set()).update(
                    one for one in sellers if named is UNSET or one in named
                )
    return ways, left_out


def _markets(choices: Choices, term: ComparedTerm) -> Iterator[Market]:
    """The markets to look for sellers in: of operators, and of marketplaces if asked for."""
    assert term != "owned"
    regions = (UNSET,) if choices.regions is UNSET else choices.regions
    operators = any(one != "marketplace" for one in choices.segments)
    for region in regions:
        if operators:
            yield Market(term=term, region=region)
        if "marketplace" in choices.segments:
            yield Market(term=term, region=region, segment="marketplace")


def _is_asked(choices: Choices, seller: str, segment: Segment) -> bool:
    named = choices.sellers is UNSET or seller in choices.sellers
    return named and segment in choices.segments
