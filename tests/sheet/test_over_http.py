"""Forms and parts of a quote over HTTP: by `Accept`, by address, and for who filed one."""

import json

import pytest

from service.sheet.forms import CSV, HTML, MARKDOWN, SUMMARY, XLSX
from tests.requests import R1
from tests.server import start_service

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


@pytest.fixture(scope="module")
def id(service):
    return post(service, R1).json()["id"]


def post(service, body, path="/quote", **headers):
    headers = {"content-type": "application/json", **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.client.post(path, content=content, headers=headers)


def get(service, path, accept=None, **params):
    headers = {} if accept is None else {"accept": accept}
    return service.client.get(path, params=params or None, headers=headers)


@pytest.mark.parametrize(
    ("accept", "form", "kind"),
    [
        (BROWSER, "html", HTML),
        (CSV, "csv", CSV),
        (MARKDOWN, "markdown", MARKDOWN),
        (XLSX, "xlsx", XLSX),
        ("application/json", "json", "application/json"),
    ],
)
def test_a_form_is_named_by_accept_or_by_address(service, id, accept, form, kind):
    path = f"/quote/{id}"
    by_accept, by_address = get(service, path, accept), get(service, path, format=form)
    assert by_accept.status_code == by_address.status_code == 200
    assert by_accept.content == by_address.content
    assert by_accept.headers["content-type"].startswith(kind)
    assert "accept" in by_accept.headers["vary"]
    tag = {"if-none-match": by_accept.headers["etag"], "accept": accept}
    assert service.client.get(path, headers=tag).status_code == 304
    posted = post(service, R1, accept=accept)
    assert posted.content == by_accept.content
    assert posted.headers["content-location"] == path


def test_json_is_what_it_was_for_all_others(service, id):
    stored = get(service, f"/quote/{id}", "*/*").content
    assert stored == post(service, R1).content
    assert stored == get(service, f"/quote/{id}", format="json").content
    assert get(service, f"/quote/{id}", "application/pdf").status_code == 406
    assert get(service, f"/quote/{id}", format="pdf").status_code == 400
    assert post(service, R1, accept="image/png").status_code == 406


def test_a_page_says_what_it_may_load_and_for_whom_it_is(service, id):
    page = get(service, f"/quote/{id}", BROWSER, title="Offer 7", buyer="ACME", start="2027-01-15")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'sha256-" in policy
    assert "script-src" not in policy
    for words in ("<h1>Offer 7</h1>", "ACME", "from 2027-01-15 until 2027-01-26"):
        assert words in page.text
    asked = R1 | {"title": "Offer 7", "buyer": "ACME", "start": "2027-01-15"}
    answer = post(service, asked)
    assert answer.json()["id"] == id
    assert answer.json()["heading"] == {"title": "Offer 7", "buyer": "ACME"}
    assert get(service, answer.headers["content-location"], BROWSER).text == page.text
    assert get(service, f"/quote/{id}", title="a\nb").status_code == 400
    assert post(service, R1 | {"note": "x" * 281}).status_code == 422


def test_a_file_has_a_name(service, id):
    said = get(service, f"/quote/{id}", format="xlsx").headers["content-disposition"]
    assert said == f'attachment; filename="quote-{id[2:14]}.xlsx"'
    shown = get(service, f"/quote/{id}", BROWSER).headers["content-disposition"]
    assert shown.startswith("inline;")


def test_a_summary_is_small_and_says_what_the_quote_says(service, id):
    short = get(service, f"/quote/{id}", view="summary")
    assert short.headers["content-type"].startswith(SUMMARY)
    assert len(short.content) < 4096
    whole = get(service, f"/quote/{id}").json()
    for bill, said in zip(short.json()["bases"], whole["bases"], strict=True):
        assert bill["total"] == said["total"]
        assert bill["interval"] == said["interval"]
    assert get(service, f"/quote/{id}", SUMMARY).content == short.content


def test_parts_stand_below_the_quote(service, id):
    lines = get(service, f"/quote/{id}/lines", basis="rental").json()
    assert [one["line"]["amount"] for one in lines["lines"]] == [
        *("202000.00", "10000.00", "82000.00"),
    ]
    one = get(service, f"/quote/{id}/figures/assumptions/owned.life_years").json()
    assert one["figure"]["unit"] == "year"
    assert one["moves"]["owned"] > 0.05
    assert (
        one["name"] in get(service, f"/quote/{id}/figures", prefix="assumptions/").json()["figures"]
    )
    lost = get(service, f"/quote/{id}/figures/assumptions/owned.life")
    assert lost.status_code == 404
    assert "assumptions/owned.life_years" in lost.json()["errors"][0]["nearest"]
    assert get(service, "/quote/q_0/lines").json()["type"] == "/problems/quote-not-kept"


def test_focus_is_asked_for_by_bill_and_version(service, id):
    rows = get(service, f"/quote/{id}/focus", start="2027-01-25", basis="owned")
    assert rows.headers["content-type"].startswith(CSV)
    assert "2027-02-01T00:00:00Z" in rows.text
    newer = get(service, f"/quote/{id}/focus", version="1.4").text
    assert "HostProviderName" in newer
    assert get(service, f"/quote/{id}/focus", version="1.0").status_code == 400
    only = R1 | {"options": {"bases": ["rental"]}}
    other = post(service, only).json()["id"]
    lacking = get(service, f"/quote/{other}/focus", basis="owned")
    assert lacking.status_code == 409
    assert lacking.json()["type"] == "/problems/bill-not-whole"


def test_a_filed_quote_is_verified(service):
    answer = post(service, R1 | {"start": "2027-01-15", "title": "Offer 7"}).content
    found = post(service, answer, "/quote/verify").json()
    assert (found["verdict"], found["same_bytes"]) == ("same", True)
    forged = answer.replace(b'"rate":"2.00","amount":"202000.00"', b'"rate":"2.00","amount":"2.00"')
    found = post(service, forged, "/quote/verify").json()
    assert found["verdict"] == "differs"
    assert found["first_difference"] == {
        "pointer": "/bases/0/lines/0/amount",
        "filed": '"2.00"',
        "answered": '"202000.00"',
    }
    broken = json.loads(answer)
    broken["request"]["cluster"]["devices"] = -1
    refused = post(service, broken, "/quote/verify")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/request/cluster/devices"
    assert post(service, b"{}", "/quote/verify").status_code == 422
    assert post(service, b"{", "/quote/verify").status_code == 400
    assert service.client.get("/quote/verify").status_code == 405
