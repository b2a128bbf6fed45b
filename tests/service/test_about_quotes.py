"""Questions about quotes, by HTTP, by the command, and over editions of the catalog."""

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from service.api.contract.about_quotes import DIFFERENCE, RECONCILIATION
from service.api.contract.examples import DEEPSEEK_R1
from service.api.refusing.decoding import decoded
from service.cli import app
from service.core.answer.difference import QuoteDifference
from service.core.request.about_quotes.difference import DifferenceRequest
from service.local import quote_bytes, quoting_over
from service.quoted.difference import difference_of
from tests.layers import day_after
from tests.server import start_service
from tests.service.test_editions import market, overlaid, shelf
from tests.worlds import embedded

R1 = DEEPSEEK_R1.request
ABSENT = "q_" + "0" * 64


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def asked(service, before, after):
    return service.client.post("/quote/diff", json={"before": before, "after": after})


def by_request(request, **more):
    return {"kind": "request", "request": request, **more}


def test_quotes_are_compared_by_id_and_by_request_alike(service):
    dearer = DIFFERENCE["after"]["request"]
    ids = [service.client.post("/quote", json=one).json()["id"] for one in (R1, dearer)]
    named = asked(service, *({"kind": "quote", "id": id} for id in ids))
    spelled = asked(service, by_request(R1), by_request(dearer))
    assert named.status_code == spelled.status_code == 200
    assert named.json() == spelled.json()
    assert named.headers["cache-control"] == "no-store"
    found = named.json()
    assert [found[side]["id"] for side in ("before", "after")] == ids
    rental = found["bases"][0]
    assert rental["change"]["amount"] == rental["parts"]["price"]["amount"] == "73500.00"
    assert rental["parts"]["hours"]["amount"] == "0.00"


def test_a_summary_is_made_again_with_its_lines(service):
    summary = R1 | {"options": {"detail": "summary"}}
    id = service.client.post("/quote", json=summary).json()["id"]
    found = asked(service, {"kind": "quote", "id": id}, by_request(summary)).json()
    assert found["not_compared"] == []
    assert [basis["change"]["amount"] for basis in found["bases"]] == ["0.00"] * 3
    assert all(basis["lines"] for basis in found["bases"])


@pytest.mark.parametrize(
    ("side", "status", "slug", "pointer"),
    [
        ({"kind": "quote", "id": ABSENT}, 409, "named-quote-not-kept", "/after/id"),
        (by_request(R1, catalog="2020-01-01"), 422, "unknown-catalog", "/after/catalog"),
        (
            by_request(R1 | {"catalog": "2020-01-01"}),
            422,
            "unknown-catalog",
            "/after/request/catalog",
        ),
        (
            by_request(R1 | {"cluster": R1["cluster"] | {"accelerator": "h1000"}}),
            422,
            "unknown-accelerator",
            "/after/request/cluster/accelerator",
        ),
        ({"kind": "quote", "id": "x"}, 422, "invalid-request", "/after/id"),
        ({"kind": "else"}, 422, "invalid-request", "/after/kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_quote_is_refused_where_it_stands(service, side, status, slug, pointer):
    answer = asked(service, by_request(R1), side)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_what_is_asked_about_quotes_is_counted(service):
    assert asked(service, by_request(R1), by_request(R1)).status_code == 200
    said = service.client.get("/metrics").text
    kind = 'runquote_questions_about_quotes_total{outcome="answered",question="difference"}'
    assert float(said.partition(kind)[2].split()[0]) >= 1


def over_editions(shelf, question):
    """The answer to a question, over a shelf."""
    body = msgspec.json.encode(question)
    quoting = quoting_over(shelf)
    found = asyncio.run(difference_of(decoded(body, asked=DifferenceRequest), quoting))
    return msgspec.json.decode(found, type=QuoteDifference)


def test_what_prices_did_since_an_edition_is_all_the_engines(tmp_path):
    """Lambda asks $3 in one edition and $4 in the next; an hour of one H100 is a dollar more."""
    first, second = day_after(1), day_after(2)
    overlaid(tmp_path, first, 3.0)
    overlaid(tmp_path, second, 4.0)
    request = json.loads(market())
    found = over_editions(
        shelf(tmp_path),
        {"before": by_request(request, catalog=first), "after": by_request(request)},
    )
    assert [found.before.catalog.version, found.after.catalog.version] == [first, second]
    assert found.method.split_by == "same_request"
    price = found.bases[0].parts.price
    assert (price.amount, price.request, price.engine) == ("1.00", "0.00", "1.00")


def test_another_request_in_another_edition_is_told_apart_from_the_edition(tmp_path):
    """One hour at $3 to two hours at $4: the price does 1.5 of the five, the hours 3.5."""
    first = day_after(1)
    overlaid(tmp_path, first, 3.0)
    overlaid(tmp_path, day_after(2), 4.0)
    one = json.loads(market())
    two = json.loads(market())
    two["run"]["stages"][0]["work"]["device_hours"] = 2
    found = over_editions(
        shelf(tmp_path), {"before": by_request(one, catalog=first), "after": by_request(two)}
    )
    assert found.method.split_by == "quoted_crosswise"
    parts = found.bases[0].parts
    assert found.bases[0].change.amount == "5.00"
    assert (parts.price.amount, parts.price.request, parts.price.engine) == ("1.50", "0.00", "1.50")
    assert (parts.hours.amount, parts.hours.request, parts.hours.engine) == ("3.50", "3.50", "0.00")


def test_the_command_compares_requests_answers_and_editions_in_80_columns(tmp_path):
    files = {}
    for name, body in {
        "before": json.dumps(R1).encode(),
        "after": json.dumps(DIFFERENCE["after"]["request"]).encode(),
        "answer": quote_bytes(json.dumps(R1).encode()),
    }.items():
        files[name] = tmp_path / f"{name}.json"
        files[name].write_bytes(body)
    run = CliRunner(env={"COLUMNS": "80"}).invoke
    spelled = run(app, ["diff", str(files["before"]), str(files["after"])])
    assert spelled.exit_code == 0
    assert "the rental total rises by 25.0%, +73,500.00 USD: price +73,500.00" in spelled.output
    assert max(map(len, spelled.output.splitlines())) <= 80
    filed = run(app, ["diff", str(files["answer"]), str(files["after"])])
    assert filed.output == spelled.output
    same = run(app, ["diff", str(files["answer"]), "--after-catalog", embedded().version])
    assert same.output.count("total is the same") == 3
    json_form = run(app, ["diff", str(files["before"]), str(files["after"]), "-f", "json"])
    amounts = [basis["change"]["amount"] for basis in json.loads(json_form.stdout)["bases"]]
    assert [Decimal(one) for one in amounts][:2] == [73500, 0]
    wrong = run(app, ["diff", str(files["before"]), "--after-catalog", "2020-01-01"])
    assert wrong.exit_code == 2
    assert "/after/catalog" in wrong.stderr


def test_an_invoice_is_reconciled_with_a_kept_quote_and_by_the_command(service, tmp_path):
    posted = service.client.post("/quote", json=R1)
    id = posted.json()["id"]
    body = RECONCILIATION | {"quote": {"kind": "quote", "id": id}}
    answer = service.client.post("/reconcile", json=body)
    assert answer.status_code == 200
    assert answer.json()["parts"]["rate"] == "52920.00"
    assert answer.json()["quote"]["id"] == id
    file, filed = tmp_path / "invoice.json", tmp_path / "quote.json"
    file.write_text(json.dumps(body))
    filed.write_bytes(posted.content)
    run = CliRunner(env={"COLUMNS": "80"}).invoke
    told = run(app, ["reconcile", str(file), "--quote", str(filed)])
    assert told.exit_code == 0
    assert "18.0% above the quote of" in told.output
    assert max(map(len, told.output.splitlines())) <= 80
    same = run(app, ["reconcile", str(file), "--quote", str(filed), "-f", "json"])
    assert same.stdout.encode() == answer.content
    assert run(app, ["reconcile", str(file)]).exit_code == 2


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"quote": {"kind": "quote", "id": ABSENT}}, 409, "/quote/id"),
        ({"quote": by_request(R1, catalog="2020-01-01")}, 422, "/quote/catalog"),
        ({"invoice": {"lines": []}}, 422, "/invoice/lines"),
        ({"happened": {"tokens": -1}}, 422, "/happened/tokens"),
    ],
    ids=["id", "edition", "lines", "tokens"],
)
def test_a_wrong_invoice_is_refused_where_it_is_wrong(service, change, status, pointer):
    answer = service.client.post("/reconcile", json=RECONCILIATION | change)
    assert answer.status_code == status
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_the_invoice_of_the_docs_is_18_percent_higher(service):
    page = Path(__file__).parents[2] / "docs" / "differences.md"
    (body,) = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    invoice = json.loads(body) | {"quote": by_request(R1)}
    found = service.client.post("/reconcile", json=invoice).json()
    assert found["difference_share"] == 0.18
    assert found["parts"]["scope"] == "4000.00"
    assert found["happened"]["goodput"] == pytest.approx(1 - 25 / 312.5)
