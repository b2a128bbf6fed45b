"""What callers do in a soak, how often, and which answers each may get."""

import gzip
import itertools
import json
import random
import re
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, NamedTuple

import brotli
import msgspec
import zstandard
from msgspec import Struct

from service.api.contract.examples import CLAIMS, REQUESTS
from service.formula_reference.requests import MORE_REQUESTS
from tests.forms import Answer, headers_of, misshapen
from tests.load import named
from tests.requests import R1, V3, disaggregated_stages, ranged_stages
from tests.wire import post, said, sent

QUOTES: Final = tuple(one.request for one in (*REQUESTS, *MORE_REQUESTS))
JUDGED: Final = tuple(one.request for one in CLAIMS)
PAGES: Final = tuple(
    f"/catalog/{name}?limit=20" for name in ("accelerators", "offers", "models", "sites", "runs")
)
PROBES: Final = ("/livez", "/readyz", "/metrics")
DOCUMENTS: Final = ("/openapi.json", "/problems", "/docs")
READ: Final[Mapping[str | None, Callable[[bytes], bytes]]] = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
    None: bytes,
}
OPERATIONS: Final = frozenset(("POST /quote", "POST /claim", "GET /quote/{id}", "GET /claim/{id}"))
"""What is answered with a quote or a claim."""
NOWHERE: Final = "/quote/q_" + "0" * 64
"""An address at which no answer is."""
IDLE_S: Final = 2.0
"""A connection that was idle for longer is made anew: the server soon closes it."""
REMEMBERED: Final = 200
"""Answers whose addresses a caller keeps, to ask for them again."""
BUSY: Final = ("200", "503 overloaded Retry-After")
KEPT: Final = ("200", "404 quote-not-kept", "503 cache-unavailable Retry-After")


class Done(Struct, frozen=True):
    """One thing that a caller did: what, how long it took, what it was told."""

    what: str
    told: str
    took_s: float


class Posted(NamedTuple):
    """A body that was posted, where, and the edition of the catalog that its answer is of."""

    path: str
    body: bytes
    edition: str


class _Catalog(msgspec.Struct):
    version: str


class _Stamped(msgspec.Struct):
    catalog: _Catalog


class Visit:
    """One caller's connection, what it remembers, and what it has done."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.draw = random.Random(seed)
        self.name = f"caller {seed}"
        self.done: list[Done] = []
        self.answers: dict[Posted, set[str]] = defaultdict(set)
        """Digests of answers. There should be one for each thing that was posted."""
        self.lost: list[str] = []
        self.misshapen: list[str] = []
        """What was wrong with the form of answers."""
        self._numbers = itertools.count()
        self._asked = itertools.count()
        self._digests: dict[str, str] = {}
        """Digests of answers, by where they can be had again."""
        self._address = ""
        """Where the last answer can be had again."""
        self._connection: HTTPConnection | None = None
        self._used_at = 0.0

    def next_name(self) -> str:
        """A name that no request had."""
        return f"{self.name} {next(self._numbers)}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[str, bytes]:
        """What is told, and the answer unpacked."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if self._connection is None or time.monotonic() - self._used_at > IDLE_S:
            self.close()
            self._connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        accepted = self.draw.choice((None, "gzip", "zstd", "gzip, deflate, br, zstd"))
        name = f"{self.name.replace(' ', '-')}:{next(self._asked)}"
        more = {"content-type": "application/json", "x-request-id": name} | headers
        if accepted is not None:
            more["accept-encoding"] = accepted
        try:
            self._connection.request(method, path, data, more)
            answer = self._connection.getresponse()
            read = READ[answer.getheader("content-encoding")](answer.read())
            self._used_at = time.monotonic()
        except (OSError, HTTPException):
            self._connection.close()
            self._connection = None
            raise
        found = Answer(answer.status, headers_of(answer.getheaders()), read)
        self.misshapen += misshapen(found, asked=operation_of(method, path), named=name)
        self._address = found.headers.get("content-location", "")
        again = " Retry-After" if "retry-after" in found.headers else ""
        if answer.status < 400:
            return str(answer.status) + again, read
        slug = json.loads(read)["type"].removeprefix("/problems/")
        return f"{answer.status} {slug}{again}", read

    def posted(self, path: str, body: Any) -> str:
        """What a request for an answer is told. The answer is remembered, to be checked."""
        data = json.dumps(body).encode()
        told, answer = self.ask("POST", path, data)
        if told == "200":
            self._digests[self._address] = self.remember(path, data, answer)
            if len(self._digests) > REMEMBERED:
                del self._digests[next(iter(self._digests))]
        return told

    def remember(self, path: str, body: bytes, answer: bytes) -> str:
        """Note what was answered, to be checked. Returns the digest of the answer."""
        stamped = msgspec.json.decode(answer, type=_Stamped)
        digest = sha256(answer).hexdigest()
        self.answers[Posted(path, body, stamped.catalog.version)].add(digest)
        return digest

    def asked_by_id(self) -> str:
        """What is told of an answer that was given before: it has the bytes that it had."""
        address = self.draw.choice([*self._digests, NOWHERE])
        told, answer = self.ask("GET", address)
        if told == "200" and sha256(answer).hexdigest() != self._digests[address]:
            return f"200, OTHER BYTES at {address}"
        return told

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()

    def do(self, act: "Act") -> None:
        """Do something, and note what came of it."""
        start = time.monotonic()
        try:
            told = act.do(self)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            self.lost.append(f"{act.name}: {error!r}")
            return
        self.done.append(Done(act.name, told, time.monotonic() - start))


def operation_of(method: str, path: str) -> str | None:
    """The operation of the contract that is answered with a quote or a claim, if this is one."""
    asked = re.sub(r"/[qc]_[0-9a-f]{64}(\?.*)?$", "/{id}", f"{method} {path}")
    return asked if asked in OPERATIONS else None


class Act(Struct, frozen=True):
    """Something that callers do: its name, how often of a thousand, and what it may be told."""

    name: str
    of_thousand: int
    may: tuple[str, ...]
    do: Callable[[Visit], str]


def new_quote(visit: Visit) -> str:
    """A quote that nobody asked for before, of any kind."""
    body = json.loads(json.dumps(visit.draw.choice(QUOTES)))
    body["run"]["name"] = visit.next_name()
    return visit.posted("/quote", body)


def repeated_quote(visit: Visit) -> str:
    """A quote that everybody asks for."""
    many = (R1, V3, *QUOTES, *(named(f"repeated {number}") for number in range(20)))
    return visit.posted("/quote", visit.draw.choice(many))


def dated_quote(visit: Visit) -> str:
    """A quote with a calendar."""
    return visit.posted("/quote", R1 | {"start": f"2027-01-{visit.draw.randrange(1, 29):02d}"})


def ranged_quote(visit: Visit) -> str:
    """A quote of intervals."""
    return visit.posted("/quote", ranged_stages(visit.draw.randrange(1000), stages=4))


def costly_quote(visit: Visit) -> str:
    """A quote that a worker computes."""
    stages = visit.draw.choice((1, 1, 2, 4))
    return visit.posted("/quote", disaggregated_stages(visit.draw.randrange(40), stages=stages))


def judged_claim(visit: Visit) -> str:
    """A claim out of the contract."""
    return visit.posted("/claim", visit.draw.choice(JUDGED))


def by_id(visit: Visit) -> str:
    """An answer that was issued before."""
    return visit.asked_by_id().replace("claim-not-kept", "quote-not-kept")


def catalog_page(visit: Visit) -> str:
    """A page of the catalog."""
    return visit.ask("GET", visit.draw.choice(PAGES))[0]


def probe(visit: Visit) -> str:
    """Health and metrics."""
    return visit.ask("GET", visit.draw.choice(PROBES))[0]


def document(visit: Visit) -> str:
    """The contract and its pages."""
    return visit.ask("GET", visit.draw.choice(DOCUMENTS))[0]


def unreadable(visit: Visit) -> str:
    """A body that is no JSON."""
    return visit.ask("POST", "/quote", b'{"run": ')[0]


def unknown(visit: Visit) -> str:
    """A request that names what nobody knows."""
    body = json.loads(json.dumps(R1))
    body["cluster"]["accelerator"] = "no-such-device"
    return visit.ask("POST", "/quote", body)[0]


def too_large(visit: Visit) -> str:
    """A body over the limit."""
    return visit.ask("POST", "/quote", b" " * (2 * 2**20))[0]


def malformed(visit: Visit) -> str:
    """Something else than HTTP."""
    with socket.create_connection(("127.0.0.1", visit.port), timeout=60) as one:
        sent(one, b"\x16\x03\x01 what is this\r\n\r\n")
        return said(one).split(b" ")[1].decode()


def slow_body(visit: Visit) -> str:
    """A body that takes two seconds."""
    data = post(named(visit.next_name()), b"Connection: close")
    with socket.create_connection(("127.0.0.1", visit.port), timeout=60) as one:
        for start in range(0, len(data), 100):
            one.sendall(data[start : start + 100])
            time.sleep(200 / len(data))
        return said(one).split(b" ")[1].decode()


def leaves(visit: Visit) -> str:
    """A client that is gone before the answer."""
    body = disaggregated_stages(visit.draw.randrange(1000), stages=8)
    with socket.create_connection(("127.0.0.1", visit.port), timeout=60) as one:
        one.sendall(post(body))
        time.sleep(visit.draw.random() / 5)
    return "left"


ACTS: Final = (
    Act("new quote", 120, BUSY, new_quote),
    Act("repeated quote", 420, BUSY, repeated_quote),
    Act("quote with a calendar", 60, BUSY, dated_quote),
    Act("quote of intervals", 20, BUSY, ranged_quote),
    Act("costly quote", 10, BUSY, costly_quote),
    Act("claim", 40, BUSY, judged_claim),
    Act("by id", 120, KEPT, by_id),
    Act("catalog page", 60, ("200",), catalog_page),
    Act("probe", 60, ("200",), probe),
    Act("document", 20, ("200",), document),
    Act("unreadable", 20, ("400 unreadable-json",), unreadable),
    Act("unknown name", 20, ("422 unknown-accelerator",), unknown),
    Act("too large", 5, ("413 payload-too-large",), too_large),
    Act("no HTTP", 10, ("400",), malformed),
    Act("slow body", 10, ("200", "503"), slow_body),
    Act("leaves", 5, ("left",), leaves),
)


def acts(draw: random.Random) -> Iterator[Act]:
    """What to do next, for ever."""
    weights = [act.of_thousand for act in ACTS]
    while True:
        yield from draw.choices(ACTS, weights, k=100)
