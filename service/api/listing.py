"""The rows of a list of the catalog that a query chooses, in the order that it asks for."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET

from service.api.contract.parameters import CatalogList
from service.core.catalog.catalog import Catalog
from service.core.catalog.offered import OfferFilter
from service.core.figures.ledger import Ledger
from service.core.figures.sources import Datum

DESCENDING: Final = "-"
PRICE: Final = "price_per_device_hour"


def rows_of(catalog: Catalog, listing: CatalogList) -> Mapping[str, Any]:
    """All rows of a list by their ids."""
    rows: dict[str, Any] = getattr(catalog, listing.rows)
    return rows


def wanted_in(listing: CatalogList, query: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a query that chooses rows."""
    names = (*listing.filters, *(other.name for other in listing.others))
    return {name: query[name] for name in names if name in query}


def chosen(
    catalog: Catalog, listing: CatalogList, wanted: Mapping[str, Any], ids: Iterable[str]
) -> list[str]:
    """Those of some ids whose rows pass the filters, in their order."""
    rows = rows_of(catalog, listing)
    members = {name: wanted[name] for name in listing.filters if name in wanted}
    found = [id for id in ids if _passes(rows[id], members)]
    if not listing.others:
        return found
    asked = _filter_of(wanted)
    return [id for id in found if asked.passes(rows[id], catalog)]


def _filter_of(wanted: Mapping[str, Any]) -> OfferFilter:
    """What the parameters ask that mean more than one member of an offer."""
    return OfferFilter(
        area=wanted.get("country", UNSET),
        segment=wanted.get("segment", UNSET),
        devices=wanted.get("devices", UNSET),
        since=wanted.get("since", UNSET),
        min_usd=wanted.get("min_usd", UNSET),
        max_usd=wanted.get("max_usd", UNSET),
    )


def _passes(row: Any, wanted: Mapping[str, str]) -> bool:
    return all(getattr(row, name) == value for name, value in wanted.items())


def sorted_ids(rows: Mapping[str, Any], sort: str, *, usd: Mapping[str, float]) -> tuple[str, ...]:
    """The ids of rows by a member, and by id where it is the same. Rows without it come last.

    `usd` has the prices of offers in dollars, by which those in other currencies are compared.
    """
    name = sort.removeprefix(DESCENDING)
    ids = sorted(rows, reverse=sort.startswith(DESCENDING))
    if name == "id":
        return tuple(ids)
    values = {id: usd.get(id) if name == PRICE else value_of(rows[id], name) for id in rows}
    having = [id for id in ids if values[id] is not None]
    having.sort(key=values.__getitem__, reverse=sort.startswith(DESCENDING))  # type: ignore[arg-type]
    return (*having, *(id for id in sorted(rows) if values[id] is None))


def value_of(row: Any, name: str) -> float | str | None:
    """The value of a member that rows are sorted by. None if the row has none."""
    value = getattr(row, name)
    if isinstance(value, Datum):
        return Ledger().take(value).central
    return None if value is UNSET or value == "" else value
