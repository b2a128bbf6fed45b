"""Batches: a line for each line, in order, within bounds, and no faster than they are read."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from service.api.http.quoted.batches import BatchLimits, Incoming
from service.api.refusing.decoding import decode_request
from service.cli import app
from service.editions.shelf import shelf_of
from service.local import quote_bytes, quoting_over
from service.quoted.batch import CHUNK_LINES, CHUNKS_IN_WORK, Batch, Budget, Line
from tests.requests import R1
from tests.server import start_service
from tests.worlds import embedded

NDJSON = {"content-type": "application/x-ndjson"}
MOST_LINES = 60
LIMITS = BatchLimits(lines=50, bytes=4000, line_bytes=100, cpu_s=1e9, read_s=5.0)


@pytest.fixture(scope="module")
def service():
    with start_service(RUNQUOTE_BATCH_MAX_LINES=str(MOST_LINES)) as running:
        yield running


def request(hours: float, **more: Any) -> dict[str, Any]:
    stage = {"name": "a", "work": {"kind": "metered", "device_hours": hours}}
    said = {**R1, "run": {"name": "r", "stages": [stage]}, **more}
    return said | {"options": {"bases": ["rental"]}}


def line(hours: float, **more: Any) -> bytes:
    return json.dumps(request(hours, **more)).encode()


def posted(service, *lines: bytes):
    answer = service.client.post("/quote/batch", content=b"\n".join(lines), headers=NDJSON)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(one) for one in answer.content.splitlines()]


def test_every_line_is_answered_in_order_with_what_a_single_post_says(service):
    unknown = line(3, cluster=R1["cluster"] | {"accelerator": "h1000"})
    bad = (b"{", b"", unknown, line(4, start="2027-01-15"), b'{"run": 1}')
    lines = [line(1000 + at) for at in range(20)]
    lines[3:8] = bad
    found = posted(service, *lines)
    assert [one["line"] for one in found] == [at for at in range(1, 21) if at != 5]
    statuses = {one["line"]: one["status"] for one in found if one["status"] != 200}
    assert statuses == {4: 400, 6: 422, 8: 422}
    for one in found:
        body = lines[one["line"] - 1]
        single = service.client.post(
            "/quote", content=body, headers={"content-type": "application/json"}
        )
        assert single.status_code == one["status"]
        if one["status"] == 200:
            assert one["quote"] == single.json()
            assert one["id"] == one["quote"]["id"]
        else:
            alike = {"type", "title", "status", "detail", "errors"}
            said = single.json()
            assert {key: one["problem"].get(key) for key in alike} == {
                key: said.get(key) for key in alike
            }
    (fault,) = found[4]["problem"]["errors"]
    assert fault["pointer"] == "/cluster/accelerator"


def counted(service, name: str) -> float:
    said = service.client.get("/metrics").text
    return float(said.partition(f"\n{name} ")[2].split()[0])


def test_a_request_that_occurs_twice_is_computed_once(service):
    name = 'runquote_quotes_total{basis="rental",outcome="priced"}'
    service.client.post("/quote", json=request(1.5))
    before = counted(service, name)
    found = posted(service, *[line(77_000 + at % 5) for at in range(50)])
    assert len({one["id"] for one in found}) == 5
    assert counted(service, name) == before + 5
    kept = service.client.get(f"/quote/{found[0]['id']}")
    assert kept.json() == found[0]["quote"]


def test_a_batch_that_is_too_long_says_so_in_its_last_line(service):
    found = posted(service, *[line(1)] * (MOST_LINES + 3))
    assert len(found) == MOST_LINES + 1
    assert (found[-1]["line"], found[-1]["status"]) == (MOST_LINES + 1, 413)
    assert found[-1]["problem"]["type"] == "/problems/batch-too-long"
    assert {one["status"] for one in found[:-1]} == {200}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("PUT", NDJSON, 405),
        ("POST", {"content-type": "application/json"}, 415),
        ("POST", NDJSON | {"accept": "application/json"}, 406),
        ("POST", NDJSON | {"content-encoding": "gzip"}, 415),
        ("POST", NDJSON | {"content-encoding": "br"}, 415),
    ],
    ids=["method", "type", "accept", "gzip", "br"],
)
def test_what_is_no_batch_is_refused(service, method, headers, status):
    answer = service.client.request(method, "/quote/batch", content=line(1), headers=headers)
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_an_empty_batch_has_an_empty_answer(service):
    assert posted(service, b"", b"  ") == []


def local_batch() -> tuple[Batch, Any]:
    quoting = quoting_over(shelf_of(embedded()))
    budget = Budget(1e9, lambda: AssertionError("there is enough"))
    return Batch(quoting, read=decode_request, budget=budget), quoting


async def endless() -> AsyncIterator[Line]:
    number = 0
    while True:
        number += 1
        yield Line(number, line(number))


def answered_lines(quoting: Any) -> float:
    return float(quoting.metrics.quotes.labels("rental", "priced")._value.get())


def test_no_more_is_computed_than_is_read_and_leaving_ends_the_work():
    async def run() -> tuple[float, float]:
        batch, quoting = local_batch()
        answers = batch.answered(endless())
        first = await anext(answers)
        assert [one.number for one in first] == list(range(1, CHUNK_LINES + 1))
        for _ in range(CHUNK_LINES * CHUNKS_IN_WORK * 4):
            await asyncio.sleep(0)
        stalled = answered_lines(quoting)
        await answers.aclose()
        for _ in range(CHUNK_LINES * 4):
            await asyncio.sleep(0)
        return stalled, answered_lines(quoting)

    stalled, left = asyncio.run(run())
    assert stalled <= CHUNK_LINES * (CHUNKS_IN_WORK + 1)
    assert left <= stalled + 1


def test_work_beyond_the_budget_is_not_done():
    class TooMuch(Exception):
        pass

    async def run() -> list[Any]:
        _, quoting = local_batch()
        batch = Batch(quoting, read=decode_request, budget=Budget(0.02, TooMuch))

        async def lines() -> AsyncIterator[Line]:
            for number in range(1, 9):
                yield Line(number, line(number))

        return [one async for chunk in batch.answered(lines()) for one in chunk]

    found = asyncio.run(run())
    assert found[0].error is None
    assert isinstance(found[-1].error, TooMuch)


def lines_of(chunks: list[bytes]) -> list[Line]:
    """What is read of a body that arrives in these pieces."""

    async def run() -> list[Line]:
        waiting = [
            {"type": "http.request", "body": chunk, "more_body": at < len(chunks) - 1}
            for at, chunk in enumerate(chunks)
        ]

        async def receive() -> Any:
            return waiting.pop(0) if waiting else await asyncio.Event().wait()

        incoming = Incoming(receive, LIMITS)
        pump = asyncio.ensure_future(incoming.pump())
        found = [one async for one in incoming.lines()]
        pump.cancel()
        return found

    return asyncio.run(run())


@settings(max_examples=30)
@given(
    st.lists(st.binary(max_size=120).map(lambda body: body.replace(b"\n", b" ")), max_size=20),
    st.lists(st.integers(0, 2000), max_size=6),
)
def test_lines_are_the_same_however_the_body_arrives(bodies, cuts):
    whole = b"\n".join(bodies)
    places = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    pieces = [whole[one:other] for one, other in pairwise(places)] or [whole]
    found = lines_of(pieces)
    assert [(one.number, one.body) for one in found if one.refusal is None] == [
        (number, body.strip())
        for number, body in enumerate(bodies, start=1)
        if body.strip() and len(body.strip()) <= LIMITS.line_bytes
    ]
    assert all(not one.body for one in found if one.refusal is not None)


def test_the_command_prints_a_line_for_each_line_in_80_columns(tmp_path):
    file = tmp_path / "requests.ndjson"
    file.write_bytes(b"\n".join([line(1000), b"", b"{", line(2000)]))
    run = CliRunner(env={"COLUMNS": "80"}).invoke
    told = run(app, ["batch", str(file)]).output.splitlines()
    assert [row.split()[:2] for row in told] == [["1", "200"], ["3", "400"], ["4", "200"]]
    assert "rental 2,000.00" in told[0]
    assert max(map(len, told)) <= 80
    said = run(app, ["batch", str(file), "-f", "json"]).stdout.splitlines()
    assert json.loads(said[0])["quote"] == json.loads(quote_bytes(line(1000)))
