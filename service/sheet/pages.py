"""An answer as a page to read and print, and as Markdown for a pull request."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from msgspec import UNSET

from service.core.figures.vocabulary import BasisName, Currency
from service.sheet import words
from service.sheet.charts import Bars, Dots, dots_of, timeline_of, tornado_of, waterfall_of
from service.sheet.kept import KeptBill, KeptCarbon, KeptEnergy, KeptEstimate
from service.sheet.view import Sheet

TEMPLATES: Final = files("service.sheet") / "templates"
LINKS: Final = (
    ("format", "json", "JSON"),
    ("format", "csv", "CSV"),
    ("format", "csv-excel", "CSV for Excel"),
    ("format", "xlsx", "Spreadsheet"),
    ("format", "markdown", "Markdown"),
    ("view", "summary", "Summary"),
)
"""Other forms: parameter, value and words."""
MARKED: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")
"""Characters that mean something in Markdown."""
ENERGY: Final = (
    ("it", "Servers and switches, kWh"),
    ("overhead", "Cooling and losses, kWh"),
    ("facility", "Facility, kWh"),
)
CARBON: Final = (
    ("location_based", "Carbon by the grid's average, kg CO2e"),
    ("market_based", "Carbon by contracts of the operator, kg CO2e"),
    ("marginal", "Carbon of one more kilowatt-hour each, kg CO2e"),
    ("embodied", "Carbon of making the hardware, kg CO2e"),
)


def links_of(sheet: Sheet) -> list[tuple[str, str]]:
    """Queries of the other forms, with what was said beside the quote, and their words."""
    quote = sheet.quote
    said = {} if sheet.start is None else {"start": sheet.start}
    if quote.today is not UNSET:
        said["today"] = quote.today.on
    heading = {name: getattr(quote.heading, name) for name in quote.heading.__struct_fields__}
    said |= {name: words for name, words in heading.items() if words}
    return [(urlencode({name: value, **said}), label) for name, value, label in LINKS]


def dotted(bills: Iterable[KeptBill], currency: Currency) -> list[Dots]:
    """The dots of the bills that have some."""
    return [chart for bill in bills if (chart := dots_of(bill, currency))]


def tornadoes(bills: Iterable[KeptBill], currency: Currency) -> list[Bars]:
    """The drivers of the bills that have some."""
    return [chart for bill in bills if (chart := tornado_of(bill, currency))]


def markdown_text(text: object) -> str:
    """Text that means nothing else in Markdown, in one line."""
    return MARKED.sub(r"\\\1", " ".join(str(text).split()))


def host(url: str) -> str:
    """The host of an address."""
    return urlsplit(url).hostname or url


def basis_in_words(basis: BasisName) -> str:
    """A basis inside a sentence."""
    return words.BASES[basis].lower()


def source_of(name: str) -> str:
    """The text of a template."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """The templates with their filters. What is not escaped by HTML's rules is Markdown."""
    made = Environment(
        loader=FunctionLoader(source_of),
        autoescape=select_autoescape(("html", "svg")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "around": words.around,
        "basis": basis_in_words,
        "dots": dotted,
        "grouped": words.grouped,
        "host": host,
        "leaf": words.leaf,
        "md": markdown_text,
        "money": words.money,
        "named": words.named,
        "number": words.number,
        "quantity": words.quantity,
        "rate": words.rate,
        "span": words.span,
        "tornadoes": tornadoes,
        "unit": words.unit_of,
        "waterfall": waterfall_of,
    }
    made.globals |= {
        "bases": words.BASES,
        "means": words.BASES_MEAN,
        "links_of": links_of,
    }
    return made


@cache
def css() -> str:
    """The style of the page."""
    return source_of("sheet.css")


@cache
def content_security_policy() -> str:
    """The page may load nothing. Its one style is named by its digest, so that it needs no host."""
    digest = b64encode(sha256(css().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    )


def html_of(sheet: Sheet) -> bytes:
    """The page."""

    page = environment().get_template("sheet.html")
    text = page.render(
        sheet=sheet,
        currency=sheet.currency,
        css=Markup(css()),  # noqa: S704 - our own file
        time=timeline_of(sheet.spans),
        energy_rows=list(energy_rows(sheet)),
    )
    return f"{text.strip()}\n".encode()


def energy_rows(sheet: Sheet) -> Iterator[tuple[str, KeptEstimate]]:
    """Energy and carbon with their labels."""
    totals = sheet.quote.totals
    for found, rows in ((totals.energy_kwh, ENERGY), (totals.carbon_kg_co2e, CARBON)):
        if isinstance(found, KeptEnergy | KeptCarbon):
            for name, label in rows:
                estimate = getattr(found, name)
                if estimate is not UNSET:
                    yield label, estimate


def markdown_of(sheet: Sheet) -> bytes:
    """The quote as Markdown."""
    page = environment().get_template("sheet.md")
    text = page.render(sheet=sheet, currency=sheet.currency)
    return f"{re.sub(chr(10) + '{3,}', chr(10) * 2, text).strip()}\n".encode()
