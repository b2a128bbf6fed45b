"""Pages of the contract and of each kind of problem. They need no outside host."""

import json
from html import escape
from importlib.resources import files
from typing import Final

from msgspec import Struct

from service.api.contract.examples import problem_example
from service.api.contract.reference import reference_page
from service.api.refusing.problems import KINDS, Kind

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
STATIC: Final = files("service.api.http") / "static"


class Asset(Struct, frozen=True):
    """A file that a page needs."""

    path: str
    media_type: str

    def read(self) -> bytes:
        """Its bytes."""
        return STATIC.joinpath(self.path).read_bytes()


ASSETS: Final[dict[str, Asset]] = {
    "ask.css": Asset("ask.css", "text/css"),
    "ask.js": Asset("ask.js", "text/javascript"),
    "asking.js": Asset("asking.js", "text/javascript"),
    "claim.js": Asset("claim.js", "text/javascript"),
    "compare.js": Asset("compare.js", "text/javascript"),
    "docs.js": Asset("docs.js", "text/javascript"),
    "favicon.svg": Asset("favicon.svg", "image/svg+xml"),
    "page.css": Asset("page.css", "text/css"),
    "search.js": Asset("search.js", "text/javascript"),
    "swagger-ui-bundle.js": Asset("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": Asset("swagger-ui/swagger-ui.css", "text/css"),
}
"""Assets by their name under `/docs/assets/`."""


def docs_page(contract: bytes, *, pages: str = "") -> bytes:
    """The contract, as it is published, as a page to read. `pages` lists others, as HTML."""
    return reference_page(json.loads(contract), pages=pages)


def try_page() -> bytes:
    """The contract as a page to try."""
    return STATIC.joinpath("try.html").read_bytes()


def problem_text(kind: Kind) -> str:
    """What a kind of problem means, as plain text."""
    return "\n".join(
        (
            f"{kind.title} ({kind.status})",
            "",
            f"type: {kind.uri}",
            "",
            kind.meaning,
            "",
            f"What to do: {kind.remedy}",
            *(("", f"Codes in `errors`: {', '.join(kind.codes)}") if kind.codes else ()),
            "",
            "For example:",
            "",
            example_text(kind),
            "",
        )
    )


def problem_page(kind: Kind) -> str:
    """What a kind of problem means, as HTML."""
    codes = f"<dt>Codes in <code>errors</code></dt><dd>{code_list(kind)}</dd>" if kind.codes else ""
    return framed(
        kind.title,
        f"<p>Status {kind.status}, type <code>{escape(kind.uri)}</code></p>"
        f"<dl><dt>What it means</dt><dd>{marked(kind.meaning)}</dd>"
        f"<dt>What to do</dt><dd>{marked(kind.remedy)}</dd>{codes}"
        f"<dt>For example</dt><dd><pre>{escape(example_text(kind))}</pre></dd></dl>"
        '<p><a href="../problems">All kinds of problems</a></p>',
        root="../",
    )


def problems_page() -> str:
    """All kinds of problems, as HTML."""
    rows = "".join(
        f'<dt><a href="problems/{kind.slug}">{escape(kind.title)}</a></dt>'
        f"<dd>Status {kind.status}. {marked(kind.meaning)}</dd>"
        for kind in KINDS.values()
    )
    return framed("Problems", f"<dl>{rows}</dl>", root="")


def ask_page(name: str = "ask") -> bytes:
    """A form that asks: for a quote, and leads to the other pages, or of another name."""
    return STATIC.joinpath(f"{name}.html").read_bytes()


def framed(title: str, content: str, *, root: str) -> str:
    """A page around this content. `root` leads from its address to that of the service."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>runquote: {escape(title)}</title>\n"
        f'<link rel="icon" href="{root}docs/assets/favicon.svg" type="image/svg+xml">\n'
        f'<link rel="stylesheet" href="{root}docs/assets/page.css">\n</head>\n<body>\n'
        f'<header class="top"><strong>runquote</strong> <a href="{root}docs">the contract</a> '
        f'<a href="{root}problems">problems</a></header>\n'
        f'<main class="text">\n<h1>{escape(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n'
    )


def marked(text: str) -> str:
    """Text as HTML, with code for the parts between backquotes."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def code_list(kind: Kind) -> str:
    """The codes of a kind, as HTML."""
    return ", ".join(f"<code>{code}</code>" for code in kind.codes)


def example_text(kind: Kind) -> str:
    """A problem of this kind, as the service answers it."""
    return json.dumps(problem_example(kind.slug), indent=2, ensure_ascii=False)
