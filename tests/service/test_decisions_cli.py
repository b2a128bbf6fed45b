"""The commands compare and solve print within 80 columns, and the bytes of the API."""

import json
import re

import pytest
from typer.testing import CliRunner

from service.api.contract.decisions.examples import COMPARISONS, SOLUTIONS
from service.cli import app
from service.local import answer_bytes

NARROW = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
ALL = [("compare", one) for one in COMPARISONS[1:]] + [("solve", one) for one in SOLUTIONS]


@pytest.mark.parametrize(("asked", "example"), ALL, ids=lambda one: getattr(one, "name", one))
def test_decisions_fit_eighty_columns_and_show_what_the_api_answers(asked, example, tmp_path):
    file = tmp_path / "asked.json"
    file.write_text(json.dumps(example.request))
    done = NARROW.invoke(app, [asked, str(file)])
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not re.search(r"[\d$]…", done.stdout)
    answer = json.loads(answer_bytes(file.read_bytes(), asked=asked))
    if asked == "compare":
        assert "frontier" in done.stdout
        assert "cost p80 against days p50" in done.stdout
        assert done.stdout.count("*") >= len(answer["frontier"]) > 0
    else:
        assert f"{answer['find']}: {answer['status']}" in done.stdout


def test_what_is_refused_is_told_apart_from_what_is_infeasible(tmp_path):
    file = tmp_path / "asked.json"
    wrong = COMPARISONS[2].request | {"choices": {"accelerators": ["h100-of-nobody"]}}
    file.write_text(json.dumps(wrong))
    refused = NARROW.invoke(app, ["compare", str(file)])
    assert (refused.exit_code, refused.stdout) == (2, "")
    file.write_text(json.dumps(COMPARISONS[2].request | {"constraints": {"budget_usd": 1}}))
    infeasible = NARROW.invoke(app, ["compare", str(file), "--format", "json"])
    assert infeasible.exit_code == 0
    answer = json.loads(infeasible.stdout)
    assert answer["candidates"] == []
    assert {group["reason"] for group in answer["infeasible"]} >= {"budget"}
