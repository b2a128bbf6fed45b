"""`runquote catalog list`: rows of the catalog, chosen and ordered as GET /catalog/... does."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from service.api.contract.parameters import CATALOG_LISTS, read_query
from service.api.listing import chosen, rows_of, sorted_ids, wanted_in
from service.api.refusing.errors import InvalidQuery
from service.api.refusing.problems import explain
from service.catalog_files import CatalogError
from service.editions.shelf import Sources, stocked_shelf
from service.tables.fitting import print_whole


class Rows(StrEnum):
    """The kinds of rows in the catalog."""

    ACCELERATORS = "accelerators"
    OFFERS = "offers"
    MODELS = "models"
    SITES = "sites"
    RUNS = "runs"
    CLAIMS = "claims"


class Form(StrEnum):
    """How an answer is printed: as a table, as the bytes of the API, or as JSON in lines."""

    TABLE = "table"
    JSON = "json"
    LINES = "lines"


COLUMNS: Final = {
    Rows.ACCELERATORS: ("name", "vendor", "architecture", "released", "memory_bytes"),
    Rows.OFFERS: ("price_kind", "price_per_device_hour", "region", "country", "observed_on"),
    Rows.MODELS: ("name", "organisation", "released", "params_total"),
    Rows.SITES: ("name", "carbon_kg_co2e_per_kwh", "price_per_kwh", "pue"),
    Rows.RUNS: ("model", "kind", "accelerator", "benchmark_grade", "device_hours"),
    Rows.CLAIMS: ("model", "said_by", "words"),
}

out = Console()
err = Console(stderr=True)


def list_rows(
    rows: Annotated[Rows, typer.Argument(help="Which kind of rows.")],
    match: Annotated[str, typer.Option(help="Only ids that contain this.")] = "",
    form: Annotated[
        Form, typer.Option("--format", "-f", help="Table, the bytes of the API, or JSON in lines.")
    ] = Form.TABLE,
    *,
    accelerator: Annotated[str, typer.Option(help="Offers, runs: of this accelerator.")] = "",
    provider: Annotated[str, typer.Option(help="Offers, sites: of this seller.")] = "",
    kind: Annotated[str, typer.Option(help="Offers: of this kind of price.")] = "",
    country: Annotated[
        str, typer.Option(help="Offers: in this country or continent. Sites: in this country.")
    ] = "",
    segment: Annotated[str, typer.Option(help="Offers: in this part of the market.")] = "",
    devices: Annotated[str, typer.Option(help="Offers that make so many devices.")] = "",
    since: Annotated[str, typer.Option(help="Offers: observed on this day or later.")] = "",
    min_usd: Annotated[str, typer.Option(help="Offers: from so many $/device-hour.")] = "",
    max_usd: Annotated[str, typer.Option(help="Offers: up to so many $/device-hour.")] = "",
    sort: Annotated[
        str, typer.Option(help="Member to order by, such as price_per_device_hour; -... backwards.")
    ] = "",
    catalog_dir: Annotated[
        Path | None,
        typer.Option(
            "--catalog-dir",
            envvar="RUNQUOTE_CATALOG_DIR",
            help="Folder of later editions of the catalog.",
        ),
    ] = None,
) -> None:
    """List the rows of one kind, with the date of each; the newest edition's."""
    try:
        catalog = stocked_shelf(Sources(folder=catalog_dir)).current.catalog
    except (CatalogError, OSError) as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    (listing,) = (one for one in CATALOG_LISTS if one.path == rows.value)
    known = rows_of(catalog, listing)
    given = {
        "accelerator": accelerator,
        "provider": provider,
        "price_kind" if rows is Rows.OFFERS else "kind": kind,
        "country": country,
        "segment": segment,
        "devices": devices,
        "since": since,
        "min_usd": min_usd,
        "max_usd": max_usd,
        "sort": sort,
    }
    try:
        query = read_query(
            [(name, text) for name, text in given.items() if text],
            listing.parameters(tuple(known.values()), catalog.names, atlas=catalog.atlas),
        )
    except InvalidQuery as error:
        err.print(explain(error), style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    order = sorted_ids(known, str(query.get("sort", "id")), usd=catalog.usd_by_offer)
    ids = chosen(catalog, listing, wanted_in(listing, query), order)
    print_rows(rows, {id: known[id] for id in ids if match.lower() in id}, len(known), form)


def print_rows(rows: Rows, found: dict[str, Any], of: int, form: Form) -> None:
    """Rows as a table, or one JSON text in a line each."""
    if form is not Form.TABLE:
        for row in found.values():
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
        return
    table = Table(title=f"{rows.value}: {len(found)} of {of}", title_justify="left")
    columns = COLUMNS[rows]
    for column in ("id", *columns):
        table.add_column(column, overflow="fold")
    for id, row in found.items():
        table.add_row(id, *(cell(getattr(row, column)) for column in columns))
    print_whole(out, table)


def cell(value: object) -> str:
    """One cell of a table. A sealed datum shows its value and unit."""
    if value is msgspec.UNSET:
        return ""
    facts = msgspec.to_builtins(value)
    if isinstance(facts, dict):
        return f"{facts['value']:,.6g} {facts['unit']}"
    return str(facts)
