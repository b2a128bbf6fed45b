"""A catalog that changes under load: no request is lost, and each answer is of one edition."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from service.api.refusing.decoding import decode_request
from service.editions.shelf import Shelf, Sources, stocked_shelf
from service.local import quoting_over
from tests.layers import H100, day_after, offer_row, put_edition
from tests.requests import disaggregated_stages
from tests.server import Service, start_service
from tests.worlds import embedded

VERSIONS = tuple(map(day_after, (1, 2, 3, 4)))
HEADERS = {"content-type": "application/json"}
NAMES = 12
"""Different questions of each caller, so that both the cache and the engine answer."""
POLL_S = "0.1"


class Exchange(NamedTuple):
    """A body that was posted, the status, and the answer."""

    body: bytes
    status: int
    answer: bytes


class Caller(threading.Thread):
    """Posts requests one after another until it is told to stop."""

    def __init__(self, port: int, bodies: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.bodies = bodies
        self.done = threading.Event()
        self.exchanges: list[Exchange] = []
        self.lost: list[str] = []

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.done.is_set():
            body = self.bodies[len(self.exchanges) % len(self.bodies)]
            try:
                connection.request("POST", "/quote", body, HEADERS)
                answer = connection.getresponse()
                self.exchanges.append(Exchange(body, answer.status, answer.read()))
            except OSError as error:
                self.lost.append(repr(error))
                connection.close()
        connection.close()


def market_quote(name: str, **more: Any) -> bytes:
    """Known hours at the market's price, which each edition moves."""
    return json.dumps(
        {
            "run": {
                "name": name,
                "stages": [{"name": "s", "work": {"kind": "metered", "device_hours": 1000}}],
            },
            "cluster": {"accelerator": H100, "devices": 8},
            **more,
        }
    ).encode()


def costly_quote(index: int) -> bytes:
    """Reinforcement learning whose split is searched for: a worker computes it."""
    request = disaggregated_stages(index, stages=1)
    request["run"]["stages"][0].pop("cluster")
    return json.dumps(request).encode()


def current(service: Service) -> str:
    version: str = service.client.get("/readyz").json()["catalog"]["version"]
    return version


def answers_of(shelf: Shelf, digest: str, body: bytes) -> bytes:
    """The bytes that the command line gives for a body with the edition of this digest."""
    (edition,) = (
        found for found in map(shelf.edition, shelf.standing.versions) if found.digest == digest
    )
    quoting = quoting_over(shelf)
    return quoting.compute(quoting.posed(decode_request(body), edition))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = tmp_path / "catalog"
    (directory / ".writing").mkdir(parents=True)
    return directory


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    put_edition(folder, VERSIONS[0], 3.0)
    with start_service(RUNQUOTE_CATALOG_DIR=str(folder), RUNQUOTE_CATALOG_POLL_S=POLL_S) as one:
        yield one


@pytest.mark.load
@pytest.mark.timeout(300)
def test_swaps_under_load_lose_no_request_and_mix_no_editions(folder, service):
    cheap = [[market_quote(f"caller {n}, {k}") for k in range(NAMES)] for n in range(3)]
    callers = [Caller(service.port, bodies) for bodies in (*cheap, [*map(costly_quote, range(3))])]
    for caller in callers:
        caller.start()

    def comes(count: int) -> bool:
        """Whether every caller gets so many more answers."""
        goals = [
            (one, len(one.exchanges) + (count if one in callers[:3] else 2)) for one in callers
        ]
        return service.settles(lambda: all(len(one.exchanges) >= goal for one, goal in goals))

    assert comes(30)
    for version, usd in zip(VERSIONS[1:3], (5.0, 9.0), strict=True):
        put_edition(folder, version, usd)
        assert service.settles(lambda version=version: current(service) == version)
        assert comes(30)
    put_edition(folder, VERSIONS[3], 11.0, offer_row("bad", 1.0, provider="nobody"))
    assert service.settles(lambda: service.metric("runquote_catalog_refused") == 1)
    assert current(service) == VERSIONS[2]
    assert comes(30)
    (folder / VERSIONS[2]).rename(folder / ".writing" / VERSIONS[2])
    service.process.send_signal(signal.SIGHUP)
    assert service.settles(lambda: current(service) == VERSIONS[1])
    assert comes(30)
    for caller in callers:
        caller.done.set()
    for caller in callers:
        caller.join(timeout=120)

    (folder / ".writing" / VERSIONS[2]).rename(folder / VERSIONS[2])
    shelf = stocked_shelf(Sources(folder=folder))
    exchanges = [one for caller in callers for one in caller.exchanges]
    assert [lost for caller in callers for lost in caller.lost] == []
    assert {one.status for one in exchanges} == {200}
    assert len(exchanges) > 450
    different = {one.answer: one for one in exchanges}.values()
    used = set()
    for one in different:
        digest = msgspec.json.decode(one.answer)["catalog"]["digest"]
        used.add(digest)
        assert one.answer == answers_of(shelf, digest, one.body)
    known = {shelf.edition(version).digest for version in VERSIONS[:3]}
    assert used == known
    costly = {msgspec.json.decode(one.answer)["catalog"]["digest"] for one in callers[-1].exchanges}
    assert costly == known, "workers answer with every edition too"
    print(f"{len(exchanges)} answers, {len(different)} different, {len(used)} editions")


@pytest.mark.timeout(300)
def test_a_quote_under_an_old_edition_is_given_again_byte_for_byte_after_the_swap(folder, service):
    bodies = [market_quote("filed"), costly_quote(1)]
    filed = [service.client.post("/quote", content=one, headers=HEADERS).content for one in bodies]
    put_edition(folder, VERSIONS[1], 5.0)
    assert service.settles(lambda: current(service) == VERSIONS[1])
    for body, before in zip(bodies, filed, strict=True):
        assert service.client.post("/quote", content=body, headers=HEADERS).content != before
    with start_service(RUNQUOTE_CATALOG_DIR=str(folder)) as another:
        assert (
            another.client.get(f"/quote/{msgspec.json.decode(filed[0])['id']}").status_code == 404
        )
        for body, before in zip(bodies, filed, strict=True):
            named = json.dumps({"catalog": VERSIONS[0], **json.loads(body)})
            again = another.client.post("/quote", content=named, headers=HEADERS)
            assert again.content == before
        listed = another.client.get("/readyz").json()["editions"]
        assert listed == [VERSIONS[1], VERSIONS[0], embedded().version]
    printed = subprocess.run(
        [sys.executable, "-m", "service.cli", "quote", "-", "--format", "json",
         "--catalog-dir", str(folder)],
        input=json.dumps({"catalog": VERSIONS[0], **json.loads(bodies[0])}).encode(),
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert printed == filed[0]


def test_an_edition_that_is_not_known_is_a_422_that_names_those_that_are(service):
    refused = service.client.post(
        "/quote", content=market_quote("x", catalog="2025-01-01"), headers=HEADERS
    )
    assert refused.status_code == 422
    problem = refused.json()
    assert problem["type"] == "/problems/unknown-catalog"
    assert problem["errors"][0]["nearest"] == [VERSIONS[0], embedded().version]


def test_a_broken_edition_leaves_the_old_one_with_a_metric_and_a_line(folder, service):
    before = service.client.get("/readyz").json()["catalog"]
    put_edition(folder, VERSIONS[1], 5.0, offer_row("bad", 1.0, provider="nobody"))
    assert service.settles(lambda: service.metric("runquote_catalog_refused") == 1)
    looks = service.metric("runquote_catalog_looks_total", outcome="refused", reason="invalid")
    assert looks == 1
    assert service.client.get("/readyz").json()["catalog"] == before
    assert service.metric("runquote_build_info", catalog_version=VERSIONS[0]) == 1
    assert service.settles(lambda: "catalog refused" in service.log())
    told = [json.loads(line) for line in service.log().splitlines() if "refused" in line]
    (line,) = (one for one in told if one["event"] == "catalog refused")
    assert (line["what"], line["reason"], line["current"]) == (VERSIONS[1], "invalid", VERSIONS[0])
    assert "unknown provider 'nobody'" in line["detail"]
    assert "overlay/offers/some.csv, line 3 (bad)" in line["detail"]


def test_lists_and_build_info_are_those_of_the_current_edition(folder, service):
    assert f"lambda-{VERSIONS[0]}" in _offers(service)
    put_edition(folder, VERSIONS[1], 5.0)
    assert service.settles(lambda: current(service) == VERSIONS[1])
    assert _offers(service) == {f"lambda-{VERSIONS[1]}"}
    ready = service.client.get("/readyz").json()["catalog"]
    page = service.client.get("/catalog/offers", params={"limit": 1}).json()["catalog"]
    assert page == ready
    text = service.client.get("/metrics").text
    infos = [line for line in text.splitlines() if line.startswith("runquote_build_info{")]
    assert len(infos) == 1
    assert ready["digest"] in infos[0]
    gone = service.client.get(f"/catalog/offers/lambda-{VERSIONS[0]}")
    assert gone.status_code == 404


def _offers(service: Service) -> set[str]:
    """Offers of Lambda that only overlays have."""
    known = embedded().offers
    page = service.client.get("/catalog/offers", params={"provider": "lambda", "limit": 200})
    return {row["id"] for row in page.json()["items"]} - known.keys()
