"""The files of an overlay: what was taken over, and what the overlay before had besides.

Catalogs of others are read whole: rows of a seller replace all that the same catalog had of this
seller before. A price list of one's own replaces the prices that it has. Rows of other sellers, and
all files that no refresh has written, are carried over as they are.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from typing import Any, Final

from service.catalog_files.sources import SourceRow
from service.catalog_files.texts import NOTHING, Texts
from service.refreshing.checking import Taken
from service.refreshing.listing import Origin, SourceName

COLUMNS: Final = (
    "id", "provider", "seller", "region", "country", "instance_type", "accelerator", "devices",
    "form_factor", "vcpus", "ram_gb", "network_gbps", "price_kind", "price_per_hour",
    "price_per_device_hour", "currency", "observed_on", "date_basis", "source", "recalled",
    "complete", "multi_node", "min_devices", "note",
)  # fmt: skip
"""The columns of an offer, in the order of the embedded files."""
ONE_PRICE: Final = (
    "provider", "region", "instance_type", "accelerator", "devices", "price_kind",
)  # fmt: skip
"""What makes two rows prices of one thing."""
SOURCES: Final = "sources.csv"
EDITION: Final = "catalog.toml"
LONGEST_ID: Final = 128
DECIMALS: Final = 6

Rows = list[dict[str, str]]


def offers_file(source: SourceName) -> str:
    """The file of an overlay that holds the offers of a source."""
    return f"offers/{source}.csv"


def composed(
    taken: Iterable[Taken],
    *,
    version: str,
    published_at: str,
    before: Texts = NOTHING,
    used: Iterable[str] = (),
) -> dict[str, str]:
    """The texts of an overlay by name, with `catalog.toml` and the sources that its rows cite.

    `before` are those of the overlay before, `used` the ids of offers that others have.
    """
    fresh: dict[str, Rows] = {}
    sources: dict[str, dict[str, str]] = {}
    for one in cheapest_of_each(taken):
        source = source_row(one.listing.origin, day=one.listing.observed_on)
        sources[source["id"]] = source
        row = offer_row(one, source=source["id"])
        fresh.setdefault(offers_file(one.listing.origin.name), []).append(row)
    texts = {name: text for name, text in before.items() if name not in {EDITION, *fresh}}
    ids = {*used, *(row["id"] for row in offers_in(texts))}
    for name, rows in fresh.items():
        columns = ONE_PRICE if name == offers_file("own") else ("provider",)
        renewed = {cells_of(row, columns) for row in rows}
        old = rows_in(before.get(name, ""))
        kept = [row for row in old if cells_of(row, columns) not in renewed]
        texts[name] = as_csv(COLUMNS, with_own_ids([*kept, *rows], ids))
    listed = {row["id"]: row for row in rows_in(before.get(SOURCES, ""))} | sources
    cited = cited_in(texts)
    texts[SOURCES] = as_csv(
        SourceRow.__struct_encode_fields__, [listed[id] for id in sorted(listed) if id in cited]
    )
    texts[EDITION] = f'version = "{version}"\npublished_at = "{published_at}"\n'
    return texts


def cells_of(row: Mapping[str, str], columns: Iterable[str]) -> tuple[str, ...]:
    """Some cells of a row."""
    return tuple(row[column] for column in columns)


def offers_in(texts: Texts) -> Iterator[dict[str, str]]:
    """The rows of all offers files."""
    for name, text in texts.items():
        if name.startswith("offers/"):
            yield from rows_in(text)


def cited_in(texts: Texts) -> set[str]:
    """The sources that any row cites."""
    tables = (rows_in(text) for name, text in texts.items() if name.endswith(".csv"))
    return {id for rows in tables for row in rows for id in (row.get("source") or "").split(" ")}


def cheapest_of_each(taken: Iterable[Taken]) -> Iterator[Taken]:
    """One price for each kind of instance in each region: hosts and zones ask several."""
    found: dict[tuple[str, ...], Taken] = {}
    for one in taken:
        listing = one.listing
        key = (
            listing.origin.name,
            one.provider,
            one.accelerator,
            one.price_kind,
            listing.region,
            listing.instance_type,
            str(listing.devices),
        )
        known = found.get(key)
        if known is None or rank(one) < rank(known):
            found[key] = one
    return iter(found.values())


def rank(one: Taken) -> tuple[int, float]:
    """What makes a price stand for its kind: it is the newest, and of these the cheapest."""
    return -int(one.listing.observed_on.replace("-", "").ljust(8, "0")), one.listing.price_per_hour


def offer_row(one: Taken, *, source: str) -> dict[str, str]:
    """A price as a line of an offers file. Its id is made later, so that each is its own."""
    listing, known = one.listing, one.known
    price = round(listing.price_per_hour, DECIMALS)
    network = listing.network_gbps or (known.network_gbps if known is not None else "")
    facts: dict[str, Any] = {
        "id": slug(one.provider, listing.region, listing.instance_type, one.price_kind,
                   listing.observed_on),
        "provider": one.provider,
        "region": listing.region,
        "country": one.country,
        "instance_type": listing.instance_type,
        "accelerator": one.accelerator,
        "devices": listing.devices,
        "form_factor": "stated" if one.form_stated else "assumed",
        "vcpus": listing.vcpus or "",
        "ram_gb": listing.ram_gb or "",
        "network_gbps": network or "",
        "price_kind": one.price_kind,
        "price_per_hour": price,
        "price_per_device_hour": round(price / listing.devices, DECIMALS),
        "currency": listing.currency,
        "observed_on": listing.observed_on,
        "date_basis": listing.date_basis,
        "source": source,
        "recalled": "false",
        "complete": "" if known is None or known.complete else "false",
        "multi_node": "" if known is None else known.multi_node,
        "min_devices": "" if known is None or known.min_devices == 1 else known.min_devices,
        "note": listing.note,
    }  # fmt: skip
    return {column: str(facts.get(column, "")) for column in COLUMNS}


def source_row(origin: Origin, *, day: str) -> dict[str, str]:
    """A line of `sources.csv`: one for each file or seller of a source and each day."""
    return {
        "id": slug(origin.name, origin.part, day),
        "title": origin.title,
        "locator": origin.locator,
        "url": origin.url,
        "as_of": day,
        "licence": origin.licence,
        "recalled": "false",
    }


def slug(*parts: str) -> str:
    """An id of these parts, in the form of the catalog's ids."""
    text = "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts if part)
    return text.strip("-")[:LONGEST_ID]


def with_own_ids(rows: Rows, used: set[str]) -> Rows:
    """The rows with ids that nobody else has: what is alike gets a number at its end."""
    for row in rows:
        id, number = row["id"], 1
        while row["id"] in used:
            number += 1
            tail = f"-{number}"
            row["id"] = f"{id[: LONGEST_ID - len(tail)]}{tail}"
        used.add(row["id"])
    return rows


def rows_in(text: str) -> Rows:
    """The rows of a CSV text."""
    return list(csv.DictReader(StringIO(text, newline="")))


def as_csv(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as a CSV text."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
