"""Answers without a task have the bytes, the counts and the log lines of the application's."""

import asyncio
import json
import re
from itertools import count
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.http import middleware
from service.app import build_app
from service.cache.key import KEY_SCHEMA
from service.metrics import Metrics
from service.serving.at_once import AtOnce
from service.serving.guard import GuardState
from service.serving.limits import Limits
from service.serving.protocol import GuardedProtocol
from service.settings import load_settings
from tests.redis_server import start_redis
from tests.requests import R1, disaggregated_stages

DATE = [(b"date", b"Sat, 28 Nov 2026 12:00:00 GMT")]
PATIENCE_S = 20.0
ALLOWED = "https://pages.example"
BODIES = [json.dumps(body).encode() for body in (R1, R1 | {"options": {"detail": "summary"}})]
WITH_CALENDAR = json.dumps(R1 | {"start": "2027-01-01"}).encode()
REFUSED = b'{"run": 1}'
DEAR = json.dumps(disaggregated_stages(1, stages=1)).encode()


class Wire(asyncio.Transport):
    """Takes what is written, and stands for a client that reads all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.ended = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2)}.get(name, default)

    def write(self, data: Any) -> None:
        self.data += data

    def writelines(self, parts: Any) -> None:
        self.data += b"".join(parts)

    def get_write_buffer_size(self) -> int:
        return 0

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


def by_redis(url: str) -> dict[str, str]:
    """Settings of a service that finds answers in a Redis only. Without an address, none."""
    settings = {"REDIS_URL": url, "CACHE_MEMORY_BYTES": "0", "REDIS_TIMEOUT_S": "5"}
    return {f"RUNQUOTE_{name}": value for name, value in settings.items()} if url else {}


class Served:
    """A service on wires: with answers at once, or by tasks of the application alone."""

    def __init__(self, *, at_once: bool, redis_url: str = "") -> None:
        self.lines: list[dict[str, Any]] = []
        self.ids: list[str] = []
        """Of quotes that it has given."""
        self._before: dict[str, float] = {}
        self._agents = count()
        self.metrics = Metrics()
        self.app = build_app(
            load_settings({"RUNQUOTE_CORS_ORIGINS": ALLOWED, **by_redis(redis_url)}),
            metrics=self.metrics,
            request_log=lambda fields, facts: self.lines.append(fields(*facts)),
        )
        assert self.app.repeats is not None
        self.state = GuardState(Limits(), self.metrics.server)
        self.state.default_headers = DATE
        if at_once:
            self.state.at_once = AtOnce(self.app, self.app.repeats)
        self.config = uvicorn.Config(
            self.app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            access_log=False,
            log_config=None,
        )
        self.config.load()

    async def says(self, pieces: list[bytes]) -> tuple[bytes, bool]:
        """What it says to bytes that come in these pieces, and whether it then ends."""
        protocol, wire = GuardedProtocol(self.config, self.state, {}), Wire()
        protocol.connection_made(wire)
        for piece in pieces:
            protocol.data_received(piece)
        async with asyncio.timeout(PATIENCE_S):
            while self.state.tasks or (
                (protocol._held or protocol._is_sought) and not protocol.transport.is_closing()
            ):
                await asyncio.sleep(0)
        protocol.connection_lost(None)
        return wire.data, wire.ended

    async def sent_by_brotli(self, body: bytes) -> bytes:
        """An answer to a client that takes Brotli, whose request has bytes of its own."""
        headers = {"Accept-Encoding": "br", "User-Agent": str(next(self._agents))}
        return (await self.says([request(body, headers)]))[0]

    def counts(self) -> dict[str, float]:
        """What the metrics count, without what is timed, since the last look."""
        text = self.metrics.exposition("")[0].decode()
        kinds = ("runquote_http_requests_total", "runquote_problems_total", "_seconds_count")
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("runquote")]
        now = {series: float(value) for series, _, value in lines if any_of(kinds, series)}
        before, self._before = self._before, now
        changed = {series: value - before.get(series, 0.0) for series, value in now.items()}
        return {series: value for series, value in changed.items() if value}

    def log_lines(self) -> list[dict[str, Any]]:
        """The lines so far, without what is timed or made up."""
        lines, self.lines = self.lines, []
        return [
            {**line, "queue_ms": 0, "duration_ms": 0, "request_id": made_up(line["request_id"])}
            for line in lines
        ]


def any_of(kinds: tuple[str, ...], series: str) -> bool:
    """Whether a series is of one of these kinds, and not of what the answers at once leave out."""
    return any(kind in series for kind in kinds) and "engine_phase" not in series


def made_up(request_id: str) -> str:
    """A request's id, or a word for those that the service makes up."""
    return re.sub(r"^[0-9a-f]{12}-[0-9a-f]+$", "made up", request_id)


def without_times(answer: bytes) -> list[list[bytes]]:
    """Answers line by line, without what is timed or made up.

    Lines of a head are sorted: the application has an order of its own where a body comes in parts.
    """
    answer = re.sub(rb"server-timing: [^\r]+", b"server-timing: some", answer)
    answer = re.sub(rb"[0-9a-f]{12}-[0-9a-f]{7}\b", b"made up", answer)
    return [sorted(one.split(b"\r\n")) for one in answer.split(b"HTTP/1.1 ")]


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def long_numbers():
    """The ids that services make up are all of one length."""
    patched = pytest.MonkeyPatch()
    patched.setattr(middleware, "NUMBERS", count(16**6))
    yield
    patched.undo()


@pytest.fixture(scope="module")
def both(runner):
    """A service that answers at once, and one that does not.

    Both know all bodies, and have Brotli copies of all answers: chance says when one is made.
    """

    async def begun():
        pair = Served(at_once=True), Served(at_once=False)
        for one in pair:
            for body in (*BODIES, WITH_CALENDAR):
                one.ids.append(id_of((await one.says([request(body, {})]))[0]))
                async with asyncio.timeout(
                    3 * PATIENCE_S
                ):  # after each, it rests nine times as long
                    while b"content-encoding: br" not in await one.sent_by_brotli(body):
                        await asyncio.sleep(0.01)
            one.log_lines()
        return pair

    return runner.run(begun())


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["*/*", "application/json", "text/html", "application/*;q=0.5"]),
        "Accept-Encoding": st.sampled_from(
            [
                *("gzip", "zstd", "gzip, deflate, br, zstd", "gzip;q=0", "identity", "*", ""),
                *("br", "br;q=0.5, zstd", "gzip;q=0.5, br;q=0.6", "br" + " " * 256),
            ]
        ),
        "X-Request-Id": st.sampled_from(["a-1", "b-2", "c/3", "not a token", "", "x" * 129]),
        "x-request-id": st.sampled_from(["d-4", "e-5"]),
        "traceparent": st.sampled_from(["00-aa-bb-01", "00-cc-dd-00", "?"]),
        "Origin": st.sampled_from([ALLOWED, "https://others.example"]),
        "If-None-Match": st.just("*"),
        "User-Agent": st.sampled_from(["one", "another"]),
        "Connection": st.sampled_from(["keep-alive", "close"]),
        "Content-Encoding": st.sampled_from(["identity", "gzip"]),
        "Expect": st.just("100-continue"),
    },
)


def request(body: bytes, headers: dict[str, str], *, path: str = "/quote") -> bytes:
    named = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body


def look(path: str, headers: dict[str, str], *, method: str = "GET") -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode()


def id_of(answer: bytes) -> str:
    """The id of the first quote in an answer."""
    return re.search(rb"q_[0-9a-f]{64}", answer)[0].decode()  # type: ignore[index]


POSTS = st.builds(
    request,
    st.sampled_from([*BODIES, *BODIES, WITH_CALENDAR, REFUSED]),
    HEADERS,
    path=st.sampled_from(["/quote", "/quote", "/quote", "/quote?x=1", "/claim"]),
)
UNKNOWN = "/quote/q_" + "0" * 64
LOOKS = st.builds(
    look,
    st.sampled_from(["/quote/{id}", "/quote/{id}", "/quote/{id}?x=1", UNKNOWN, "/quote/q_1"]),
    HEADERS,
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"]),
)


@given(sent=st.lists(POSTS | LOOKS, min_size=1, max_size=4), cuts=st.data(), twice=st.booleans())
@settings(max_examples=100)
def test_answers_at_once_are_those_of_the_application(sent, cuts, twice, both, runner):
    """Whatever the headers are, however requests follow one another, wherever reads end."""
    check_alike(sent, cuts, both, runner, twice=twice)


def check_alike(sent, cuts, both, runner, *, twice):
    id = both[0].ids[0].encode()
    sent = [one.replace(b"{id}", id) for one in sent]
    data = b"".join(sent)
    places = cuts.draw(st.lists(st.integers(0, len(data)), max_size=4).map(sorted))
    pieces = [
        data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)
    ]
    pieces = (sent if twice else [piece for piece in pieces if piece]) * (1 + twice)
    at_once, by_tasks = both
    for one in both:
        one.counts(), one.log_lines()
    answers = [runner.run(one.says(pieces)) for one in both]
    assert without_times(answers[0][0]) == without_times(answers[1][0])
    assert answers[0][1] == answers[1][1]
    assert at_once.log_lines() == by_tasks.log_lines()
    assert at_once.counts() == by_tasks.counts()


@pytest.fixture(scope="module")
def both_by_redis(runner):
    """The same, of services that find answers in a Redis only, and have asked it before."""
    with start_redis() as redis:

        async def begun():
            pair = [Served(at_once=one, redis_url=redis.url) for one in (True, False)]
            for one in pair:
                one.ids.append(id_of((await one.says([request(DEAR, {})]))[0]))
                with redis.client() as client:
                    async with asyncio.timeout(PATIENCE_S):
                        while not client.exists(f"rq:{KEY_SCHEMA}:{one.ids[0]}"):
                            await asyncio.sleep(0.01)
                await one.says([look(f"/quote/{one.ids[0]}", {})])
                one.log_lines()
            return pair

        yield runner.run(begun())


@given(
    sent=st.lists(st.builds(request, st.just(DEAR), HEADERS) | LOOKS, min_size=1, max_size=4),
    cuts=st.data(),
    twice=st.booleans(),
)
@settings(max_examples=60)
def test_answers_of_redis_at_once_are_those_of_the_application(
    sent, cuts, twice, both_by_redis, runner
):
    check_alike(sent, cuts, both_by_redis, runner, twice=twice)


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "zstd"}])
def test_what_redis_has_is_sent_without_a_task(headers, both_by_redis, runner):
    at_once, _ = both_by_redis

    async def asked():
        protocol, wire = GuardedProtocol(at_once.config, at_once.state, {}), Wire()
        protocol.connection_made(wire)
        for sent in (request(DEAR, headers), look(f"/quote/{at_once.ids[0]}", headers)):
            protocol.data_received(sent)
            assert not at_once.state.tasks
            async with asyncio.timeout(PATIENCE_S):
                while protocol._is_sought:
                    await asyncio.sleep(0)
            assert not at_once.state.tasks
        return wire.data

    said = runner.run(asked())
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert said.count(b"server-timing: redis;") == 2


def asks_redis(protocol):
    return protocol._is_sought


def leave(protocol):
    protocol.connection_lost(None)


def end(protocol):
    assert protocol.eof_received()


def drain(protocol):
    protocol.drain()


@pytest.mark.parametrize(("do", "answers"), [(leave, 0), (end, 1), (drain, 1)])
def test_a_client_that_leaves_or_a_server_that_ends_while_redis_is_asked(
    do, answers, both_by_redis, runner
):
    at_once, _ = both_by_redis

    async def asked():
        protocol, wire = GuardedProtocol(at_once.config, at_once.state, {}), Wire()
        protocol.connection_made(wire)
        protocol.data_received(look(f"/quote/{at_once.ids[0]}", {}))
        assert asks_redis(protocol)
        do(protocol)
        async with asyncio.timeout(PATIENCE_S):
            while asks_redis(protocol) or at_once.state.tasks:
                await asyncio.sleep(0)
        assert protocol.server_state.taken_bytes == 0
        assert at_once.metrics.requests_in_progress == 0
        return wire

    wire = runner.run(asked())
    assert wire.data.count(b"HTTP/1.1 200 OK\r\n") == answers
    assert wire.ended


@pytest.mark.parametrize(
    "headers", [{}, *({"Accept-Encoding": one} for one in ("zstd", "br")), {"X-Request-Id": "a"}]
)
def test_a_repeat_has_no_task(headers, both, runner):
    """The second time not even the parser sees it."""
    at_once, _ = both

    async def repeated():
        protocol, wire = GuardedProtocol(at_once.config, at_once.state, {}), Wire()
        protocol.connection_made(wire)
        for _ in range(3):
            protocol.data_received(request(BODIES[0], headers))
            assert not at_once.state.tasks
        protocol.parser = None  # type: ignore[assignment] # another look at the same bytes needs none
        protocol.data_received(request(BODIES[0], headers))
        return wire.data

    if "Accept-Encoding" in headers:  # the application makes the copy
        runner.run(at_once.says([request(BODIES[0], headers)]))
    assert runner.run(repeated()).count(b"HTTP/1.1 200 OK\r\n") == 4


def test_an_answer_while_draining_ends_the_connection(both, runner):
    answers = []
    for one in both:
        one.state.draining = True
        answers.append(runner.run(one.says([request(BODIES[0], {})])))
        one.state.draining = False
    assert without_times(answers[0][0]) == without_times(answers[1][0])
    assert b"connection: close\r\n" in answers[0][0]
    assert [ended for _, ended in answers] == [True, True]
