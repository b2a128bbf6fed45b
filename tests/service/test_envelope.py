"""What is said beside a question, over HTTP: the same quote, with what follows from it."""

import json

import pytest
from msgspec.json import decode
from typer.testing import CliRunner

from service.cli import app
from tests.requests import R1
from tests.server import start_service

START = "2026-12-25"
OTHER = "2027-01-15"


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def post(service, body):
    headers = {"content-type": "application/json"}
    return service.client.post("/quote", content=json.dumps(body).encode(), headers=headers)


def named(name):
    """A request that nobody has sent yet."""
    return R1 | {"run": R1["run"] | {"name": name}}


def test_the_same_question_has_the_same_id_on_every_day(service):
    plain, started, other = (
        post(service, R1 | said) for said in ({}, {"start": START}, {"start": OTHER})
    )
    assert plain.json()["id"] == started.json()["id"] == other.json()["id"]
    assert "calendar" not in plain.json()
    assert started.content.startswith(plain.content[:-1] + b',"calendar":{')
    assert "start" not in started.json()["request"]
    assert [one.json()["calendar"]["start"] for one in (started, other)] == [START, OTHER]


def test_an_answer_that_is_found_is_the_one_that_was_computed(service):
    request = named("computed, then found") | {"start": START}
    computed = post(service, request)
    assert "computed;dur" in computed.headers["server-timing"]
    recalled = post(service, request)
    respelled = post(service, dict(reversed(request.items())))
    assert "memory;dur" in recalled.headers["server-timing"]
    assert computed.content == recalled.content == respelled.content
    read = service.client.get(computed.headers["content-location"])
    assert read.content == computed.content
    assert read.headers["etag"] == computed.headers["etag"]


def test_a_start_leaves_no_trace_in_what_is_kept(service):
    request = named("kept without a start")
    started = post(service, request | {"start": START})
    path = f"/quote/{started.json()['id']}"
    plain = service.client.get(path)
    assert "calendar" not in plain.json()
    assert plain.content == post(service, request).content


def test_each_day_has_an_entity_tag_and_an_address_of_its_own(service):
    answers = [post(service, R1 | said) for said in ({}, {"start": START}, {"start": OTHER})]
    tags = [one.headers["etag"] for one in answers]
    assert len(set(tags)) == 3
    for answer, tag in zip(answers, tags, strict=True):
        path = answer.headers["content-location"]
        for sent in tags:
            read = service.client.get(path, headers={"if-none-match": sent})
            assert read.status_code == (304 if sent == tag else 200)
    id = answers[0].json()["id"]
    assert answers[1].headers["content-location"] == f"/quote/{id}?start={START}"


def test_a_start_that_is_no_day_is_refused_at_its_place(service):
    refused = post(service, R1 | {"start": "2026-02-30"})
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/start"]
    id = post(service, R1).json()["id"]
    refused = service.client.get(f"/quote/{id}", params={"start": "2026-02-30"})
    assert refused.status_code == 400
    assert refused.json()["type"] == "/problems/invalid-query"
    assert refused.json()["errors"][0]["parameter"] == "start"
    assert service.client.get(f"/quote/{id}", params={"begin": START}).status_code == 400


def test_the_command_line_adds_the_same_calendar(service, tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps(R1), encoding="utf-8")
    run = CliRunner()
    done = run.invoke(app, ["quote", str(file), "--start", START, "--format", "json"])
    assert decode(done.stdout_bytes) == post(service, R1 | {"start": START}).json()
    table = run.invoke(app, ["quote", str(file), "--full", "--start", START]).output
    assert "2027-01" in table
    assert "beside months" in table
    lost = run.invoke(app, ["quote", str(file), "--start", "tomorrow"])
    assert lost.exit_code == 2
    assert "--start is a date" in lost.output
