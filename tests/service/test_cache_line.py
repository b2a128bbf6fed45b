"""A connection to Redis: what is asked in one turn, replies that are late, strange or too many."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hiredis import pack_command
from redis.asyncio import Connection

from service.cache.connecting.line import FED_BYTES, Line
from service.cache.tiers import Answer, Origin
from tests.service.test_cache_redis import a_cache

ASK = pack_command(("GETRANGE", "k", 0, 9))  # type: ignore[arg-type] # as redis-py does
UNASKED = Answer(None, "unasked")

pytestmark = pytest.mark.anyio


class Peer:
    """A server that writes down what it reads at a time, and answers when it is told to."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.writer: asyncio.StreamWriter | None = None
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        while read := await reader.read(2**16):
            self.reads.append(read)
        writer.close()

    async def has_read(self, count: int) -> None:
        async with asyncio.timeout(10):
            while b"".join(self.reads).count(ASK) < count:
                await asyncio.sleep(0.001)

    def answer(self, replies: bytes) -> None:
        assert self.writer is not None
        self.writer.write(replies)


@asynccontextmanager
async def a_line() -> AsyncIterator[tuple[Line, Peer]]:
    peer = Peer()
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        connection = Connection(
            host="127.0.0.1", port=server.sockets[0].getsockname()[1], driver_info=None, protocol=2
        )
        await connection.connect()
        line = Line(connection)
        yield line, peer
        line.retire()


async def until(has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not has_come():
            await asyncio.sleep(0.001)


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


async def test_what_is_asked_in_one_turn_leaves_in_one_write_and_replies_keep_their_order():
    taken: list[object] = []
    async with a_line() as (line, peer):
        for _ in range(3):
            line.ask(ASK, taken.append, within_s=10)
        await peer.has_read(3)
        assert peer.reads == [3 * ASK]
        waiting = asyncio.create_task(line.reply(ASK))
        await peer.has_read(4)
        peer.answer(b"".join(map(bulk, (b"one", b"two", b"three", b"four"))))
        assert await waiting == b"four"
    assert taken == [b"one", b"two", b"three"]


@pytest.mark.parametrize("size", [0, 1, FED_BYTES - 7, FED_BYTES - 6, FED_BYTES, 3 * FED_BYTES])
async def test_replies_of_any_size_are_whole(size):
    values = [bytes([number]) * (size + number) for number in range(6)]
    taken: list[object] = []
    async with a_line() as (line, peer):
        for _ in values:
            line.ask(ASK, taken.append, within_s=10)
        await peer.has_read(len(values))
        peer.answer(b"".join(map(bulk, values)))
        await until(lambda: len(taken) == len(values))
    assert taken == values


async def test_who_is_late_is_told_so_and_a_late_reply_is_never_that_of_another():
    early: list[object] = []
    late: list[object] = []
    patient: list[object] = []
    async with a_line() as (line, peer):
        line.ask(ASK, early.append, within_s=0.01)
        line.ask(ASK, patient.append, within_s=10)
        line.ask(ASK, late.append, within_s=0.05)
        await until(lambda: bool(early and late))
        assert [type(one) for one in early + late] == [TimeoutError, TimeoutError]
        assert not line.is_open, "it may hang"
        peer.answer(bulk(b"one") + bulk(b"two") + bulk(b"three"))
        await until(lambda: bool(patient))
    assert patient == [b"two"]
    assert len(early) == len(late) == 1


async def test_an_earlier_deadline_is_kept_though_it_was_set_later():
    patient: list[object] = []
    early: list[object] = []
    async with a_line() as (line, _peer):
        line.ask(ASK, patient.append, within_s=10)
        line.ask(ASK, early.append, within_s=0.01)
        await until(lambda: bool(early))
        assert not patient


async def test_a_taker_that_fails_harms_no_other_reply():
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    taken: list[object] = []

    def fail(_: object) -> None:
        raise ValueError

    async with a_line() as (line, peer):
        line.ask(ASK, fail, within_s=10)
        line.ask(ASK, taken.append, within_s=10)
        await peer.has_read(2)
        peer.answer(bulk(b"one") + bulk(b"two"))
        await until(lambda: bool(taken))
    assert taken == [b"two"]
    assert len(told) == 1


async def test_all_are_told_when_the_connection_ends():
    taken: list[object] = []
    async with a_line() as (line, peer):
        for _ in range(2):
            line.ask(ASK, taken.append, within_s=10)
        await peer.has_read(2)
        assert peer.writer is not None
        peer.writer.close()
        await until(lambda: len(taken) == 2)
        assert not line.is_open
    assert all(isinstance(one, ConnectionError | Exception) for one in taken)


STRANGE = {
    "a number": b":7\r\n",
    "a long number": b":4000000000\r\n",
    "nil": b"$-1\r\n",
    "a list": b"*0\r\n",
}


@pytest.mark.parametrize("reply", STRANGE.values(), ids=STRANGE.keys())
async def test_a_reply_that_is_no_string_is_no_answer(reply, recorder):
    """Whoever asks is told so: a wait for ever, or four billion zero bytes, would be worse."""

    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(2**16):
            writer.write(reply)
        writer.close()

    found: list[Origin | None] = []
    async with await asyncio.start_server(strange, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with a_cache(f"redis://127.0.0.1:{port}", recorder, breaker_failures=9) as cache:
            assert await cache.get("q_1") == UNASKED
            assert cache.seek("q_1", lambda _, origin: found.append(origin))
            await until(lambda: bool(found))
    assert found == ["unasked"]
    assert recorder.failures == {"not_redis": 2}
