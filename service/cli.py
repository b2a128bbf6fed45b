"""The `runquote` command: serve, quote without a server, print the contract, read the catalog."""

import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.console import Console

from service import __version__
from service.access.command import keys_app
from service.accuracy_cli import accuracy
from service.commands.about_quotes import batch, diff, reconcile
from service.commands.decisions import compare, solve
from service.core.answer import ClaimAnswer, Quote
from service.core.request.envelope import START_PATTERN
from service.measuring.command import measure
from service.plan_cli import plan
from service.refreshing.command import refresh
from service.tables.calendar import print_calendar
from service.tables.catalog import Form, Rows, list_rows
from service.tables.claim import claimed_in, print_claim
from service.tables.files import NoPrinter, QuoteForm, file_of
from service.tables.quote import currency_of, print_quote
from service.tables.show import show
from service.tables.summary import print_summary
from service.tables.today import print_today

EXIT_CODES = (
    "Exit status: 0 done; 1 it could not be done here; 2 what was asked is wrong; "
    "3 nothing fits (plan)."
)

app = typer.Typer(
    name="runquote",
    help="What an AI training run costs, line by line, with a source for every figure.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
catalog_app = typer.Typer(help="What the service knows: list it, check it.", no_args_is_help=True)
app.add_typer(catalog_app, name="catalog")
app.add_typer(keys_app, name="keys")
app.command()(accuracy)
app.command()(plan)
app.command()(measure)
app.command()(diff)
app.command()(reconcile)
app.command()(batch)
app.command()(compare)
app.command()(solve)
catalog_app.command()(refresh)
catalog_app.command("list")(list_rows)
catalog_app.command("show")(show)

NO_FOLDER = (NotADirectoryError, FileNotFoundError)
"""What a folder of editions or a price book that is not there leads to."""

out = Console(markup=False)
err = Console(stderr=True, markup=False)


def in_form(body: bytes, form: Form) -> bytes:
    """An answer as it is: the very bytes of the API; or in lines, for people."""
    return body if form is Form.JSON else msgspec.json.format(body) + b"\n"


def quote_in_form(body: bytes, form: QuoteForm) -> bytes:
    """A quote as it is written. Leaves with status 1 if there is nothing to print a PDF with."""
    if form is QuoteForm.JSON:
        return body
    if form is QuoteForm.LINES:
        return msgspec.json.format(body) + b"\n"
    try:
        return file_of(body, form)
    except NoPrinter as error:
        fail(str(error))


def write(content: bytes, output: Path | None) -> None:
    """Write into a file, or to standard output."""
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


def fail(message: str, *, status: int = 1) -> NoReturn:
    """Print what is wrong on standard error and exit."""
    err.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(status)


def print_version(version: bool) -> None:
    """Print the version and leave, if it is asked for."""
    if version:
        out.print(f"runquote {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def version_option(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and leave.",
            is_eager=True,
            callback=print_version,
        ),
    ] = False,
) -> None:
    """What an AI training run costs, line by line, with a source for every figure."""


@app.command()
def serve() -> None:
    """Serve quotes over HTTP; the RUNQUOTE_* environment variables say how."""
    _hear_signals_while_starting()
    from service.access.keys import KeyFileError  # noqa: PLC0415
    from service.cache import InvalidRedisAddress  # noqa: PLC0415
    from service.catalog_files import CatalogError  # noqa: PLC0415
    from service.serving.process import serve as run  # noqa: PLC0415 - loads the web stack
    from service.settings import SettingsError, load_settings  # noqa: PLC0415

    try:
        run(load_settings(os.environ))
    except (SettingsError, InvalidRedisAddress, KeyFileError, CatalogError, *NO_FOLDER) as error:
        fail(str(error), status=2)


@app.command()
def mcp() -> None:
    """Answer an agent over standard input and output; docs/agents.md says which tools it has."""
    from service.cache import InvalidRedisAddress  # noqa: PLC0415
    from service.catalog_files import CatalogError  # noqa: PLC0415
    from service.settings import SettingsError, load_settings  # noqa: PLC0415

    try:
        from service.serving.stdio import serve_stdio  # noqa: PLC0415 - an extra
    except ImportError as error:
        fail(f"this takes the extra: pip install 'runquote[mcp]' ({error})")
    try:
        serve_stdio(load_settings(os.environ))
    except (SettingsError, InvalidRedisAddress, CatalogError, *NO_FOLDER) as error:
        fail(str(error), status=2)


def _hear_signals_while_starting() -> None:
    """Until the server listens, SIGTERM ends the process with status 0, and SIGHUP does nothing.

    The first process of a container would not hear of a SIGTERM otherwise.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


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


@app.command()
def quote(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="A request as JSON; - reads standard input.")
    ],
    form: Annotated[
        QuoteForm,
        typer.Option(
            "--format",
            "-f",
            help="Table; JSON as the bytes of the API, in lines or in short; or a file.",
        ),
    ] = QuoteForm.TABLE,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Every line, stage, bridge and note, as tables.")
    ] = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Add every figure's source to the tables.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write into this file.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the sheet.")] = None,
    buyer: Annotated[str | None, typer.Option(help="Whom the sheet is for.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your number for it.")] = None,
    note: Annotated[str | None, typer.Option(help="What else stands on the sheet.")] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Day on which the run starts: adds its calendar.", metavar="DATE"),
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(
            help="Day on which the quote is read: adds the ages of its prices. A table has those "
            "of today without it.",
            metavar="DATE",
        ),
    ] = None,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Quote the request in FILE without a server; the same bytes as POST /quote."""
    from service.editions.shelf import Sources  # noqa: PLC0415
    from service.freshness import utc_today  # noqa: PLC0415
    from service.local import quote_bytes  # noqa: PLC0415

    for option, day in (("--start", start), ("--today", today)):
        if day is not None and not re.search(START_PATTERN, day):
            fail(f"{option} is a date from 2000-01-01 to 2199-12-31, not {day!r}", status=2)
    if form is QuoteForm.TABLE and today is None:
        today = utc_today()
    said = {
        "start": start,
        "today": today,
        "title": title,
        "buyer": buyer,
        "reference": reference,
        "note": note,
    }
    try:
        sources = Sources(folder=catalog_dir, book=price_book)
        body = quote_bytes(file.read(), said=said, sources=sources)
    except Exception as error:  # noqa: BLE001
        from service.api.refusing.problems import explain  # noqa: PLC0415

        fail(explain(error), status=2)
    if form is not QuoteForm.TABLE:
        write(quote_in_form(body, form), output)
        return
    if not full and not figures:
        print_summary(out, body)
        return
    answer = msgspec.json.decode(body, type=Quote)
    print_quote(out, answer, figures=figures)
    if answer.calendar is not msgspec.UNSET:
        print_calendar(out, answer.calendar, currency=currency_of(answer))
    if answer.today is not msgspec.UNSET:
        print_today(out, answer.today)


@app.command()
def claim(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="A claim as JSON; - reads standard input.")
    ],
    form: Annotated[
        Form, typer.Option("--format", "-f", help="Table, the bytes of the API, or JSON in lines.")
    ] = Form.TABLE,
    *,
    figures: Annotated[bool, typer.Option("--figures", help="Add every figure's source.")] = False,
    catalog_dir: CatalogDirectory = None,
    price_book: PriceBook = None,
) -> None:
    """Judge the published figure in FILE without a server; the same bytes as POST /claim."""
    from service.editions.shelf import Sources  # noqa: PLC0415
    from service.local import claim_bytes  # noqa: PLC0415

    try:
        sources = Sources(folder=catalog_dir, book=price_book)
        body = claim_bytes(file.read(), sources=sources)
    except Exception as error:  # noqa: BLE001
        from service.api.refusing.problems import explain  # noqa: PLC0415

        fail(explain(error), status=2)
    if form is not Form.TABLE:
        sys.stdout.buffer.write(in_form(body, form))
        return
    answer = msgspec.json.decode(body, type=ClaimAnswer)
    claimed = claimed_in(msgspec.json.decode(answer.request), float(answer.amount.amount))
    print_claim(out, answer, claimed, figures=figures)


@app.command()
def openapi(
    *,
    form: Annotated[
        str, typer.Option("--format", "-f", help="yaml or json.", metavar="yaml|json")
    ] = "yaml",
    write: Annotated[
        Path | None, typer.Option(help="Write both forms into this directory instead.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Fail if the forms in this directory are not up to date.")
    ] = None,
) -> None:
    """Print the OpenAPI contract as the types make it, write it, or check the published one."""
    from service.api.contract.document import documents  # noqa: PLC0415

    made = documents()
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (write / name).write_bytes(content)
        return
    if check is not None:
        stale = [n for n, content in made.items() if (check / n).read_bytes() != content]
        if stale:
            fail(f"not what the types make: {', '.join(stale)}; run: runquote openapi --write")
        out.print("up to date")
        return
    name = f"openapi.{form}"
    if name not in made:
        fail(f"--format is yaml or json, not {form!r}", status=2)
    sys.stdout.buffer.write(made[name])


@app.command()
def formulas(
    *,
    write: Annotated[Path | None, typer.Option(help="Write the page to this file instead.")] = None,
) -> None:
    """Print every formula with its inputs, their units and its source, as Markdown."""
    from service.formula_reference.page import formulas_page  # noqa: PLC0415

    page = formulas_page().encode()
    if write is None:
        sys.stdout.buffer.write(page)
    else:
        write.write_bytes(page)


@catalog_app.command("check")
def check(
    directory: Annotated[
        Path | None, typer.Argument(help="Another catalog directory than the embedded one.")
    ] = None,
) -> None:
    """Load the catalog as the service would, and name every row that cannot be used."""
    from service.catalog_files import CatalogError, load_catalog  # noqa: PLC0415

    try:
        catalog = load_catalog(directory)
    except CatalogError as error:
        fail(str(error))
    counts = ", ".join(f"{len(getattr(catalog, rows.value))} {rows.value}" for rows in Rows)
    out.print(f"catalog {catalog.version}: {counts}", highlight=False)
    out.print(catalog.digest, highlight=False)


@catalog_app.command("editions")
def editions(catalog_dir: CatalogDirectory = None, price_book: PriceBook = None) -> None:
    """List the editions that a request may name, and what is refused and why."""
    from service.catalog_files import CatalogError  # noqa: PLC0415
    from service.core.catalog.errors import NotQuotable  # noqa: PLC0415
    from service.editions.shelf import Sources, stocked_shelf  # noqa: PLC0415

    try:
        shelf = stocked_shelf(Sources(folder=catalog_dir, book=price_book))
    except (CatalogError, OSError) as error:
        fail(str(error))
    for version in shelf.standing.versions:
        with suppress(NotQuotable):
            edition = shelf.edition(version)
            current = "current" if version == shelf.current.version else ""
            line = f"{version:13} {edition.digest} {current}".rstrip()
            out.print(line, highlight=False, soft_wrap=True)
    if shelf.standing.refused:
        fail("\n".join(f"{one.name}: {one.words}" for one in shelf.standing.refused))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
