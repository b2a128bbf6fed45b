"""Commands about quotes: why two differ, what an invoice says of one, and many at once."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from service.core.answer.difference import QuoteDifference
from service.core.answer.reconciliation import Reconciliation
from service.tables.batch import BatchLine, print_batch_line
from service.tables.catalog import Form
from service.tables.difference import print_difference
from service.tables.reconciliation import print_reconciliation

out = Console(markup=False)
err = Console(stderr=True, markup=False)

CatalogDirectory = Annotated[
    Path | None,
    typer.Option(
        "--catalog-dir",
        envvar="RUNQUOTE_CATALOG_DIR",
        help="Folder of later editions of the catalog.",
    ),
]
PriceBook = Annotated[
    Path | None,
    typer.Option(envvar="RUNQUOTE_PRICE_BOOK", help="Directory of negotiated rates."),
]
FormOption = Annotated[
    Form, typer.Option("--format", "-f", help="Table, the bytes of the API, or JSON in lines.")
]


def diff(
    before: Annotated[
        typer.FileBinaryRead, typer.Argument(help="A request, or a quote as it was answered.")
    ],
    after: Annotated[
        typer.FileBinaryRead | None,
        typer.Argument(help="The other one. Without it, the first one by another edition."),
    ] = None,
    form: FormOption = Form.TABLE,
    *,
    before_catalog: Annotated[
        str | None, typer.Option(help="Edition that quotes the first.", metavar="EDITION")
    ] = None,
    after_catalog: Annotated[
        str | None, typer.Option(help="Edition that quotes the other.", metavar="EDITION")
    ] = None,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Say why two quotes differ, in parts that add up to the cent, as POST /quote/diff."""
    first = before.read()
    second = first if after is None else after.read()
    kept: dict[str, bytes] = {}
    try:
        sides = {
            "before": side_of(first, before_catalog, kept),
            "after": side_of(second, after_catalog, kept),
        }
        body = _asked(json.dumps(sides).encode(), _diff, kept, catalog_dir, price_book)
    except Exception as error:  # noqa: BLE001
        raise _failed(error) from None
    if _is_printed(body, form):
        return
    print_difference(out, msgspec.json.decode(body, type=QuoteDifference))


async def _diff(body: bytes, quoting: Any) -> bytes:
    from service.api.refusing.decoding import decoded  # noqa: PLC0415
    from service.core.request.about_quotes.difference import DifferenceRequest  # noqa: PLC0415
    from service.quoted.difference import difference_of  # noqa: PLC0415

    return await difference_of(decoded(body, asked=DifferenceRequest), quoting)


def reconcile(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="A quote, its invoice and what happened as JSON."),
    ],
    form: FormOption = Form.TABLE,
    *,
    quote: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(help="The quote as it was answered, if FILE names it by its id."),
    ] = None,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Say why the invoice in FILE differs from its quote, to the cent, as POST /reconcile."""
    try:
        filed = b"" if quote is None else quote.read()
        kept = {json.loads(filed)["id"]: filed} if filed else {}
        body = _asked(file.read(), _reconcile, kept, catalog_dir, price_book)
    except Exception as error:  # noqa: BLE001
        raise _failed(error) from None
    if _is_printed(body, form):
        return
    print_reconciliation(out, msgspec.json.decode(body, type=Reconciliation))


def batch(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="Requests as JSON, one a line; - reads stdin.")
    ],
    form: FormOption = Form.TABLE,
    *,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Quote each line of FILE without a server, in order, as POST /quote/batch."""
    from service.editions.shelf import Sources, stocked_shelf  # noqa: PLC0415
    from service.local import quoting_over  # noqa: PLC0415

    try:
        quoting = quoting_over(stocked_shelf(Sources(folder=catalog_dir, book=price_book)))
    except Exception as error:  # noqa: BLE001
        raise _failed(error) from None
    asyncio.run(_batch(file, quoting, form))


async def _batch(file: Any, quoting: Any, form: Form) -> None:
    """Print the answers as they are found."""
    from service.api.http.quoted.batches import written_line  # noqa: PLC0415
    from service.api.refusing.decoding import decode_request  # noqa: PLC0415
    from service.quoted.batch import Batch, Budget, Line  # noqa: PLC0415

    async def lines() -> AsyncIterator[Line]:
        for number, body in enumerate(file, start=1):
            if body.strip():
                yield Line(number, body.strip())

    batch = Batch(quoting, read=decode_request, budget=Budget(inf, RuntimeError))
    async for found in batch.answered(lines()):
        for one in found:
            said = written_line(one, request_id="batch")
            if form is Form.TABLE:
                print_batch_line(out, msgspec.json.decode(said, type=BatchLine))
            else:
                sys.stdout.buffer.write(said)


async def _reconcile(body: bytes, quoting: Any) -> bytes:
    from service.api.refusing.decoding import decoded  # noqa: PLC0415
    from service.core.request.about_quotes.reconciliation import (  # noqa: PLC0415
        ReconciliationRequest,
    )
    from service.quoted.reconciliation import reconciliation_of  # noqa: PLC0415

    return await reconciliation_of(decoded(body, asked=ReconciliationRequest), quoting)


def side_of(said: bytes, catalog: str | None, kept: dict[str, bytes]) -> dict[str, Any]:
    """A quote as a question names it. `kept` gets the answers that are named by their ids."""
    document = json.loads(said)
    edition = {} if catalog is None else {"catalog": catalog}
    if isinstance(document, dict) and "bases" in document and "id" in document:
        kept[document["id"]] = said
        return {"kind": "quote", "id": document["id"], **edition}
    return {"kind": "request", "request": document, **edition}


def _asked(
    body: bytes,
    ask: Callable[[bytes, Any], Awaitable[bytes]],
    kept: dict[str, bytes],
    catalog_dir: Path | None,
    price_book: Path | None,
) -> bytes:
    """The answer to a question about quotes, without a server."""
    from service.editions.shelf import Sources, stocked_shelf  # noqa: PLC0415
    from service.local import quoting_over  # noqa: PLC0415

    shelf = stocked_shelf(Sources(folder=catalog_dir, book=price_book))
    quoting = quoting_over(shelf, kept=kept)

    async def asked() -> bytes:
        return await ask(body, quoting)

    return asyncio.run(asked())


def _failed(error: Exception) -> typer.Exit:
    """Print what is wrong on standard error."""
    from service.api.refusing.problems import explain  # noqa: PLC0415

    err.print(explain(error), style="red", markup=False, highlight=False)
    return typer.Exit(2)


def _is_printed(body: bytes, form: Form) -> bool:
    """Print an answer as JSON, unless it is wanted as tables."""
    if form is Form.TABLE:
        return False
    sys.stdout.buffer.write(body if form is Form.JSON else msgspec.json.format(body) + b"\n")
    return True
