"""A plan and a quote say the same hours for the same question, and where these come from."""

import json
import re

import pytest
from msgspec import UNSET
from typer.testing import CliRunner

from service.cli import app
from service.core.answer import Quote
from service.tables.hours import hours_table
from tests.server import start_service
from tests.worlds import answer, embedded

RUN = CliRunner(env={"COLUMNS": "200"})
H100 = "nvidia-h100-sxm-80gb"


def asked(model="llama-3.1-8b", device=H100, devices=64, repeat=1, supply=None, **work):
    kind = {"kind": "pretraining", "model": {"kind": "preset", "id": model}, "tokens": 1e12}
    stage = {"name": "pre-training", "work": {**kind, **work}, "repeat": repeat}
    cluster = {"accelerator": device, "devices": devices}
    if supply:
        cluster["supply"] = supply
    return {"run": {"name": "plan", "stages": [stage]}, "cluster": cluster}


REQUESTS = {
    "nothing is said": asked(),
    "many devices": asked(devices=2048),
    "a layout": asked(layout={"zero_stage": 3}),
    "a framework": asked(framework="torchtitan", layout={"zero_stage": 3}),
    "losses": asked(goodput=0.95, evaluation_share=0.0, idle_share=0.0, startup_hours=0.0),
    "a mfu": asked(mfu=0.4),
    "attempts": asked(repeat=2),
    "a larger model on a TPU": asked("llama-3.1-70b", "google-tpu-v5p", devices=512),
    "spot capacity": asked(supply={"kind": "market", "term": "spot"}),
}


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_plan_has_the_hours_and_the_money_of_the_quote(service, request_):
    quoted = service.client.post("/quote", json=request_).json()
    (stage,), rental = quoted["stages"], quoted["bases"][0]
    planned = RUN.invoke(app, ["plan", "-"], input=json.dumps(request_))
    assert planned.exit_code == 0
    words = " ".join(planned.output.split())
    assert f"{stage['device_hours']['central']:,.6g} device-hours" in words
    assert f"${float(rental['total']['amount']):,.0f} rental" in words


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_step_time_losses_and_practice_make_the_hours(request_):
    """The last row of the table is the stage's own hours: nothing is left out, nothing twice."""
    quoted: Quote = answer(request_, embedded())
    (stage,), table = quoted.stages, hours_table(quoted.stages)
    assert table is not None
    assert stage.device_hours is not UNSET
    assert [*table.columns[3].cells][-1] == f"{stage.device_hours.central:,.6g}"


def test_practice_is_told_where_losses_are_not_said():
    shown = RUN.invoke(
        app, ["quote", "-", "--full"], input=json.dumps(REQUESTS["nothing is said"])
    ).output
    stated = RUN.invoke(app, ["quote", "-", "--full"], input=json.dumps(REQUESTS["losses"])).output
    assert re.search(r"practice of published runs\s+│\s+x 1\.\d+", shown)
    assert "practice" not in stated
