"""`runquote catalog show ID`: one row of the catalog, with the source of every number."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from service.api.contract.parameters import CATALOG_LISTS
from service.api.listing import rows_of
from service.catalog_files import CatalogError
from service.core.names.names import Names
from service.editions.shelf import Sources, stocked_shelf
from service.tables.catalog import Form

out = Console(markup=False)
err = Console(stderr=True, markup=False)


def show(
    id: Annotated[str, typer.Argument(help="The id of a row, of whichever kind.")],
    form: Annotated[
        Form, typer.Option("--format", "-f", help="Lines of text, or JSON as the API has it.")
    ] = Form.TABLE,
    *,
    catalog_dir: Annotated[
        Path | None,
        typer.Option(
            "--catalog-dir",
            envvar="RUNQUOTE_CATALOG_DIR",
            help="Folder of later editions of the catalog.",
        ),
    ] = None,
) -> None:
    """Show one row of the catalog: a device, an offer, a model, a site, a run or a claim."""
    try:
        catalog = stocked_shelf(Sources(folder=catalog_dir)).current.catalog
    except (CatalogError, OSError) as error:
        err.print(str(error), style="red", highlight=False)
        raise typer.Exit(1) from None
    lists = {listing.path: rows_of(catalog, listing) for listing in CATALOG_LISTS}
    found = [(path, rows[id]) for path, rows in lists.items() if id in rows]
    if not found:
        known = Names(name for rows in lists.values() for name in rows)
        nearest = ", ".join(known.nearest(id)) or "none looks like it"
        err.print(f"the catalog has no row {id!r}; the nearest: {nearest}", style="red")
        raise typer.Exit(2)
    for path, row in found:
        if form is not Form.TABLE:
            content = msgspec.json.encode(row)
            content = msgspec.json.format(content) if form is Form.LINES else content
            sys.stdout.buffer.write(content + b"\n")
            continue
        out.print(f"{path}: {id}", style="bold", highlight=False, soft_wrap=True)
        for line in row_lines(msgspec.to_builtins(row)):
            out.print(line, highlight=False, soft_wrap=True)


def row_lines(row: dict[str, Any]) -> list[str]:
    """The members of a row, with value, unit, range and source of each number."""
    lines = []
    for name, value in row.items():
        if isinstance(value, dict) and "unit" in value and "source" in value:
            lines.append(f"  {name}: {value['value']:,.6g} {value['unit']}{range_in(value)}")
            lines.append(f"    {source_in(value['source'])}")
        elif not isinstance(value, dict | list):
            lines.append(f"  {name}: {value}")
        else:
            lines.append(f"  {name}: {msgspec.json.encode(value).decode()}")
    return lines


def range_in(datum: dict[str, Any]) -> str:
    """The range of a number, if it has one."""
    low, high = datum.get("low"), datum.get("high")
    return "" if low is None or low == high else f" ({low:,.6g} to {high:,.6g})"


def source_in(source: dict[str, Any]) -> str:
    """A source in one line, with its date and address."""
    words = source.get("title") or f"judged: {source.get('why', '')}"
    parts = (words, source.get("locator", ""), source.get("as_of", ""), source.get("url", ""))
    return ", ".join(part for part in parts if part)
