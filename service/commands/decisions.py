"""`runquote compare` and `runquote solve`: decisions without a server."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from service.core.answer.comparison import Comparison
from service.core.answer.solution import Solution
from service.tables.catalog import Form
from service.tables.decisions.comparison import print_comparison
from service.tables.decisions.solution import print_solution

out = Console(markup=False)
err = Console(stderr=True, markup=False)

File = Annotated[
    typer.FileBinaryRead, typer.Argument(help="A request as JSON; - reads standard input.")
]
InForm = Annotated[
    Form, typer.Option("--format", "-f", help="Table, the bytes of the API, or JSON in lines.")
]
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


def compare(
    file: File,
    form: InForm = Form.TABLE,
    *,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Rank every way to buy the run in FILE without a server; the same bytes as POST /compare."""
    body = _answered(file.read(), "compare", catalog_dir, price_book)
    _told(body, form, Comparison, print_comparison)


def solve(
    file: File,
    form: InForm = Form.TABLE,
    *,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Find the number that FILE asks for without a server; the same bytes as POST /solve."""
    body = _answered(file.read(), "solve", catalog_dir, price_book)
    _told(body, form, Solution, print_solution)


def _answered(request: bytes, asked: str, catalog_dir: Path | None, book: Path | None) -> bytes:
    from service.editions.shelf import Sources  # noqa: PLC0415
    from service.local import answer_bytes  # noqa: PLC0415

    try:
        sources = Sources(folder=catalog_dir, book=book)
        return answer_bytes(request, asked=asked, sources=sources)
    except Exception as error:  # noqa: BLE001
        from service.api.refusing.problems import explain  # noqa: PLC0415

        err.print(explain(error), style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None


def _told(body: bytes, form: Form, answer: type[Any], tell: Callable[[Console, Any], None]) -> None:
    """An answer as tables, as the bytes of the API, or in lines."""
    if form is Form.TABLE:
        tell(out, msgspec.json.decode(body, type=answer))
        return
    lines = body if form is Form.JSON else msgspec.json.format(body) + b"\n"
    sys.stdout.buffer.write(lines)
