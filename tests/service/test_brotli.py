"""An answer that is sent again and again has a Brotli copy, which nobody waits for."""

import asyncio
import json
import random
import signal
import time
from collections import Counter
from typing import Any

import brotli
import pytest

from service.api.http.copies.encodings import Copies, accepted_by, compressed
from service.api.http.copies.leisure import MOST_BYTES, MOST_WAITING, WORTH_AFTER
from tests.requests import R1
from tests.server import start_service
from tests.service.test_encodings import READERS, asked

PATIENCE_S = 30.0
BROWSER = "gzip, deflate, br, zstd"
TAKES_ALL, TAKES_ZSTD = accepted_by(BROWSER.encode()), accepted_by(b"gzip, zstd")
TAKES_BROTLI = accepted_by(b"br")
ETAG = b'"an answer"'
BODY = json.dumps([R1] * 8).encode()


class Counted:
    """Copies, and what came of those by Brotli."""

    def __init__(self, **bounds):
        self.outcomes: Counter[str] = Counter()
        self.copies = Copies(observe=lambda outcome: self.outcomes.update([outcome]), **bounds)

    def send(self, accepted, *, body=BODY, etag=ETAG, times=1):
        """What is sent the last time."""
        for _ in range(times):
            copy, encoding = self.copies.of(body, etag, accepted)
            assert READERS[encoding](copy) == body
        return copy, encoding

    async def until(self, outcome, count=1):
        async with asyncio.timeout(PATIENCE_S):
            while self.outcomes[outcome] < count:
                await asyncio.sleep(0.001)


def run(test):
    """Run a coroutine of a test with copies of its own."""
    asyncio.run(test(Counted()))


@pytest.mark.parametrize("accepted", [TAKES_ALL, TAKES_BROTLI], ids=["all", "br"])
def test_the_third_sending_asks_for_a_brotli_copy(accepted):
    async def sent(counted):
        assert counted.send(accepted, times=WORTH_AFTER - 1)[1] == accepted.at_once
        assert counted.copies._leisure._making is None
        assert counted.send(accepted)[1] == accepted.at_once
        await counted.until("made")
        assert counted.send(accepted) == (compressed(BODY, "br"), "br")
        assert counted.send(TAKES_ZSTD)[1] == "zstd"
        assert counted.outcomes == {"made": 1}

    run(sent)


def test_clients_that_do_not_take_it_do_not_ask_for_it():
    async def sent(counted):
        counted.send(TAKES_ZSTD, times=10)
        counted.send(accepted_by(b"zstd, br;q=0.9"), times=10)
        counted.send(accepted_by(b""), times=10)
        assert counted.copies._leisure._making is None

    run(sent)


def test_an_answer_of_redis_has_a_copy_though_its_bytes_are_not_at_hand():
    async def sent(counted):
        counted.copies.keep("an answer", compressed(BODY, "zstd"))
        for _ in range(WORTH_AFTER):
            assert counted.copies.best(ETAG, TAKES_ALL)[1] == "zstd"
        assert counted.copies.best(ETAG, TAKES_BROTLI) is None
        await counted.until("made")
        assert counted.copies.best(ETAG, TAKES_ALL) == (compressed(BODY, "br"), "br")

    run(sent)


def test_answers_go_out_as_before_while_a_copy_is_made():
    """The event loop is free meanwhile, and only one copy is made at a time."""
    text = "".join(random.Random(1).choices("abcdefgh ", k=200_000)).encode()

    async def sent(counted):
        counted.send(TAKES_ALL, body=text, times=WORTH_AFTER)
        counted.send(TAKES_ALL, etag=b'"short"', times=WORTH_AFTER)
        turns = 0
        while not counted.outcomes:
            assert counted.send(TAKES_ALL, etag=b'"short"')[1] == "zstd"
            turns += 1
            await asyncio.sleep(0)
        assert turns > 10
        assert counted.copies.kept(ETAG, "br") is not None
        assert counted.copies.kept(b'"short"', "br") is None

    run(sent)


def test_a_copy_that_cannot_be_made_is_counted_and_changes_nothing():
    """As where a Redis without a key holds what others have written."""

    async def sent(counted):
        counted.copies.keep("an answer", b"not zstd")
        for _ in range(3 * WORTH_AFTER):
            assert counted.copies.best(ETAG, TAKES_ALL) == (b"not zstd", "zstd")
        await counted.until("failed")
        counted.send(TAKES_ALL, etag=b'"another"', times=WORTH_AFTER)
        await counted.until("made")
        for _ in range(WORTH_AFTER):
            counted.copies.best(ETAG, TAKES_ALL)
        assert not counted.copies._leisure._waiting
        assert counted.outcomes == {"failed": 1, "made": 1}

    run(sent)


def test_what_is_too_large_is_left_as_it_is():
    async def sent(counted):
        counted.send(TAKES_ALL, body=b"x" * (MOST_BYTES + 1), times=2 * WORTH_AFTER)
        assert counted.copies._leisure._making is None
        counted.copies.keep("packed", compressed(b"x" * (MOST_BYTES + 1), "zstd"))
        for _ in range(WORTH_AFTER):
            counted.copies.best(b'"packed"', TAKES_ALL)
        await counted.until("failed")

    run(sent)


def test_so_many_answers_wait_and_others_are_tried_again():
    etags = [f'"{index}"'.encode() for index in range(MOST_WAITING + 2)]

    async def sent(counted):
        for etag in etags:
            counted.send(TAKES_ALL, etag=etag, times=WORTH_AFTER)
        assert counted.outcomes == {"dropped": 2}
        assert len(counted.copies._leisure._waiting) == MOST_WAITING
        await counted.until("made")
        counted.send(TAKES_ALL, etag=etags[-1])
        assert counted.copies._leisure._waiting[-1][0] == etags[-1]

    run(sent)


@pytest.mark.parametrize("max_bytes", [0, 1000, 4000])
def test_copies_keep_to_their_bound(max_bytes):
    async def sent():
        counted = Counted(max_bytes=max_bytes)
        for index in range(20):
            counted.send(TAKES_ALL, etag=f'"{index}"'.encode(), times=WORTH_AFTER)
            assert counted.copies._copies.used_bytes <= max_bytes
        if max_bytes:
            await counted.until("made", 2)
            assert counted.copies._copies.used_bytes <= max_bytes

    asyncio.run(sent())


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def named(name):
    """A request of which nobody has asked before."""
    return R1 | {"run": R1["run"] | {"name": name}}


def until_brotli(service, path, **headers):
    """The first answer in Brotli, and all answers before."""
    earlier: list[Any] = []
    while True:
        answer, body = asked(service, path, accept_encoding=BROWSER, **headers)
        if answer.getheader("content-encoding") == "br":
            return answer, body, earlier
        earlier.append((answer, body))
        assert len(earlier) < 10_000, "no Brotli copy is made"
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["/quote", "/problems", "/catalog/sites"])
def test_an_answer_that_is_asked_for_again_comes_by_brotli(path, service):
    sent = {"body": named("asked for again")} if path == "/quote" else {}
    _, plain = asked(service, path, **sent)
    answer, body, earlier = until_brotli(service, path, **sent)
    assert brotli.decompress(body) == plain
    assert len(earlier) >= WORTH_AFTER
    for before, copy in earlier:
        assert before.getheader("content-encoding") == "zstd"
        assert READERS["zstd"](copy) == plain
        assert len(copy) > len(body)
    tag = asked(service, path, **sent)[0].getheader("etag")
    assert answer.getheader("etag") == f'{tag[:-1]}-br"'
    assert answer.getheader("vary") == "accept, accept-encoding"
    assert int(answer.getheader("content-length")) == len(body)
    others, copy = asked(service, path, accept_encoding="gzip", **sent)
    assert others.getheader("content-encoding") == "gzip"
    assert READERS["gzip"](copy) == plain


def test_a_quote_has_one_copy_for_who_posts_and_who_reads_by_its_id(service):
    posted, body, _ = until_brotli(service, "/quote", body=named("read by its id"))
    path = posted.getheader("content-location")
    read, same = asked(service, path, accept_encoding="br")
    assert (read.getheader("content-encoding"), same) == ("br", body)
    head, nothing = asked(service, path, method="HEAD", accept_encoding="br")
    assert nothing == b""
    for name in ("content-length", "content-encoding", "etag", "content-type", "vary"):
        assert head.getheader(name) == read.getheader(name)


def test_any_copy_that_a_client_holds_is_not_sent_again(service):
    """A client that got its copy before there was a smaller one keeps that."""
    answer, _, earlier = until_brotli(service, "/catalog/offers", body=None)
    plain, _ = asked(service, "/catalog/offers")
    tags = {one.getheader("etag") for one, _ in [(answer, b""), (plain, b""), *earlier]}
    tag = plain.getheader("etag")
    assert tags <= {tag, f'{tag[:-1]}-br"', f'{tag[:-1]}-zstd"'}
    for held in (tag, f'{tag[:-1]}-br"', f'{tag[:-1]}-zstd"'):
        again, body = asked(
            service, "/catalog/offers", accept_encoding=BROWSER, if_none_match=f'"x", {held}'
        )
        assert (again.status, body, again.getheader("etag")) == (304, b"", held)
    other, _ = asked(
        service, "/catalog/offers", accept_encoding="gzip", if_none_match=f'{tag[:-1]}-br"'
    )
    assert other.status == 200


def test_copies_by_brotli_are_counted(service):
    until_brotli(service, "/catalog/offers")
    assert service.metric("runquote_brotli_copies_total", outcome="made") >= 1
    for outcome in ("dropped", "failed"):
        assert service.metric("runquote_brotli_copies_total", outcome=outcome) == 0


def test_a_process_that_makes_a_copy_ends_when_it_is_told_to():
    with start_service(RUNQUOTE_DRAIN_S="0") as service:
        for _ in range(WORTH_AFTER):
            asked(service, "/openapi.json", accept_encoding=BROWSER)  # 268 KB: a third of a second
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=60) == 0
        assert "Traceback" not in service.log()
        assert "never retrieved" not in service.log()
        assert "was destroyed" not in service.log()
