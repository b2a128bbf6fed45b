"""Forms of a quote as files: what the service sends, and a PDF by a browser that is found."""

import os
import shutil
import subprocess
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from service.sheet.forms import FORMS, IN_SHORT, made

BROWSERS: Final = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "chrome"),
)
BROWSER: Final = "RUNQUOTE_BROWSER"
PRINT_TIMEOUT_S: Final = 120.0
QUIET: Final = (
    *("--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOW_ELSE: Final = (
    "no Chromium, Chrome or Edge is found to print with; name one in RUNQUOTE_BROWSER, or open "
    "the page of --format html in a browser and print it to a file"
)


class QuoteForm(StrEnum):
    """How a quote is printed."""

    TABLE = "table"
    JSON = "json"
    LINES = "lines"
    SUMMARY = "summary"
    HTML = "html"
    CSV = "csv"
    CSV_EXCEL = "csv-excel"
    XLSX = "xlsx"
    MD = "md"
    PDF = "pdf"


class NoPrinter(RuntimeError):
    """There is no browser that prints a page, or it did not."""


def file_of(body: bytes, form: QuoteForm) -> bytes:
    """A quote as a file. Raises `NoPrinter` for a PDF that cannot be made here."""
    if form is QuoteForm.SUMMARY:
        return made(body, IN_SHORT) + b"\n"
    if form is QuoteForm.PDF:
        return pdf_of(made(body, FORMS["html"]))
    return made(body, FORMS["markdown" if form is QuoteForm.MD else form.value])


def pdf_of(page: bytes) -> bytes:
    """A page as its print style prints it. Raises `NoPrinter`."""
    browser = found_browser()
    with TemporaryDirectory(prefix="runquote-") as folder:
        source, target = Path(folder) / "quote.html", Path(folder) / "quote.pdf"
        source.write_bytes(page)
        command = [
            browser,
            *QUIET,
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - a browser that the caller's PATH or setting names
                command, capture_output=True, timeout=PRINT_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoPrinter(f"{browser} could not print: {error}") from None
        if not target.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NoPrinter(f"{browser} could not print: {' '.join(said) or done.returncode}")
        return target.read_bytes()


def found_browser() -> str:
    """A browser that prints without a window. Raises `NoPrinter`."""
    named = os.environ.get(BROWSER)
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if found is None:
        raise NoPrinter(HOW_ELSE)
    return found
