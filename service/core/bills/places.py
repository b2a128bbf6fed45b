"""Whether the site of a cluster lies where its devices are supplied."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from service.core.argument import Cursor
from service.core.catalog.catalog import Catalog, Offer, Site
from service.core.request.request import Cluster, Market
from service.core.request.supplies import named_offer

EUROPEAN_UNION: Final = (
    "AT", "BE", "DE", "DK", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PL", "RO", "SE"
)  # fmt: skip
CONTINENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "grid:eu": EUROPEAN_UNION,
    "grid:x-europe": (*EUROPEAN_UNION, "CH", "GB", "IS", "NO"),
    "grid:x-asia": (
        "AE", "BH", "CN", "HK", "ID", "IL", "IN", "JP", "KR", "MY", "QA", "SA", "SG", "TW", "VN"
    ),
    "grid:x-north-america": ("CA", "MX", "US"),
    "grid:x-south-america": ("BR", "CL"),
    "grid:x-oceania": ("AU", "NZ"),
    "grid:x-africa": ("ZA",),
    "grid:x-world": (),
}  # fmt: skip
"""Countries of offers and regions in the catalog, by the grid that stands for several countries."""


def warn_of_place(cluster: Cursor[Cluster]) -> None:
    """Warn of a site in another country than the offers that the devices come from."""
    site, catalog = cluster.said.site.id, cluster.argument.catalog
    if site is UNSET:
        return
    where = countries_of_site(catalog.site(site, pointer=cluster.pointer_of("site/id")))
    supplied = countries_of_supply(cluster.said, catalog)
    if where and supplied and where.isdisjoint(supplied):
        cluster.warn(
            "site_elsewhere",
            f"the devices are supplied in {', '.join(sorted(supplied))}, and {site} is in "
            f"{', '.join(sorted(where))}",
            member="site/id",
        )


def countries_of_site(site: Site) -> frozenset[str]:
    """Countries that a site stands for. None if it stands for the world."""
    country = site.country or site.grid_zone.split("-")[0].upper()
    return frozenset(CONTINENTS.get(site.id, (country,)))


def countries_of_supply(cluster: Cluster, catalog: Catalog) -> frozenset[str]:
    """Countries that the offers of a supply name, if all of them name one."""
    supply = cluster.supply
    named = named_offer(supply, catalog, pointer="")
    if named is not None:
        rows: tuple[Offer, ...] = (named,)
    elif isinstance(supply, Market) and supply.region is not UNSET:
        rows = tuple(
            row
            for row in catalog.price_rows.get(cluster.accelerator, ())
            if row.region == supply.region and supply.provider in (UNSET, row.provider)
        )
    else:
        return frozenset()
    countries = frozenset(row.country for row in rows)
    return frozenset() if "" in countries else countries
