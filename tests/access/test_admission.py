"""Who is let in: hosts, keys, addresses and scrapers."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.keys import add_entry, new_key
from service.access.quotas import Quotas
from service.access.ring import KeyRing
from service.api.admitting.admission import Admission, network_of
from service.api.admitting.hosts import Hosts, is_host
from service.api.refusing.errors import KeyRequired, Refused, WrongHost
from service.caller import NOBODY

KEY, ENTRY = new_key("planning", made=date(2026, 11, 28), cpu_s_per_minute=2.0)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    add_entry(file, ENTRY)
    return KeyRing(file)


def asked(admission, path="/quote", *, method="POST", client="192.0.2.1", **headers):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return admission.caller_of(method=method, path=path, headers=pairs, client=client)


def test_a_service_that_asks_nothing_needs_no_admission():
    assert not Admission(quotas=Quotas(observe=lambda *_: None)).is_needed
    assert Admission(cpu_s_per_minute=1.0).is_needed
    assert Admission(hosts=Hosts(("a",))).is_needed
    assert Admission(metrics_token="x" * 16).is_needed


def test_a_key_says_who_asks(ring):
    admission = Admission(ring=ring, quotas=Quotas(observe=lambda *_: None), cpu_s_per_minute=9.0)
    caller = asked(admission, authorization=f"Bearer {KEY}")
    assert (caller.name, caller.owner) == ("planning", ENTRY.owner)
    assert dict(caller.account.fields())[b"ratelimit-policy"] == b'"cpu";q=2000;w=60'
    assert asked(admission, authorization=f"bearer  {KEY} ").name == "planning"


@pytest.mark.parametrize("path", ["/quote", "/quote/q_1", "/catalog/offers", "/nowhere", "/docsx"])
@pytest.mark.parametrize(
    "value",
    ["", "Basic eDp5", "Bearer", "Bearer rq_x", f"Token {KEY}", KEY],
    ids=["nothing", "basic", "no key", "another key", "token", "bare"],
)
def test_without_a_key_that_is_known_nothing_is_answered(ring, path, value):
    sent = {"authorization": value} if value else {}
    with pytest.raises(KeyRequired) as refused:
        asked(Admission(ring=ring), path, **sent)
    challenge = refused.value.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="runquote"')
    assert ("invalid_token" in challenge) == (value == "Bearer rq_x")


def test_two_keys_are_none(ring):
    pairs = [(b"authorization", f"Bearer {KEY}".encode())] * 2
    with pytest.raises(KeyRequired):
        Admission(ring=ring).caller_of(method="GET", path="/quote/q_1", headers=pairs, client="")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/assets/docs.js", "/openapi.json", "/problems/overloaded",
             "/livez", "/readyz"],
)  # fmt: skip
def test_what_says_nothing_of_callers_is_for_everybody(ring, path):
    assert asked(Admission(ring=ring), path, method="GET") is NOBODY


def test_a_browser_asks_beforehand_without_a_key(ring):
    assert asked(Admission(ring=ring), method="OPTIONS") is NOBODY


def test_metrics_take_a_token_where_there_are_keys(ring):
    token = "correct horse battery"
    for admission in (Admission(ring=ring, metrics_token=token), Admission(metrics_token=token)):
        assert asked(admission, "/metrics", authorization=f"Bearer {token}") is NOBODY
        with pytest.raises(KeyRequired, match="RUNQUOTE_METRICS_TOKEN"):
            asked(admission, "/metrics", authorization=f"Bearer {KEY}")
    with pytest.raises(KeyRequired, match="RUNQUOTE_METRICS_PORT"):
        asked(Admission(ring=ring), "/metrics", authorization=f"Bearer {KEY}")
    assert asked(Admission(cpu_s_per_minute=1.0), "/metrics") is NOBODY


def test_without_keys_a_quota_is_that_of_an_address():
    admission = Admission(quotas=Quotas(observe=lambda *_: None), cpu_s_per_minute=0.001)
    assert asked(admission).account.enter_at_once()
    assert not asked(admission).account.enter_at_once()
    assert asked(admission, client="192.0.2.2").account.enter_at_once()
    assert asked(admission).owner == ""


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_network_of_ipv6_is_one_caller(address, chosen):
    same = type(address)(int(address) >> 64 << 64 | chosen)
    other = type(address)(int(address) ^ 1 << 64)
    assert network_of(str(address)) == network_of(str(same)) != network_of(str(other))


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("quotes.example", True),
        ("QUOTES.example", True),
        ("quotes.example:9000", True),
        ("a.internal", True),
        ("a.b.internal:80", True),
        ("internal", False),
        ("quotes.example.evil", False),
        ("api.example:8443", True),
        ("api.example:80", False),
        ("[::1]:8000", True),
        ("", False),
        ("quotes.example, evil", False),
    ],
)
def test_hosts_are_those_that_are_listed(host, is_ours):
    names = ("quotes.example", "*.internal", "api.example:8443", "[::1]")
    admission = Admission(hosts=Hosts(names))
    assert Hosts(names).answers_to(host.encode()) == is_ours
    if is_ours:
        asked(admission, host=host)
    else:
        with pytest.raises(WrongHost):
            asked(admission, host=host)
    assert asked(admission, "/livez", method="GET", host="10.0.0.7:8000") is NOBODY


@pytest.mark.parametrize("host", ["a b", "a/b", "user@a", "a:b", "http://a", "a,b", "[::1", "é"])
def test_a_host_that_is_none_is_no_host(host):
    assert not is_host(host.encode())
    assert issubclass(WrongHost, Refused)
