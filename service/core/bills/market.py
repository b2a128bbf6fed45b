"""Where a given rate stands among the prices that sellers ask for the same device."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from service.core.argument import Cursor
from service.core.catalog.observed import LEAST_OF_A_DEVICE, PricePosition, price_position
from service.core.figures.ledger import Term
from service.core.request.request import Cluster, Rate
from service.core.stages.effort import Effort


class GivenRate(Struct, frozen=True, kw_only=True):
    """The rate that a cluster is given, and where it stands among comparable prices."""

    cluster: Cursor[Cluster]
    usd_per_device_hour: Term
    position: PricePosition


def given_rates(efforts: tuple[Effort, ...]) -> tuple[GivenRate, ...]:
    """The given rates of all clusters whose device has comparable prices."""
    clusters = {effort.cluster_pointer: effort.context.cluster for effort in efforts}
    return tuple(_given(clusters.values()))


def _given(clusters: Iterable[Cursor[Cluster]]) -> Iterator[GivenRate]:
    """One rate of each cluster. A rate outside of all prices is warned of, unless it is already."""
    for cluster in clusters:
        prices = cluster.argument.catalog.asked_prices.get(cluster.said.accelerator)
        if not prices or not isinstance(cluster.said.supply, Rate):
            continue
        supply: Cursor[Rate] = cluster.at("supply")
        rate = supply.quantity("usd_per_device_hour", unit="usd/device_hour")
        position = price_position(prices, rate.central)
        if position.count >= LEAST_OF_A_DEVICE:
            _warn_if_outside(supply, rate.central, position)
        yield GivenRate(cluster=cluster, usd_per_device_hour=rate, position=position)


def _warn_if_outside(supply: Cursor[Rate], usd: float, position: PricePosition) -> None:
    below = usd < position.lowest
    pointer = supply.pointer_of("usd_per_device_hour")
    told = any(
        one.code == "implausible_value" and one.pointer == pointer
        for one in supply.argument.warnings
    )
    if (below or usd > position.highest) and not told:
        supply.warn(
            "rate_outside_market",
            f"{usd:g} is {'below' if below else 'above'} all {position.count} comparable prices, "
            f"{position.lowest:g} to {position.highest:g}, the newest of {position.newest}",
            member="usd_per_device_hour",
        )
