"""The pages need nothing from another host, and a strict policy sees to it."""

import hashlib
import json
import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from service.api.http.documents import published
from service.api.http.pages import (
    ASSETS,
    CONTENT_SECURITY_POLICY,
    ask_page,
    docs_page,
    problem_page,
    problem_text,
    problems_page,
    try_page,
)
from service.api.http.reading import (
    PAGES,
    links_to_pages,
    operations_in,
    read_page,
    search_index,
)
from service.api.refusing.problems import KINDS

PATHS = {
    *("/openapi.json", "/openapi.yaml", "/docs", "/docs/try", "/problems"),
    *("/", "/ask/compare", "/ask/claim", "/catalog", "/readyz"),
}
SHA256_OF_VENDORED = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "a6a4cf68f069eb89984d5d43644e6a812e749df08d2b1320c6e06e6973847d10",
}


class References(HTMLParser):
    """Everything that a page loads or leads to, and whatever stands inline in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.found += [value for name in ("href", "src") if (value := named.get(name))]
        self.inline += [name for name in named if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)


def pages() -> dict[str, str]:
    return {
        "/": ask_page().decode(),
        "/ask/compare": ask_page("compare").decode(),
        "/ask/claim": ask_page("claim").decode(),
        "/docs": docs_page(published("openapi.json"), pages=links_to_pages()).decode(),
        "/docs/try": try_page().decode(),
        "/problems": problems_page(),
        **{kind.uri: problem_page(kind) for kind in KINDS.values()},
    }


@pytest.mark.parametrize("path", sorted(pages()))
def test_a_page_refers_to_this_service_only_and_has_nothing_inline(path):
    references = References(pages()[path])
    assert references.found
    assert references.inline == []
    for reference in references.found:
        parts = urlsplit(reference)
        assert not parts.scheme
        assert not parts.netloc
        target = urljoin(path, reference).partition("#")[0]
        assert (
            target in PATHS
            or target.removeprefix("/docs/assets/") in ASSETS
            or target.removeprefix("/problems/") in KINDS
            or target.removeprefix("/docs/read/") in PAGES
        ), target


def test_the_policy_names_no_host_and_allows_nothing_inline():
    for directive in CONTENT_SECURITY_POLICY.split(";"):
        _, *sources = directive.split()
        assert set(sources) <= {"'none'", "'self'", "data:"}
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_assets_are_there_and_styles_load_nothing(name):
    content = ASSETS[name].read()
    assert content
    if ASSETS[name].media_type == "text/css":
        sources = re.findall(rb"url\(([^)]*)\)|@import", content)
        assert all(source.strip(b"'\"").startswith(b"data:") for source in sources)


def test_a_problem_page_says_what_it_means_what_to_do_and_shows_one():
    for kind in KINDS.values():
        text = problem_text(kind)
        assert kind.meaning in text
        assert kind.remedy in text
        assert f'"type": "{kind.uri}"' in text
        assert f"&quot;type&quot;: &quot;{kind.uri}&quot;" in problem_page(kind)


@pytest.mark.parametrize("name", sorted(SHA256_OF_VENDORED))
def test_vendored_files_are_those_that_were_reviewed(name):
    assert hashlib.sha256(ASSETS[name].read()).hexdigest() == SHA256_OF_VENDORED[name]


def ids_in(text: str) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', text))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_documentation_loads_nothing_foreign_and_leads_where_it_says(name):
    text = read_page(name).html.decode()
    references = References(text)
    assert references.inline == []
    for reference in references.found:
        if reference.startswith("https://"):
            assert f'<a href="{reference}"' in text
            continue
        path, _, part = urljoin(f"/docs/read/{name}", reference).partition("#")
        other = path.removeprefix("/docs/read/")
        assert path in PATHS or path.removeprefix("/docs/assets/") in ASSETS or other in PAGES, (
            reference
        )
        if part and other in PAGES:
            assert part in ids_in(read_page(other).html.decode()), reference


def test_the_search_finds_operations_words_problems_and_sections_where_they_are():
    contract = json.loads(published("openapi.json"))
    entries = json.loads(search_index(operations_in(contract)))
    by_title = {one["title"]: one["at"] for one in entries}
    assert by_title["POST /quote"] == "docs#createQuote"
    assert by_title["MFU, goodput"] == "docs#words"
    assert by_title["train_flop_per_token_causal"].startswith("docs/read/formulas#")
    assert by_title["Which cluster for a deadline"].startswith("docs/read/recipes-for-callers#")
    assert by_title["How a removal is announced"].startswith("docs/read/compatibility#")
    assert by_title[KINDS["quota-exceeded"].title] == "problems/quota-exceeded"
    docs = ids_in(docs_page(published("openapi.json")).decode())
    for at in by_title.values():
        page, _, part = at.partition("#")
        if page == "docs":
            assert part in docs
        elif part:
            assert part in ids_in(read_page(page.removeprefix("docs/read/")).html.decode())
