"""Quotes over HTTP, from a real server: the disclosure, identity, keeping, and bad input."""

import json
from decimal import Decimal

import pytest

from tests.requests import R1, V3
from tests.server import start_service


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def post(service, body, **headers):
    headers = {"content-type": "application/json"} | headers
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.client.post("/quote", content=content, headers=headers)


def test_the_r1_disclosure_is_quoted_line_by_line(service):
    quote = post(service, R1).json()
    (rental,) = (bill for bill in quote["bases"] if bill["basis"] == "rental")
    assert [line["amount"] for line in rental["lines"]] == ["202000.00", "10000.00", "82000.00"]
    assert rental["total"] == {"amount": "294000.00", "currency": "USD"}


def test_the_v3_report_is_quoted_to_the_cent(service):
    (rental,) = (b for b in post(service, V3).json()["bases"] if b["basis"] == "rental")
    assert rental["total"]["amount"] == "5576000.00"


def on_base(id):
    return R1 | {"accounting": {"base_model": {"kind": "quote", "id": id}}}


def test_a_kept_quote_may_be_the_base_model_of_another(service):
    issued = post(service, V3).json()
    base = issued["id"]
    quote = post(service, on_base(base)).json()
    (loaded,) = (bill for bill in quote["bases"] if bill["basis"] == "fully_loaded")
    (line,) = (line for line in loaded["lines"] if line["item"] == "base_model")
    assert (line["amount"], line["label"]) == ("5576000.00", base)
    (bridge,) = (b for b in quote["bridges"] if b["end_basis"] == "fully_loaded")
    assert bridge["steps"][0]["running_total"] == "5870000.00"
    (development,) = (one for one in loaded["lines"] if one["item"] == "base_model_development")
    whole = {bill["basis"]: bill for bill in issued["bases"]}
    of_base = Decimal(whole["fully_loaded"]["total"]["amount"])
    assert Decimal(line["amount"]) + Decimal(development["amount"]) == of_base


def test_a_base_quote_keeps_the_spread_that_it_had(service):
    base = post(service, R1).json()
    kept = {bill["basis"]: [float(one) for one in bill["outcomes"]] for bill in base["bases"]}
    quote = post(service, on_base(base["id"])).json()
    (loaded,) = (bill for bill in quote["bases"] if bill["basis"] == "fully_loaded")
    (development,) = (x for x in loaded["lines"] if x["item"] == "base_model_development")
    beyond = sorted(
        whole - rental for whole, rental in zip(kept["fully_loaded"], kept["rental"], strict=True)
    )
    figure = quote["figures"][development["figures"][2]]
    assert figure["low"] == pytest.approx((beyond[0] + beyond[1]) / 2)
    assert figure["high"] == pytest.approx((beyond[-2] + beyond[-1]) / 2)
    assert float(development["interval"]["p10"]) < figure["value"]
    assert float(development["interval"]["p90"]) > figure["value"]


def in_currency(request, currency):
    return request | {"options": {"currency": currency}}


def line_of(quote, item):
    (loaded,) = (bill for bill in quote["bases"] if bill["basis"] == "fully_loaded")
    (line,) = (line for line in loaded["lines"] if line["item"] == item)
    return line


def test_a_base_quote_in_euros_is_taken_as_it_is_in_euros_and_converted_once_in_dollars(service):
    base = post(service, in_currency(V3, "EUR")).json()
    total = base["bases"][0]["total"]
    assert total["currency"] == "EUR"
    rate = base["figures"]["currencies/usd_per_eur"]["value"]
    euros, dollars = (
        post(service, in_currency(on_base(base["id"]), code)).json() for code in ("EUR", "USD")
    )
    assert line_of(euros, "base_model")["amount"] == total["amount"]
    assert float(line_of(dollars, "base_model")["amount"]) == pytest.approx(
        float(total["amount"]) * rate, abs=0.01
    )
    yen = post(service, in_currency(on_base(base["id"]), "JPY")).json()
    per_yen = yen["figures"]["currencies/usd_per_jpy"]["value"]
    assert float(line_of(yen, "base_model")["amount"]) == pytest.approx(
        float(total["amount"]) * rate / per_yen, abs=1
    )


def test_a_base_model_that_is_not_kept_is_a_conflict_that_points_at_it(service):
    answer = post(service, on_base("q_" + "ab" * 32))
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "/problems/base-quote-not-kept"
    assert problem["errors"][0]["pointer"] == "/accounting/base_model/id"


def test_only_the_bases_that_are_asked_for_are_answered(service):
    quote = post(service, R1 | {"options": {"bases": ["owned", "rental"]}}).json()
    assert [bill["basis"] for bill in quote["bases"]] == ["rental", "owned"]
    assert len(quote["bridges"]) == 1


def test_an_unknown_site_or_base_run_is_named_with_its_neighbours(service):
    lost = R1 | {"cluster": R1["cluster"] | {"site": {"id": "us-east-1"}}}
    problem = post(service, lost).json()
    assert problem["type"] == "/problems/unknown-site"
    assert "aws:us-east-1" in problem["errors"][0]["nearest"]
    strange = R1 | {"accounting": {"base_model": {"kind": "runs", "ids": ["deepseek-v3"]}}}
    problem = post(service, strange).json()
    assert problem["errors"][0]["pointer"] == "/accounting/base_model/ids/0"
    assert "deepseek-v3-pretrain" in problem["errors"][0]["nearest"]


def test_a_kept_quote_is_read_again_byte_for_byte(service):
    posted = post(service, R1)
    read = service.client.get(posted.headers["content-location"])
    assert read.status_code == 200
    assert read.content == posted.content
    encoding = read.headers["content-encoding"]
    assert encoding in {"zstd", "br"}  # by Brotli if other tests have asked for it too
    assert read.headers["etag"] == f'"{posted.json()["id"]}-{encoding}"'


def test_a_quote_that_is_not_kept_says_to_post_again(service):
    answer = service.client.get("/quote/q_" + "0" * 64)
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/quote-not-kept"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_matching_etag_gives_304_without_a_body(service):
    posted = post(service, R1)
    path = posted.headers["content-location"]
    etag = service.client.get(path).headers["etag"]
    for sent in (etag, f'"other", {etag}', "*", f"W/{etag}"):
        answer = service.client.get(path, headers={"if-none-match": sent})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert service.client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_head_answers_wherever_get_does(service):
    posted = post(service, R1)
    pages = ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/catalog/accelerators")
    for path in (posted.headers["content-location"], *pages):
        head, get = service.client.head(path), service.client.get(path)
        assert head.status_code == get.status_code == 200, path
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"]


def test_a_request_id_goes_in_and_out(service):
    assert post(service, R1, **{"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert post(service, R1, **{"x-request-id": "a b"}).headers["x-request-id"] != "a b"
    assert "memory;dur=" in post(service, R1).headers["server-timing"]


def test_the_same_question_has_the_same_id_and_bytes_however_it_is_written(service):
    first = post(service, R1)
    reordered = json.dumps({key: R1[key] for key in reversed(R1)}).encode()
    spelled = json.dumps(R1).replace("101000", "1.01e5").replace("512", "512.0").encode()
    stage = R1["run"]["stages"][0] | {"repeat": 1}
    explicit = R1 | {"run": R1["run"] | {"stages": [stage, *R1["run"]["stages"][1:]]}}
    for body in (reordered, spelled, explicit):
        again = post(service, body)
        assert again.content == first.content


def test_another_process_with_another_hash_seed_gives_the_same_bytes(service):
    market = {
        "run": {"name": "m", "stages": [{"name": "s", "work": {"kind": "compute", "flop": 1e24}}]},
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1024},
    }
    with start_service(PYTHONHASHSEED="4242") as other:
        for request in (R1, V3, market):
            assert post(other, request).content == post(service, request).content


def test_a_second_post_is_answered_from_memory(service):
    body = R1 | {"run": R1["run"] | {"name": "asked twice"}}
    assert "computed;dur" in post(service, body).headers["server-timing"]
    assert "memory;dur" in post(service, body).headers["server-timing"]


BAD = {
    "not JSON": (b"{", 400),
    "empty": (b"", 400),
    "NaN": (json.dumps(R1).replace("101000", "NaN").encode(), 400),
    "infinity": (json.dumps(R1).replace("101000", "1e999").encode(), None),
    "invalid UTF-8": (json.dumps(R1).encode().replace(b"R1-Zero", b"\xff\xfe"), 400),
    "lone surrogate": (json.dumps(R1).replace("R1-Zero", "\\ud800").encode(), 400),
    "deep nesting": (b"[" * 10_000 + b"]" * 10_000, None),
    "deep nesting of members": (b'{"run":' * 10_000 + b"1" + b"}" * 10_000, None),
    "duplicate key": (json.dumps(R1).replace('"run"', '"run": {}, "run"', 1).encode(), 400),
    "an array": (b"[]", None),
    "wrong type": (json.dumps(R1).replace("101000", '"many"').encode(), 422),
    "unknown member": (json.dumps(R1 | {"speed": 1}).encode(), 422),
    "too large": (b" " * (2**20 + 1), 413),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_clear_problem_and_never_a_500(service, case):
    body, status = BAD[case]
    answer = post(service, body)
    assert answer.status_code == status if status else answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("/problems/")
    assert problem["title"]
    assert problem["detail"]
    page = service.client.get(problem["type"])
    assert page.status_code == 200


def test_every_error_is_reported_at_once_with_its_pointer(service):
    body = {
        "run": {"name": "", "stages": [{"name": "s", "work": {"kind": "metered"}, "extra": 1}]},
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1.5},
    }
    pointers = {error["pointer"] for error in post(service, body).json()["errors"]}
    assert pointers >= {"/run/name", "/cluster/devices"}
    assert any(pointer.startswith("/run/stages/0/work") for pointer in pointers)
    assert any(pointer.startswith("/run/stages/0/extra") for pointer in pointers)


def test_an_unknown_accelerator_names_its_neighbours_and_is_never_guessed(service):
    body = R1 | {"cluster": R1["cluster"] | {"accelerator": "nvidia-h800-nvl"}}
    answer = post(service, body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/unknown-accelerator"
    assert "nvidia-h800-sxm-80gb" in problem["detail"]
    assert problem["errors"][0]["pointer"] == "/cluster/accelerator"


AS_WRITTEN = {
    "case": {"accelerator": "NVIDIA-H800-SXM-80GB"},
    "what print says": {"accelerator": "H800"},
    "what a driver prints": {"accelerator": "NVIDIA H800 80GB HBM3"},
}


@pytest.mark.parametrize("cluster", AS_WRITTEN.values(), ids=AS_WRITTEN)
def test_a_request_has_one_quote_however_its_names_are_spelled(service, cluster):
    plain = post(service, R1)
    spelled = post(service, R1 | {"cluster": R1["cluster"] | cluster})
    assert spelled.status_code == 200
    assert spelled.content == plain.content
    assert spelled.headers["content-location"] == f"/quote/{plain.json()['id']}"


def test_names_are_read_wherever_they_stand(service):
    """A model, a seller, a region, a site, runs of a base and the device of a measurement."""

    def body(*names):
        model, seller, region, site, run, device = names
        spot = {"kind": "market", "provider": seller, "region": region}
        cluster = {"accelerator": device, "devices": 8, "supply": spot, "site": {"id": site}}
        work = {"kind": "pretraining", "model": {"kind": "preset", "id": model}, "tokens": 1e10}
        known = {"kind": "metered", "device_hours": 10, "measured_on": device}
        return {
            "run": {
                "name": "a run",
                "stages": [{"name": "a", "work": work}, {"name": "b", "work": known}],
            },
            "cluster": cluster,
            "accounting": {"base_model": {"kind": "runs", "ids": [run]}},
        }

    plain = post(
        service,
        body(
            "llama-3.1-8b",
            "azure",
            "eastus",
            "azure:eastus",
            "deepseek-v3-pretrain",
            "nvidia-h100-sxm-80gb",
        ),
    )
    assert plain.status_code == 200
    assert (
        plain.content
        == post(
            service,
            body(
                "meta-llama/Meta-Llama-3.1-8B-Instruct",
                "Microsoft Azure",
                "East US",
                "Azure:East US",
                "DeepSeek V3 pretrain",
                "H100 SXM5",
            ),
        ).content
    )


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/jsonx"])
def test_another_media_type_is_refused(service, content_type):
    assert post(service, R1, **{"content-type": content_type}).status_code == 415


def test_a_charset_of_utf8_is_no_other_media_type(service):
    content_type = "application/json; charset=UTF-8"
    assert post(service, R1, **{"content-type": content_type}).status_code == 200


def test_an_answer_that_is_not_acceptable_is_refused(service):
    assert post(service, R1, accept="image/png").status_code == 406
    assert post(service, R1, accept="application/json;q=0.5, */*;q=0.1").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/quote"), ("POST", "/docs"), ("DELETE", "/livez")]
)
def test_a_wrong_method_names_the_right_ones(service, method, path):
    answer = service.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.json()["type"] == "/problems/method-not-allowed"


def test_a_base_quote_without_the_total_of_its_scope_leaves_the_line_unpriced(service):
    alone = post(service, V3 | {"options": {"bases": ["rental"]}}).json()["id"]
    quote = post(service, on_base(alone)).json()
    (loaded,) = (bill for bill in quote["bases"] if bill["basis"] == "fully_loaded")
    (line,) = (line for line in loaded["lines"] if line["item"] == "base_model")
    assert line["status"] == "unpriced"
    assert "no fully loaded total" in line["detail"]
    base = {"kind": "quote", "id": alone, "scope": "rental"}
    quote = post(service, R1 | {"accounting": {"base_model": base}}).json()
    (loaded,) = (bill for bill in quote["bases"] if bill["basis"] == "fully_loaded")
    assert loaded["total"]["amount"] == "7246204.52"
