"""GET /docs/read/{name} and /docs/search.json: the pages of docs/ that callers read, and an index.

They are made from Markdown when they are first asked for. A link to a page that is not served is
plain text here.
"""

import re
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import Struct

from service.api.contract.reference import GLOSSARY
from service.api.http.pages import framed
from service.api.refusing.problems import KINDS

PAGES: Final = {
    "recipes-for-callers": "Recipes",
    "formulas": "Formulas",
    "compatibility": "Compatibility",
    "warnings": "Warnings and what to do",
    "command-line": "The command line",
    "agents": "Tools for agents",
    "claims": "How a claim is judged",
    "decisions": "Comparing and solving",
    "differences": "Why two quotes differ",
    "batches": "Many quotes at once",
    "market": "The market's price",
    "intervals": "How intervals are drawn",
    "currencies": "Other currencies",
    "described-devices": "A device of your own",
    "focus": "FOCUS",
    "access": "Keys and quotas",
}
"""Pages by the name of their file, and what the contract's page calls them."""
FOLDERS: Final = (
    Path(__file__).parents[1] / "published" / "docs",
    Path(__file__).parents[3] / "docs",
)
"""Where they may lie: in an installed package, or in a checkout."""
LONGEST_WORDS: Final = 160
SERVED: Final = re.compile(r"^(?P<name>[a-z-]+)\.md(?P<part>#.*)?$")


class Entry(Struct, frozen=True, kw_only=True):
    """A place that is found by words: its title, its address below the service, and its begin."""

    title: str
    at: str
    words: str = ""


class Read(Struct, frozen=True, kw_only=True):
    """A page as HTML, and its sections."""

    html: bytes
    entries: tuple[Entry, ...]


@cache
def read_page(name: str) -> Read:
    """A page of docs/."""
    path = next(path for folder in FOLDERS if (path := folder / f"{name}.md").is_file())
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    entries = tuple(marked_sections(tokens, name))
    for token in tokens:
        if token.type == "inline" and token.children is not None:
            token.children = list(with_served_links(token.children))
    body = tokens[3:]  # the heading of the page is that of its frame
    html = markdown.renderer.render(reachable(body), markdown.options, {})
    title = tokens[1].content.replace("`", "")
    return Read(html=framed(title, html, root="../../").encode(), entries=entries)


def reachable(tokens: list[Token]) -> list[Token]:
    """Blocks that scroll are reached by the keyboard, and no cell has a style of its own."""
    for token in tokens:
        if token.type in {"fence", "table_open"}:
            token.attrSet("tabindex", "0")
        if style := str(token.attrs.pop("style", "")):
            token.attrSet("class", style.rpartition(":")[2])
    return tokens


def marked_sections(tokens: list[Token], name: str) -> Iterator[Entry]:
    """The sections of a page. Each heading gets an id."""
    seen: set[str] = set()
    headings = [i for i, token in enumerate(tokens) if token.type == "heading_open"]
    for place, end in zip(headings, [*headings[1:], len(tokens)], strict=True):
        title = tokens[place + 1].content.replace("`", "")
        id = slug(title)
        while id in seen:
            id += "-"
        seen.add(id)
        tokens[place].attrSet("id", id)
        said = " ".join(one.content for one in tokens[place + 2 : end] if one.type == "inline")
        part = f"#{id}" if place else ""
        yield Entry(title=title, at=f"docs/read/{name}{part}", words=said[:LONGEST_WORDS])


def slug(title: str) -> str:
    """The id of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def with_served_links(tokens: list[Token]) -> Iterator[Token]:
    """Text whose links lead to pages that are served, or to other hosts."""
    kept: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            kept.append(is_served(token))
            if not kept[-1]:
                continue
        elif token.type == "link_close" and not kept.pop():
            continue
        yield token


def is_served(link: Token) -> bool:
    """Whether a link leads somewhere from here. One to another page is made to."""
    target = str(link.attrGet("href"))
    found = SERVED.match(target)
    if found is not None and found["name"] in PAGES:
        link.attrSet("href", found["name"] + (found["part"] or ""))
        return True
    return target.startswith(("https://", "http://", "#"))


@cache
def search_index(operations: tuple[tuple[str, str, str], ...]) -> bytes:
    """What the search of the contract's page looks through.

    `operations` are the id, the title and the description of each.
    """
    entries: list[Entry] = [
        Entry(title=title, at=f"docs#{id}", words=words[:LONGEST_WORDS])
        for id, title, words in operations
    ]
    entries += (Entry(title=word, at="docs#words", words=meaning) for word, meaning in GLOSSARY)
    entries += (
        Entry(title=kind.title, at=f"problems/{kind.slug}", words=kind.meaning[:LONGEST_WORDS])
        for kind in KINDS.values()
    )
    for name in PAGES:
        entries += read_page(name).entries
    return msgspec.json.encode(entries)


def operations_in(contract: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The operations of the contract: id, title and description."""
    return tuple(
        (
            one["operationId"],
            f"{method.upper()} {path}",
            f"{one['summary']} {one.get('description', '')}",
        )
        for path, methods in contract["paths"].items()
        for method, one in methods.items()
        if method in {"get", "post"}
    )


def links_to_pages() -> str:
    """The pages as a list."""
    items = "".join(
        f'<li><a href="docs/read/{name}">{escape(title)}</a></li>' for name, title in PAGES.items()
    )
    return f"<ul>{items}</ul>"
