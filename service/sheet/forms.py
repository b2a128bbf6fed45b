"""The forms of a quote by name: media type, name of the file, and how each is made."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from service.sheet.cells import csv_of
from service.sheet.pages import content_security_policy, html_of, markdown_of
from service.sheet.summary import summary_of
from service.sheet.view import Sheet
from service.sheet.workbook import workbook_of

HTML: Final = "text/html"
CSV: Final = "text/csv"
MARKDOWN: Final = "text/markdown"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SUMMARY: Final = "application/vnd.runquote.summary+json"
CHARSET: Final = "; charset=utf-8"
ID_DIGITS: Final = 12


class Form(Struct, frozen=True, kw_only=True):
    """A form of a quote."""

    media_type: str
    suffix: str
    make: Callable[[Sheet], bytes]
    attached: bool = True
    """Whether a browser keeps it as a file."""
    parameters: str = ""
    """What follows the media type in the header."""

    policy: Callable[[], str] | None = None
    """What the page may load."""

    @property
    def content_type(self) -> str:
        """The media type with its parameters."""
        return self.media_type + self.parameters

    def file_name(self, id: str) -> str:
        """The name under which it is kept."""
        return f"quote-{id[2 : 2 + ID_DIGITS]}.{self.suffix}"


FORMS: Final[Mapping[str, Form]] = {
    "html": Form(
        media_type=HTML,
        suffix="html",
        make=html_of,
        attached=False,
        parameters=CHARSET,
        policy=content_security_policy,
    ),
    "csv": Form(
        media_type=CSV, suffix="csv", make=csv_of, parameters="; charset=utf-8; header=present"
    ),
    "csv-excel": Form(
        media_type=CSV,
        suffix="csv",
        make=lambda sheet: csv_of(sheet, excel=True),
        parameters="; charset=utf-8; header=present",
    ),
    "markdown": Form(
        media_type=MARKDOWN, suffix="md", make=markdown_of, attached=False, parameters=CHARSET
    ),
    "xlsx": Form(media_type=XLSX, suffix="xlsx", make=workbook_of),
}
"""By the name that an address or the command line gives."""
IN_SHORT: Final = Form(
    media_type=SUMMARY,
    suffix="json",
    make=lambda sheet: msgspec.json.encode(summary_of(sheet)),
    attached=False,
)
BY_MEDIA_TYPE: Final[Mapping[str, Form]] = {
    SUMMARY: IN_SHORT,
    **{form.media_type: form for name, form in FORMS.items() if name != "csv-excel"},
}


def made(body: bytes, form: Form) -> bytes:
    """An answer in another form: a function of its bytes."""
    return form.make(Sheet(body))
