"""The recipes for callers work as they are written."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.local import answer_bytes, quote_bytes

PAGE = (Path(__file__).parents[2] / "docs" / "recipes-for-callers.md").read_text("utf-8")
BLOCKS = re.findall(r"^```json (\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^\$ runquote (.*)$", PAGE, re.MULTILINE)


def has_a_verdict(answer):
    assert answer["verdict"]["sentence"]


def has_a_size(answer):
    assert answer["status"] == "solved"
    assert answer["devices"] >= 8
    assert answer["wall_clock_hours"]["p80"] <= 720


def has_candidates(answer):
    assert answer["candidates"]
    assert all(one["wall_clock_hours"]["p80"] <= 720 for one in answer["candidates"])


FINDS = {"claim": has_a_verdict, "solve": has_a_size, "compare": has_candidates}


@pytest.mark.parametrize(("kind", "body"), BLOCKS)
def test_a_recipe_is_answered(kind, body):
    """A quote has a rental total and stages that can run; other questions find what they ask for.

    Staff of small runs is unpriced, and nothing else is.
    """
    if kind != "quote":
        FINDS[kind](json.loads(answer_bytes(body.encode(), asked=kind)))
        return
    answer = json.loads(quote_bytes(body.encode()))
    assert float(answer["bases"][0]["total"]["amount"]) > 0
    statuses = {stage["feasibility"]["status"] for stage in answer["stages"]}
    assert statuses <= {"fits", "not_checked"}
    grave = {one["code"] for one in answer["warnings"] if one["severity"] == "act"}
    assert grave <= {"unpriced_line"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_does_what_it_says(command):
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 0, done.output
    assert "64 devices" in done.output


def test_there_is_a_recipe_of_each_kind():
    assert [kind for kind, _ in BLOCKS] == ["quote", "quote", "solve", "compare", "claim", "quote"]
    assert len(COMMANDS) == 1
