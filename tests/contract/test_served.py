"""A running service answers as the contract says: its documents, its examples, its refusals."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.api.contract.document import exact_schemas
from service.api.contract.examples import CLAIMS, REQUESTS
from service.api.http.pages import ASSETS, CONTENT_SECURITY_POLICY
from service.api.refusing.problems import KINDS
from service.core.figures.vocabulary import BASES
from service.local import quote_bytes
from tests.contract.document import PUBLISHED, catalog, component, document, strict
from tests.requests import R1
from tests.server import start_service

SCHEMAS = strict(exact_schemas())
MOST_STAGES = 64
JSON_HEADERS = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def judge(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}})


def conforms(response: Any, path: str, method: str) -> None:
    """The answer is one that the contract lists: status, media type, headers and body."""
    operation = document()["paths"][path][method]
    listed = component(operation["responses"][str(response.status_code)])
    assert set(map(str.lower, listed["headers"])) <= set(response.headers)
    media_type = response.headers["content-type"].partition(";")[0]
    schema = listed["content"][media_type]["schema"]
    if media_type.endswith("json"):
        assert [error.message for error in judge(schema).iter_errors(response.json())] == []


@pytest.mark.parametrize("name", ["openapi.json", "openapi.yaml"])
def test_the_contract_is_served_byte_for_byte(service, name):
    answer = service.client.get(f"/{name}")
    assert answer.content == (PUBLISHED / name).read_bytes()
    assert (
        service.client.get(
            f"/{name}", headers={"if-none-match": answer.headers["etag"]}
        ).status_code
        == 304
    )


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: example.name)
def test_every_example_is_answered_as_the_contract_says(service, example):
    answer = service.client.post("/quote", json=example.request)
    assert answer.status_code == 200
    conforms(answer, "/quote", "post")
    again = service.client.get(f"/quote/{answer.json()['id']}")
    assert again.content == answer.content
    conforms(again, "/quote/{id}", "get")


@pytest.mark.parametrize("example", CLAIMS, ids=lambda example: example.name)
def test_every_claim_is_judged_as_the_contract_says(service, example):
    answer = service.client.post("/claim", json=example.request)
    assert answer.status_code == 200
    conforms(answer, "/claim", "post")
    again = service.client.get(f"/claim/{answer.json()['id']}")
    assert again.content == answer.content
    conforms(again, "/claim/{id}", "get")


def anchored(tokens_per_s_per_device: float) -> dict[str, Any]:
    """A small pre-training with this speed as its anchor."""
    work = {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": "llama-3.1-8b"},
        "tokens": 1e12,
        "anchor": {
            "tokens_per_s_per_device": tokens_per_s_per_device,
            "devices": 8,
            "layout": {"zero_stage": 3},
        },
    }
    return R1 | {"run": {"name": "anchored", "stages": [{"name": "one", "work": work}]}}


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("unreadable-json", {"content": b"", "headers": JSON_HEADERS}),
    "not JSON": ("unreadable-json", {"content": b"{", "headers": JSON_HEADERS}),
    "nesting": ("unreadable-json", {"content": b"[" * 10_000, "headers": JSON_HEADERS}),
    "too large": ("payload-too-large", {"content": b" " * (2**20 + 1), "headers": JSON_HEADERS}),
    "a form": ("unsupported-media-type", {"data": {"a": "b"}}),
    "no media type": ("unsupported-media-type", {"content": json.dumps(R1).encode()}),
    "XML wanted": ("not-acceptable", {"json": R1, "headers": {"accept": "application/xml"}}),
    "unknown member": ("invalid-request", {"json": R1 | {"a": 1}}),
    "unknown accelerator": (
        "unknown-accelerator",
        {"json": R1 | {"cluster": R1["cluster"] | {"accelerator": "h100"}}},
    ),
    "unknown provider": (
        "unknown-provider",
        {"json": R1 | {"cluster": R1["cluster"] | {"supply": {"kind": "market", "provider": "x"}}}},
    ),
    "a speed above the peak": ("speed-above-peak", {"json": anchored(500_000)}),
    "unknown accelerator and offer": (
        "not-quotable",
        {
            "json": R1
            | {
                "cluster": {
                    "accelerator": "h100",
                    "devices": 1,
                    "supply": {"kind": "offer", "id": "x"},
                }
            }
        },
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_of_a_quote_is_a_problem_of_the_contract(service, name):
    slug, request = REFUSED[name]
    answer = service.client.post("/quote", **request)
    assert answer.json()["type"] == f"/problems/{slug}"
    assert answer.status_code == answer.json()["status"] == KINDS[slug].status
    assert answer.json()["instance"] == f"/requests/{answer.headers['x-request-id']}"
    conforms(answer, "/quote", "post")


@pytest.mark.parametrize(
    ("path", "slug", "operation"),
    [
        ("/catalog/offers?provider=x", "invalid-query", "/catalog/offers"),
        ("/catalog/sites?page=1", "invalid-query", "/catalog/sites"),
        ("/catalog/offers/x?a=1", "invalid-query", "/catalog/offers/{id}"),
        ("/catalog/accelerators/h100", "not-found", "/catalog/accelerators/{id}"),
        ("/problems/x", "not-found", "/problems/{slug}"),
        ("/quote/x", "quote-not-kept", "/quote/{id}"),
    ],
    ids=lambda value: value,
)
def test_every_refusal_of_a_read_is_a_problem_of_the_contract(service, path, slug, operation):
    answer = service.client.get(path)
    assert answer.json()["type"] == f"/problems/{slug}"
    conforms(answer, operation, "get")


def test_an_unknown_path_and_a_wrong_method_are_problems(service):
    assert service.client.get("/nothing").json()["type"] == "/problems/not-found"
    for path, allowed in (("/livez", {"GET", "HEAD", "OPTIONS"}), ("/quote", {"POST", "OPTIONS"})):
        answer = service.client.put(path)
        assert answer.json()["type"] == "/problems/method-not-allowed"
        assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("name", ["accelerators", "offers", "models", "sites", "runs"])
def test_pages_of_a_list_hold_every_row_once_in_order(service, name):
    ids: list[str] = []
    query = {"limit": "100"}
    while True:
        answer = service.client.get(f"/catalog/{name}", params=query)
        conforms(answer, f"/catalog/{name}", "get")
        page = answer.json()
        ids += [row["id"] for row in page["items"]]
        if "next_cursor" not in page:
            break
        query["cursor"] = page["next_cursor"]
    assert ids == sorted(getattr(catalog(), name))
    for entry in (ids[0], ids[-1]):
        conforms(service.client.get(f"/catalog/{name}/{entry}"), f"/catalog/{name}/{{id}}", "get")


def test_pages_and_their_assets_come_with_the_policy(service):
    for path in ("/docs", "/problems", "/problems/not-found"):
        answer = service.client.get(path)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    for name, asset in ASSETS.items():
        answer = service.client.get(f"/docs/assets/{name}")
        assert answer.content == asset.read()
        assert answer.headers["content-type"].partition(";")[0] == asset.media_type
    assert service.client.get("/docs/assets/x").status_code == 404


def test_a_problem_page_is_text_for_those_who_want_text(service):
    answer = service.client.get("/problems/not-found", headers={"accept": "text/plain"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("There is nothing at this address (404)")


def quoted_on(clusters: list[dict[str, Any]], bases: tuple[str, ...]) -> dict[str, Any]:
    """The quote of an hour on each of these clusters, each a stage of one run."""
    work = {"kind": "metered", "device_hours": 1}
    stages = [
        {"name": f"stage {place}", "work": work, "cluster": cluster}
        for place, cluster in enumerate(clusters)
    ]
    request = {
        "run": {"name": "r", "stages": stages},
        "cluster": clusters[0],
        "options": {"bases": bases},
    }
    found: dict[str, Any] = json.loads(quote_bytes(json.dumps(request).encode()))
    return found


def in_runs(clusters: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(clusters), MOST_STAGES):
        yield clusters[start : start + MOST_STAGES]


def test_every_accelerator_is_answered_as_the_contract_says():
    quote = judge({"$ref": "#/components/schemas/Quote"})
    clusters = [{"accelerator": id, "devices": 1} for id in catalog().accelerators]
    for some in in_runs(clusters):
        answer = quoted_on(some, BASES)
        assert [error.message for error in quote.iter_errors(answer)] == []
        assert len(answer["stages"]) == len(some)


def test_every_offer_prices_the_device_that_it_is_for():
    offers = catalog().offers
    clusters = [
        {"accelerator": offer.accelerator, "devices": 8, "supply": {"kind": "offer", "id": id}}
        for id, offer in offers.items()
    ]
    for some in in_runs(clusters):
        (bill,) = quoted_on(some, ("rental",))["bases"]
        lines = [line for line in bill["lines"] if line["item"] == "device_rental"]
        for cluster, line in zip(some, lines, strict=True):
            offer = offers[cluster["supply"]["id"]]
            assert line["status"] == "priced", offer.id
            assert line["detail"].startswith(f"{offer.price_kind} price of {offer.provider}")


def test_every_provider_can_be_asked_for_a_price():
    """There may be none on demand; that is a state."""
    sold = {offer.provider: offer.accelerator for offer in catalog().offers.values()}
    clusters = [
        {"accelerator": id, "devices": 8, "supply": {"kind": "market", "provider": provider}}
        for provider, id in sold.items()
    ]
    for some in in_runs(clusters):
        assert len(quoted_on(some, ("rental",))["stages"]) == len(some)
