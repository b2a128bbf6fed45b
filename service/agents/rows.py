"""Rows of the catalog that the words of a caller find, in a few members each."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from service.agents.asked import SearchCatalog
from service.agents.told import RowsTold, rounded
from service.api.contract.parameters import CATALOG_LISTS, read_query
from service.api.listing import chosen, rows_of, sorted_ids, wanted_in
from service.core.catalog.catalog import Catalog
from service.core.figures.ledger import Ledger
from service.core.figures.sources import Datum
from service.core.names.names import Names

MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "accelerators": ("name", "released", "memory_bytes"),
    "offers": ("provider", "accelerator", "price_kind", "price_per_device_hour", "observed_on"),
    "models": ("name", "released", "params_total"),
    "sites": ("name", "country", "pue", "price_per_kwh", "carbon_kg_co2e_per_kwh"),
    "runs": ("model", "kind", "accelerator", "date", "device_hours"),
    "claims": ("model", "said_by", "words"),
}
"""What is told of a row beside its id."""
SEARCHED: Final = ("id", "name", "model", "provider", "accelerator", "organisation", "said_by")
NAMED: Final = {"accelerators": "accelerator", "models": "model", "sites": "site", "runs": "run"}
ORDER: Final = {"offers": "price_per_device_hour"}


def rows_told(asked: SearchCatalog, catalog: Catalog) -> RowsTold:
    """The rows that are asked for. Raises `InvalidQuery` for a filter that the list has not."""
    (listing,) = (one for one in CATALOG_LISTS if one.path == asked.list)
    rows = rows_of(catalog, listing)
    given = [
        (name, value)
        for name in ("accelerator", "provider")
        if isinstance(value := getattr(asked, name), str)
    ]
    parameters = listing.parameters(tuple(rows.values()), catalog.names, atlas=catalog.atlas)
    query = read_query(given, parameters)
    order = sorted_ids(rows, ORDER.get(asked.list, "id"), usd=catalog.usd_by_offer)
    ids = chosen(catalog, listing, wanted_in(listing, query), order)
    known = names_of(catalog, asked.list, rows)
    found = list(found_in(ids, rows, asked.words, known))
    return RowsTold(
        list=asked.list,
        found=len(found),
        rows=tuple(dict(members_of(rows[id], asked.list)) for id in found[: asked.limit]),
        nearest=known.nearest(asked.words) if asked.words and not found else (),
        catalog=catalog.version,
    )


def names_of(catalog: Catalog, path: str, rows: Mapping[str, Any]) -> Names:
    """The names that the ids of a list are."""
    return catalog.names[NAMED[path]] if path in NAMED else Names(rows)  # type: ignore[index]


def found_in(ids: list[str], rows: Mapping[str, Any], words: str, known: Names) -> Iterator[str]:
    """Those that are meant by the words, or else those in which all of them stand."""
    meant = frozenset(known.meant(words)) if words else frozenset()
    if meant:
        yield from (id for id in ids if id in meant)
        return
    wanted = words.lower().split()
    for id in ids:
        text = " ".join(str(getattr(rows[id], name, "")) for name in SEARCHED).lower()
        if all(word in text for word in wanted):
            yield id


def members_of(row: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The id of a row and a few of its members."""
    yield "id", row.id
    for name in MEMBERS[path]:
        value = getattr(row, name, UNSET)
        if isinstance(value, Datum):
            yield name, rounded(Ledger().take(value).central)
        elif value is not UNSET and value != "":
            yield name, msgspec.to_builtins(value)
