"""A running service answers as the contract says: its documents, its examples, its refusals."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.api.contract.decisions.examples import COMPARISONS, SOLUTIONS
from service.api.contract.document import exact_schemas
from service.api.contract.examples import CLAIMS, REQUESTS
from service.api.contract.parameters import CATALOG_LISTS
from service.api.http.pages import ASSETS, CONTENT_SECURITY_POLICY
from service.api.refusing.problems import KINDS
from service.core.figures.vocabulary import BASES
from service.local import quote_bytes
from tests.contract.document import PUBLISHED, catalog, component, document, strict
from tests.requests import R1
from tests.server import start_service

SCHEMAS = strict(exact_schemas())
MOST_STAGES = 64
ABOUT = ("/quote/diff", "/reconcile")
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


@pytest.mark.parametrize("example", COMPARISONS, ids=lambda example: example.name)
def test_every_comparison_is_answered_as_the_contract_says(service, example):
    answer = service.client.post("/compare", json=example.request)
    assert answer.status_code == 200
    assert answer.json()["counts"]["feasible"] > 0
    conforms(answer, "/compare", "post")
    again = service.client.get(answer.headers["content-location"])
    assert again.content == answer.content
    conforms(again, "/compare/{id}", "get")
    gone = service.client.get("/compare/k_" + "0" * 64)
    assert gone.json()["type"] == "/problems/comparison-not-kept"
    conforms(gone, "/compare/{id}", "get")


@pytest.mark.parametrize("example", SOLUTIONS, ids=lambda example: example.name)
def test_every_solution_is_answered_as_the_contract_says(service, example):
    answer = service.client.post("/solve", json=example.request)
    assert answer.status_code == 200
    conforms(answer, "/solve", "post")
    found = answer.json()
    assert found["status"] == "solved"
    again = service.client.get(answer.headers["content-location"])
    assert again.content == answer.content
    gone = service.client.get("/solve/s_" + "0" * 64)
    assert gone.json()["type"] == "/problems/solution-not-kept"
    quote = service.client.post("/quote", json=found["quote"]).json()
    if "cost" in found:
        rental = next(bill for bill in quote["bases"] if bill["basis"] == "rental")
        assert rental["total"] == found["cost"]["total"]


@pytest.mark.parametrize("example", CLAIMS, ids=lambda example: example.name)
def test_every_claim_is_judged_as_the_contract_says(service, example):
    answer = service.client.post("/claim", json=example.request)
    assert answer.status_code == 200
    conforms(answer, "/claim", "post")
    again = service.client.get(f"/claim/{answer.json()['id']}")
    assert again.content == answer.content
    conforms(again, "/claim/{id}", "get")


@pytest.mark.parametrize("path", [path for path in document()["paths"] if path in ABOUT])
def test_every_question_about_quotes_is_answered_as_the_contract_says(service, path):
    body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    for example in body["examples"].values():
        answer = service.client.post(path, json=example["value"])
        assert answer.status_code == 200
        conforms(answer, path, "post")


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
        {"json": R1 | {"cluster": R1["cluster"] | {"accelerator": "h1000"}}},
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
                    "accelerator": "h1000",
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
        ("/catalog/accelerators/h1000", "unknown-entry", "/catalog/accelerators/{id}"),
        ("/problems/x", "unknown-entry", "/problems/{slug}"),
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


def test_pages_of_ordered_offers_go_on_where_they_ended(service):
    """Cheapest first in Europe, of a device, three at a time; many have the same price."""
    query = {
        "country": "Europe",
        "accelerator": "nvidia-h100-sxm-80gb",
        "sort": "price_per_device_hour",
    }
    whole = service.client.get("/catalog/offers", params={**query, "limit": "200"})
    conforms(whole, "/catalog/offers", "get")
    ids: list[str] = []
    page: dict[str, Any] = {"next_cursor": None}
    while "next_cursor" in page:
        cursor = {} if page["next_cursor"] is None else {"cursor": page["next_cursor"]}
        page = service.client.get(
            "/catalog/offers", params={**query, **cursor, "limit": "7"}
        ).json()
        ids += [row["id"] for row in page["items"]]
    assert ids == [row["id"] for row in whole.json()["items"]]
    assert len(ids) > 2 * 7


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


def read_all(service, path, **query):
    """All rows of a list, from the first page on by the links between pages."""
    rows = []
    answer = service.client.get(path, params=query)
    total = answer.json()["total"]
    while True:
        assert answer.json()["total"] == total
        rows += answer.json()["items"]
        if "next" not in answer.links:
            assert "next_cursor" not in answer.json()
            assert len(rows) == total
            return rows
        answer = service.client.get(answer.links["next"]["url"])


@pytest.mark.parametrize("listing", CATALOG_LISTS, ids=lambda one: one.path)
def test_a_list_is_sorted_as_asked_and_each_row_stands_in_it_once(service, listing):
    path = f"/catalog/{listing.path}"
    rows = read_all(service, path, limit="200")
    for name in listing.sorts:
        if name == "price_per_device_hour":
            continue  # compared in dollars, whatever the currency of an offer
        for sign in ("", "-"):
            found = read_all(service, path, limit="200", sort=sign + name)
            assert sorted(row["id"] for row in found) == [row["id"] for row in rows]
            values = [row.get(name) for row in found]
            values = [one["value"] if isinstance(one, dict) else one for one in values]
            having = [one for one in values if one is not None]
            assert having == sorted(having, reverse=bool(sign))
            assert all(one is None for one in values[len(having) :])


def test_prices_are_sorted_in_dollars(service):
    found = read_all(
        service, "/catalog/offers", limit="200", accelerator="H200", sort="price_per_device_hour"
    )
    usd = [catalog().usd_by_offer[row["id"]] for row in found]
    assert usd == sorted(usd)
    assert {row["accelerator"] for row in found} == {"nvidia-h200-sxm-141gb"}


def test_a_filter_takes_what_people_write(service):
    plain = service.client.get("/catalog/offers", params={"provider": "gcp"})
    spelled = service.client.get("/catalog/offers", params={"provider": "Google Cloud"})
    assert spelled.content == plain.content
    makers = service.client.get("/catalog/accelerators", params={"vendor": "nvidia"}).json()
    assert makers["total"] > 1


@pytest.mark.parametrize(
    "other", [{}, {"sort": "-id"}, {"provider": "aws"}], ids=["list", "order", "filter"]
)
def test_a_cursor_holds_for_its_own_list_alone(service, other):
    page = service.client.get("/catalog/offers", params={"provider": "gcp", "limit": "1"}).json()
    path = "/catalog/offers" if other else "/catalog/sites"
    query = {"provider": "gcp"} | other | {"cursor": page["next_cursor"]}
    answer = service.client.get(path, params=query)
    assert answer.status_code == 404
    (fault,) = answer.json()["errors"]
    assert (fault["code"], fault["parameter"]) == ("unknown_cursor", "cursor")
    conforms(answer, path, "get")
    assert service.client.get(path, params={"cursor": "zzz"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("accelerators/H100", "nvidia-h100-sxm-80gb"),
        ("models/meta-llama/Llama-3.1-8B", "llama-3.1-8b"),
        ("models/meta-llama%2FLlama-3.1-8B", "llama-3.1-8b"),
        ("sites/Germany", "grid:de"),
    ],
)
def test_an_entry_is_found_by_what_people_call_it(service, path, id):
    answer = service.client.get(f"/catalog/{path}")
    assert answer.json()["id"] == id
    plain = service.client.get(answer.headers["content-location"])
    assert plain.content == answer.content


def test_the_index_and_the_start_page_lead_to_all_there_is(service):
    answer = service.client.get("/catalog")
    conforms(answer, "/catalog", "get")
    lists = answer.json()["lists"]
    assert [one["name"] for one in lists] == [one.path for one in CATALOG_LISTS]
    for one in lists:
        assert service.client.get(one["href"]).json()["total"] == one["total"]
    page = service.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    paths = set(re.findall(r'<a [^>]*href="([^"#]+)"', page.text))
    assert {"ask/compare", "ask/claim", "docs", "catalog", "problems"} <= paths
    for path in paths:
        assert service.client.get(f"/{path}").status_code == 200, path
