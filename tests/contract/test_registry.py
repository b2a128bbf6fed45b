"""Metrics, alerts, problems and warnings: one page has them all, and each of them can occur."""

from pathlib import Path

import pytest

from lab.registry import PAGE, alerts, metric_rows, registry_page
from service.api.refusing.problems import DOMAIN, KINDS
from service.core.answer.warnings import WARNINGS
from service.quoting import Quoting
from tests.requests import R1
from tests.server import start_service
from tests.wire import HOST, connected, said, sent

TESTS = Path(__file__).parents[1]
RAW = {
    "http-version": b"GET /livez HTTP/2.0\r\n" + HOST + b"\r\n",
    "address-too-long": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "head-too-large": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    "expectation-failed": b"POST /quote HTTP/1.1\r\n" + HOST + b"Expect: wonders\r\n\r\n",
    "unreadable-request": b"GET /livez HTTP/1.1\r\n\r\n",
}
SUPPLIES = {
    "unknown-offer": {"kind": "offer", "id": "nothing-of-the-kind"},
    "unknown-book-rate": {"kind": "book", "name": "nothing-of-the-kind"},
}
BROKEN = "internal-error"
HERE = {*RAW, *SUPPLIES, BROKEN}


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def test_the_page_is_what_the_code_makes():
    assert PAGE.read_text() == registry_page(), "run: python -m lab registry"


def test_the_page_has_everything():
    page = PAGE.read_text()
    for name in (*alerts(), *(kind.uri for kind in KINDS.values()), *WARNINGS):
        assert f"`{name}`" in page or f"[{name}]" in page
    assert len(metric_rows()) > 30


@pytest.mark.parametrize("slug", RAW)
def test_what_the_server_refuses_occurs(slug, service):
    with connected(service) as one:
        sent(one, RAW[slug])
        assert f"/problems/{slug}".encode() in said(one)


@pytest.mark.parametrize("slug", SUPPLIES)
def test_what_the_catalog_does_not_know_occurs(slug, service):
    body = R1 | {"cluster": R1["cluster"] | {"supply": SUPPLIES[slug]}}
    assert service.client.post("/quote", json=body).json()["type"] == f"/problems/{slug}"


@pytest.mark.anyio
async def test_a_mistake_of_our_own_occurs(monkeypatch):
    from tests.replica import replica_of

    def failing(*_, **__):
        raise RuntimeError("made for this test")

    monkeypatch.setattr(Quoting, "posed", failing)
    async with replica_of() as replica:
        answer = await replica.ask(None, "POST", "/quote", json=R1)
    assert (answer.status_code, answer.json()["type"]) == (500, f"/problems/{BROKEN}")


def test_every_other_kind_of_problem_is_met_in_a_test():
    """By its slug or its address, or the error of the domain that is refused so."""
    passed_over = {Path(__file__).name, "test_problems.py"}
    text = "".join(path.read_text() for path in TESTS.rglob("*.py") if path.name not in passed_over)
    errors = {kind.slug: error.__name__ for error, kind in DOMAIN.items()}
    missing = {
        slug
        for slug in KINDS
        if f'"{slug}"' not in text
        and f"problems/{slug}" not in text
        and errors.get(slug, "\0") not in text
    }
    assert missing - HERE == set()


def test_every_metric_is_on_the_page_of_metrics(service):
    service.client.post("/quote", json=R1)
    text = service.client.get("/metrics").text
    for row in metric_rows():
        name = row.split("`")[1]
        assert f"# TYPE {name}" in text, name


@pytest.fixture
def anyio_backend():
    return "asyncio"
