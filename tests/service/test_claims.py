"""Claims over HTTP, from a real server: identity, keeping, bad input, and what is counted."""

import json

import pytest

from service.api.contract.examples import CLAIMS, R1_CLAIM, REQUESTS
from service.local import claim_bytes
from tests.requests import V3
from tests.server import start_service


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def post(service, body, path="/claim"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    return service.client.post(path, content=content, headers=headers)


@pytest.mark.parametrize("example", CLAIMS, ids=lambda example: example.name)
def test_every_example_is_judged_with_the_bytes_of_the_command_line(service, example):
    answer = post(service, example.request)
    assert answer.status_code == 200
    assert answer.content == claim_bytes(json.dumps(example.request).encode())
    assert answer.json()["readings"]


def test_the_front_page_claim_is_exact(service):
    judged = post(service, R1_CLAIM.request).json()
    assert judged["verdict"]["verdict"] == "exact"
    assert judged["readings"][0]["total"] == {"amount": "294000.00", "currency": "USD"}
    assert judged["bridge"]["start"]["amount"] == "294000.00"


def test_one_claim_has_one_id_however_it_is_written(service):
    claim = R1_CLAIM.request
    what = claim["what"]
    others = (
        claim | {"amount": {"low": 294000, "high": 294000.0}},
        claim | {"bound": "about", "currency": "USD"},
        claim | {"what": what | {"ids": [*reversed(what["ids"]), what["ids"][0]]}},
        dict(reversed(claim.items())),
    )
    first = post(service, claim)
    assert first.json()["id"].startswith("c_")
    for other in others:
        assert post(service, other).content == first.content
    for other in (claim | {"amount": 294001}, claim | {"said_on": "2025"}):
        assert post(service, other).json()["id"] != first.json()["id"]


def test_a_judged_claim_is_read_again_byte_for_byte(service):
    posted = post(service, R1_CLAIM.request)
    assert posted.headers["content-location"] == f"/claim/{posted.json()['id']}"
    read = service.client.get(posted.headers["content-location"])
    assert (read.status_code, read.content) == (200, posted.content)
    assert read.headers["etag"] == posted.headers["etag"]
    again = service.client.get(
        posted.headers["content-location"], headers={"if-none-match": posted.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_claim_that_is_not_kept_says_to_post_again(service):
    answer = service.client.get("/claim/c_" + "0" * 64)
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/claim-not-kept"


def test_claims_and_quotes_are_not_found_under_each_others_address(service):
    claim = post(service, R1_CLAIM.request).json()["id"]
    quote = post(service, REQUESTS[0].request, "/quote").json()["id"]
    for path in (f"/quote/{claim}", f"/claim/{quote}"):
        assert service.client.get(path).status_code == 404, path


def test_a_body_that_was_a_claim_is_no_quote_and_the_other_way_round(service):
    """The memory of bodies does not mix up what they asked for."""
    for body, path, other in (
        (R1_CLAIM.request, "/claim", "/quote"),
        (REQUESTS[0].request, "/quote", "/claim"),
    ):
        assert post(service, body, path).status_code == 200
        refused = post(service, body, other)
        assert refused.status_code == 422
        assert refused.json()["type"] == "/problems/invalid-request"


def test_a_second_post_is_answered_from_memory(service):
    claim = R1_CLAIM.request | {"amount": 294002}
    assert "computed;dur" in post(service, claim).headers["server-timing"]
    assert "memory;dur" in post(service, claim).headers["server-timing"]


def test_every_error_is_reported_at_once_with_its_pointer(service):
    wrong = {
        "amount": -1,
        "said_on": "2025-02-30",
        "bound": "nearly",
        "scope": "everything",
        "what": {"kind": "runs", "ids": [], "acounting": {}},
    }
    problem = post(service, wrong).json()
    assert {error["pointer"] for error in problem["errors"]} == {
        "/amount",
        "/said_on",
        "/bound",
        "/scope",
        "/what/ids",
        "/what/acounting",
    }


def test_an_unknown_run_is_named_with_its_neighbours(service):
    what = {"kind": "runs", "ids": ["deepseek-v3-pretraining"]}
    problem = post(service, R1_CLAIM.request | {"what": what}).json()
    assert problem["type"] == "/problems/unknown-run"
    assert problem["errors"][0]["pointer"] == "/what/ids/0"
    assert "deepseek-v3-pretrain" in problem["errors"][0]["nearest"]


def based_on(id):
    accounting = {"base_model": {"kind": "quote", "id": id}}
    return R1_CLAIM.request | {"what": R1_CLAIM.request["what"] | {"accounting": accounting}}


def test_a_kept_quote_may_be_the_base_model_of_a_claim(service):
    base = post(service, V3, "/quote").json()["id"]
    judged = post(service, based_on(base)).json()
    (with_base,) = (
        one
        for one in judged["readings"]
        if (one["basis"], one["scope"]) == ("rental_stated", "with_base_model")
    )
    assert with_base["total"]["amount"] == "5870000.00"


def test_a_base_model_that_is_not_kept_is_a_conflict_that_points_at_it(service):
    answer = post(service, based_on("q_" + "ab" * 32))
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["pointer"] == "/what/accounting/base_model/id"


def test_judged_claims_are_counted_by_their_verdict_once(service):
    name = "runquote_claims_total"
    before = service.metric(name, verdict="exact"), service.metric(name, verdict="refused")
    for _ in range(2):
        post(service, R1_CLAIM.request | {"amount": 294003})
    post(service, R1_CLAIM.request | {"what": {"kind": "runs", "ids": ["no-run"]}})
    after = service.metric(name, verdict="exact"), service.metric(name, verdict="refused")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
