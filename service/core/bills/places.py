"""Where a cluster stands: its site follows its supply unless it is given, and may contradict it."""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from service.core.argument import Cursor
from service.core.catalog.areas import CODE_OF_COUNTRY, Area
from service.core.catalog.catalog import Catalog, Offer, Site
from service.core.request.request import Cluster, Market
from service.core.request.supplies import named_offer


def site_of_supply(cluster: Cursor[Cluster]) -> Site | None:
    """The site of what a supply names: an offer, a seller's region, or an area.

    None if it names no place, or one of which no site is known.
    """
    catalog, supply = cluster.argument.catalog, cluster.at("supply")
    if isinstance(supply.said, Market) and supply.said.region is not UNSET:
        area = catalog.atlas.named(supply.said.region)
        if area is not None:
            return _site_of_area(catalog, area)
    return _site_of_offers(catalog, _offers_of_supply(cluster, catalog))


def _site_of_offers(catalog: Catalog, rows: Iterable[Offer]) -> Site | None:
    """The site of offers in one place: of their region, or of the only area that all of them name.

    Offers that name different places have none.
    """
    found = {_site_of_offer(catalog, row) for row in rows}
    name = found.pop() if len(found) == 1 else None
    return None if name is None else catalog.sites[name]


def _site_of_offer(catalog: Catalog, row: Offer) -> str | None:
    own = f"{row.provider}:{row.region.lower()}"
    if own in catalog.sites:
        return own
    named = catalog.atlas.named_by(row)
    site = _site_of_area(catalog, named[0]) if len(named) == 1 else None
    return None if site is None else site.id


def _site_of_area(catalog: Catalog, area: Area) -> Site | None:
    """The grid of a country, or else of the smallest area around it that has one."""
    for name in (area.id, *reversed(area.within)):
        for zone in (f"grid:{name}", f"grid:x-{name}"):
            if zone in catalog.sites:
                return catalog.sites[zone]
    return None


def warn_of_place(cluster: Cursor[Cluster]) -> None:
    """Warn of a site in another country than the supply, or of a price that is of no place."""
    site, catalog = cluster.said.site.id, cluster.argument.catalog
    if site is UNSET:
        return
    where = areas_of_site(catalog, catalog.site(site, pointer=cluster.pointer_of("site/id")))
    supplied = areas_of_supply(cluster, catalog)
    if where and supplied and _countries(catalog, where).isdisjoint(_countries(catalog, supplied)):
        cluster.warn(
            "site_elsewhere",
            f"the devices are supplied in {_in_words(catalog, supplied)}, and {site} is in "
            f"{_in_words(catalog, where)}",
            member="site/id",
        )
    supply = cluster.said.supply
    everywhere = isinstance(supply, Market) and supply.region is UNSET and supply.provider is UNSET
    if everywhere and where:
        cluster.warn(
            "market_of_all_places",
            f"{site} is in {_in_words(catalog, where)}, and the price is the median of sellers in "
            f"all places; with the region {catalog.areas[min(where)].slug!r} it is of those there",
            member="supply",
        )


def areas_of_site(catalog: Catalog, site: Site) -> frozenset[str]:
    """The area that a site stands for. No area if it stands for the world.

    Grid zones within a country begin with its code: "us-tx", "se1".
    """
    zone = (site.country or site.grid_zone).lower().removeprefix("x-")
    area = catalog.areas.get(zone) or catalog.areas.get(zone[:CODE_OF_COUNTRY])
    return frozenset() if area is None else frozenset((area.id,))


def areas_of_supply(cluster: Cursor[Cluster], catalog: Catalog) -> frozenset[str]:
    """The areas that a supply names, if all of its offers name one."""
    supply: Any = cluster.said.supply
    if isinstance(supply, Market) and supply.region is not UNSET:
        area = catalog.atlas.named(supply.region)
        if area is not None:
            return frozenset((area.id,))
    named = [catalog.atlas.named_by(row) for row in _offers_of_supply(cluster, catalog)]
    return frozenset(area.id for areas in named for area in areas) if all(named) else frozenset()


def _offers_of_supply(cluster: Cursor[Cluster], catalog: Catalog) -> tuple[Offer, ...]:
    """The offer that a supply names, or those in the region of a seller."""
    supply = cluster.said.supply
    named = named_offer(supply, catalog, pointer=cluster.pointer_of("supply"))
    if named is not None:
        return (named,)
    if not isinstance(supply, Market) or supply.region is UNSET:
        return ()
    return tuple(
        row
        for row in catalog.price_rows.get(cluster.said.accelerator, ())
        if row.region == supply.region and supply.provider in (UNSET, row.provider)
    )


def _countries(catalog: Catalog, areas: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*map(catalog.atlas.countries_in, areas))


def _in_words(catalog: Catalog, areas: Iterable[str]) -> str:
    return ", ".join(sorted(catalog.areas[area].name for area in areas))
