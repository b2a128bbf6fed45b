"""The front page says what the service does: its request, its answer, its settings."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from service.api.contract.decisions.examples import SOLUTIONS
from service.cli import app
from service.local import answer_bytes, claim_bytes, quote_bytes
from service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DIFFERENCES = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
TOLD = {
    "diff": "the rental total rises by 10.0%, +29,400.00 USD: price +29,400.00",
    "reconcile": "346,920.00 USD is 18.0% above the quote of 294,000.00",
    "solve": "tokens: solved",
}
"""What commands of the front page say of their files. Its comparisons have a test of their own."""


def files_of_decisions() -> dict[str, Any]:
    """The files that the front page names, of what it and the page on differences show."""
    (body,) = re.findall(r"<<'END'\n(.*?)\nEND\n", README, flags=re.DOTALL)
    (invoice,) = (
        read
        for text in re.findall(r"```json\n(.*?)```", DIFFERENCES, flags=re.DOTALL)
        if "invoice" in (read := json.loads(text))
    )
    before, after = json.loads(body), json.loads(body)
    after["cluster"]["supply"]["usd_per_device_hour"] = 2.2
    return {
        "before.json": before,
        "after.json": after,
        "invoice.json": invoice | {"quote": {"kind": "request", "request": before}},
        "solve.json": SOLUTIONS[1].request,
    }


@pytest.mark.parametrize("command", TOLD)
def test_a_decision_of_the_front_page_is_made_as_it_is_written(command, tmp_path, monkeypatch):
    (asked,) = re.findall(
        rf"^\$ \.venv/bin/runquote {command} (\S+\.json(?: \S+\.json)?)", README, re.MULTILINE
    )
    for name, content in files_of_decisions().items():
        (tmp_path / name).write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [command, *asked.split()])
    assert result.exit_code == 0, result.output
    assert TOLD[command] in " ".join(result.output.split())


def test_the_request_of_the_readme_has_the_answer_of_the_readme():
    (body,) = re.findall(r"<<'END'\n(.*?)\nEND\n", README, flags=re.DOTALL)
    bill, bridge, _ = re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL)
    *lines, total = json.loads(bill)
    quote = json.loads(quote_bytes(body.encode()))
    (rental,) = (bill for bill in quote["bases"] if bill["basis"] == "rental")
    for line, real in zip(lines, rental["lines"], strict=True):
        assert line.items() <= real.items()
    assert rental["total"] == {"amount": total["total"], "currency": total["currency"]}
    start, *steps, end = json.loads(bridge)
    (loaded,) = (one for one in quote["bridges"] if one["end_basis"] == "fully_loaded")
    assert loaded["steps"] == steps
    assert (loaded["start"]["amount"], loaded["end"]["amount"]) == (start["start"], end["end"])
    (whole,) = (bill for bill in quote["bases"] if bill["basis"] == "fully_loaded")
    assert {name: whole["interval"][name] for name in ("p10", "p90")}.items() <= end.items()


def test_the_stage_of_the_readme_is_predicted():
    *_, stage = re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL)
    cluster = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 16384}
    request = {"run": {"name": "r", "stages": [json.loads(stage)]}, "cluster": cluster}
    (predicted,) = json.loads(quote_bytes(json.dumps(request).encode()))["stages"]
    assert predicted["feasibility"]["status"] == "fits"
    assert predicted["device_hours"]["p10"] < predicted["device_hours"]["p90"]


def test_the_settings_of_the_readme_are_the_settings():
    rows = re.findall(r"^\| `(RUNQUOTE_\w+)` \| (?:`([^`]*)`)? ?\| (.*?) \|$", README, re.MULTILINE)
    expected = []
    for field in msgspec.structs.fields(Settings):
        info = msgspec.inspect.type_info(field.type)
        assert isinstance(info, msgspec.inspect.Metadata)
        assert info.extra_json_schema
        described = info.extra_json_schema["description"]
        default = "" if field.default is None else str(field.default)
        expected.append((PREFIX + field.name.upper(), default, described))
    assert rows == expected


def test_the_links_of_the_readme_lead_somewhere():
    root = Path(__file__).parents[2]
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (root / link).exists(), link


def test_the_claim_of_the_front_page_is_exact_at_the_assumed_two_dollars() -> None:
    (body,) = re.findall(
        r"/claim -H 'content-type: application/json' -d '\n(.*?)'\n", README, re.DOTALL
    )
    judged = json.loads(claim_bytes(body.encode()))
    assert judged["verdict"]["verdict"] == "exact"
    assert judged["readings"][0]["total"]["amount"] == "294000.00"
    assert "claim.json" in README


def test_the_comparisons_of_the_front_page_have_its_ranks():
    asked = re.findall(r"runquote compare - <<'RUN'\n(.*?)\nRUN\n", README, flags=re.DOTALL)
    rows = re.findall(
        r"^\| (\d+) \| (\d+) (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$",
        README,
        re.MULTILINE,
    )
    shown = []
    for body in asked:
        answer = json.loads(answer_bytes(body.encode(), asked="compare"))
        for one in answer["candidates"][:4]:
            cost, hours = one["costs"][0], one["wall_clock_hours"]
            told = (one["rank"], f"{one['cluster']['devices']:.0f}", one["cluster"]["accelerator"])
            money = (one["price"]["seller"], cost["total"]["amount"], cost["p80"])
            shown.append((*told, *money, *(f"{hours[p] / 24:.1f}" for p in ("p50", "p90"))))
    assert [tuple(map(str, row)) for row in shown] == rows
    assert len(rows) == 8
