"""Quotas: the arithmetic of a sliding minute, and counts that hold with Redis and without."""

import asyncio
import re
import time
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.access.account import QuotaAccount
from service.access.quotas import WINDOW_S, Quotas, Usage, units_of
from service.access.shared_counts import SharedCounts
from service.caller import QuotaExceeded
from tests.redis_server import start_redis
from tests.redis_topologies import MASTER, start_cluster, start_sentinel

CLIENTS = 64
FIELD = re.compile(rb'"cpu";(?:q=(\d+);w=60|r=(\d+);t=(\d+))')


@pytest.fixture
def anyio_backend():
    return "asyncio"


def later(usage: Usage, seconds: float) -> Usage:
    """The same window so many seconds later, if nothing is asked meanwhile."""
    if seconds < usage.now_lasts_s:
        return usage._replace(
            before_counts_s=max(0.0, usage.before_counts_s - seconds),
            now_lasts_s=usage.now_lasts_s - seconds,
        )
    rest = seconds - usage.now_lasts_s
    return Usage(usage.now, max(0.0, WINDOW_S - rest), 0, max(0.0, WINDOW_S - rest))


counts = st.integers(0, 2000)
moments = st.floats(0.0, WINDOW_S)


@given(counts, counts, moments, st.integers(1, 1000), st.integers(1, 1000))
def test_who_waits_as_long_as_told_has_room_and_who_comes_sooner_has_not(
    before, now, lasts_s, cost, quota
):
    assume(cost <= quota)
    assume(now <= quota)
    usage = Usage(before, lasts_s, now, lasts_s)  # both windows end together
    waits_s = usage.wait_s(cost, quota)
    assert 0 <= waits_s <= 2 * WINDOW_S
    assert later(usage, waits_s + 1e-6).used + cost <= quota + 1e-6 * max(before, now) + 1e-6
    if waits_s > 0.01:
        assert later(usage, waits_s - 0.01).used + cost > quota


def test_a_millisecond_is_in_the_price_of_a_request():
    assert [units_of(seconds) for seconds in (0.0, 0.0004, 0.001, 0.0011, 2.5)] == [
        0, 0, 0, 1, 2499,
    ]  # fmt: skip


def told(account: QuotaAccount) -> dict[str, int]:
    fields = dict(account.fields())
    policy = FIELD.fullmatch(fields[b"ratelimit-policy"])
    assert policy
    left = FIELD.fullmatch(fields.get(b"ratelimit", b""))
    return {"q": int(policy[1])} | ({"r": int(left[2]), "t": int(left[3])} if left else {})


@pytest.mark.anyio
async def test_an_account_says_what_is_left_and_refuses_what_is_not():
    seen: Counter[str] = Counter()
    quotas = Quotas(observe=lambda outcome, units: seen.update({outcome: units}))
    account = QuotaAccount(quotas, who="a", quota=1000)
    await account.enter()
    await account.spend(0.4)
    assert told(account)["r"] == 600
    with pytest.raises(QuotaExceeded) as refused:
        await account.spend(0.7)
    assert 1 <= refused.value.retry_after_s <= 2 * WINDOW_S
    assert told(account)["r"] == 600
    assert account.enter_at_once()
    assert told(account) == {"q": 1000, "r": 599, "t": told(account)["t"]}
    assert 1 <= told(account)["t"] <= WINDOW_S
    assert QuotaAccount(quotas, who="b", quota=1000).enter_at_once()
    assert seen == {"within": 402, "exceeded": 699}


@pytest.mark.anyio
async def test_what_costs_more_than_a_quota_costs_a_whole_one():
    quotas = Quotas(observe=lambda *_: None)
    account = QuotaAccount(quotas, who="a", quota=1000)
    await account.enter()
    await account.spend(30.0)
    assert told(account)["r"] == 0
    with pytest.raises(QuotaExceeded):
        await account.enter()


async def let_in(quotas: list[Quotas], *, quota: int, tries: int) -> int:
    """How many requests of 64 callers at once are let in, who share an account."""

    async def one(number: int) -> int:
        account = QuotaAccount(quotas[number % len(quotas)], who="shared", quota=quota)
        came = 0
        for _ in range(tries):
            try:
                await account.enter()
            except QuotaExceeded:
                continue
            came += 1
        return came

    return sum(await asyncio.gather(*(one(number) for number in range(CLIENTS))))


@pytest.mark.anyio
async def test_a_quota_holds_for_64_clients_in_one_process():
    begin = time.time()
    came = await let_in([Quotas(observe=lambda *_: None)], quota=100, tries=4)
    windows = int(time.time() // WINDOW_S) - int(begin // WINDOW_S)
    assert 100 <= came <= 100 * (1 + windows)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["single", "sentinel", "cluster"])
async def test_a_quota_holds_for_64_clients_of_two_replicas_that_share_a_redis(kind):
    with contextmanager_of(kind) as url:
        seen: Counter[str] = Counter()
        observe = lambda outcome, units: seen.update({outcome: 1})  # noqa: E731
        replicas = [
            Quotas(observe=observe, shared=SharedCounts(url, timeout_s=10.0)) for _ in range(2)
        ]
        begin = time.monotonic()
        came = await let_in(replicas, quota=50, tries=2)
        windows = (time.monotonic() - begin) // WINDOW_S
        assert 50 <= came <= 50 * (1 + windows)
        assert seen == {"within": came, "exceeded": 2 * CLIENTS - came}
        for one in replicas:
            await one.close()


def contextmanager_of(kind):
    import contextlib

    @contextlib.contextmanager
    def begun():
        if kind == "single":
            with start_redis(password="secret") as server:
                yield server.url
        elif kind == "cluster":
            with start_cluster() as servers:
                yield f"redis+cluster://127.0.0.1:{servers[0].port}"
        else:
            with start_sentinel() as (sentinel, _, _):
                yield f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}"

    return begun()


@pytest.mark.anyio
async def test_counts_connect_before_the_first_request_and_say_that_redis_is_away(capsys):
    with start_redis() as server:
        counts = SharedCounts(server.url, timeout_s=10.0)
        await counts.start()
        with server.client() as client:
            assert len(client.client_list()) == 2
        server.kill()
        away = SharedCounts(server.url, timeout_s=10.0)
        await away.start()
        assert not away._scripts.breaker.is_closed
        assert "limits_not_counted" in capsys.readouterr().out
        await counts.close()
        await away.close()


@pytest.mark.anyio
async def test_without_redis_everybody_is_let_in_and_it_is_counted_and_it_ends_with_it():
    seen: Counter[str] = Counter()
    with start_redis() as server:
        counts = SharedCounts(server.url, timeout_s=0.5)
        quotas = Quotas(observe=lambda outcome, units: seen.update({outcome: 1}), shared=counts)
        server.kill()
        assert await let_in([quotas], quota=10, tries=2) == 2 * CLIENTS
        assert seen == {"uncounted": 2 * CLIENTS}
        account = QuotaAccount(quotas, who="shared", quota=10)
        assert not account.enter_at_once()
        await account.enter()
        assert told(account) == {"q": 10}
        server.start()
        while not counts._scripts.breaker.is_closed:
            await asyncio.sleep(0.01)
        assert 10 <= await let_in([quotas], quota=10, tries=1) <= 20
        assert seen["exceeded"] >= CLIENTS - 20
        await quotas.close()
