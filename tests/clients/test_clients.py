"""Generated clients send what a person would send, and read what is added to answers later.

The quick ones run in `make test`, all of them in `make clients`.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.building import CLIENTS, ROOT, Client, Missing, run
from tests.clients.later import NEW, NEW_BILL, later
from tests.server import start_service

MARKS = {True: (), False: (pytest.mark.toolchain, pytest.mark.timeout(900))}


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


@pytest.fixture(scope="module")
def later_service(service):
    with later(service.url) as url:
        yield url


def readme_request() -> dict[str, Any]:
    """The request that the README posts."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"8000/quote .* <<'END'\n(.*?)\nEND\n", text, flags=re.DOTALL)
    request: dict[str, Any] = json.loads(body)
    return request


def interval_request() -> dict[str, Any]:
    """The same with an interval for the hours of a stage, and for the price."""
    request = readme_request()
    request["run"]["stages"][0]["work"]["device_hours"] = {"low": 90000, "high": 120000}
    request["cluster"]["supply"]["usd_per_device_hour"] = {"low": 1.8, "high": 2.4}
    return request


def posted(url: str, request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(f"{url}/quote", json=request, timeout=60.0).json()
    return answer


def built(client: Client, at: Path) -> list[str]:
    """The command that runs a client. Without its toolchain the test is skipped, but not in CI."""
    try:
        return client.build(at)
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{client.name} IS NOT TESTED: {missing}")


@pytest.mark.parametrize(
    "client",
    [pytest.param(client, marks=MARKS[client.quick], id=client.name) for client in CLIENTS],
)
def test_a_generated_client_sends_numbers_and_intervals_and_reads_what_is_added(
    client, service, later_service, tmp_path
):
    command = built(client, tmp_path)
    read = json.loads(run([*command, service.url, later_service], at=tmp_path))
    by_number = posted(service.url, readme_request())
    by_interval = posted(service.url, interval_request())
    total = by_number["bases"][0]["total"]["amount"]
    assert by_number["id"] != by_interval["id"]
    refused = {
        "status": 422,
        "code": "unknown_accelerator",
        "pointer": "/cluster/accelerator",
    }
    # An id is a digest of the request: it is the same if nothing was lost or added on the way.
    assert read == {
        "number": {"id": by_number["id"], "total": total},
        "interval": {"id": by_interval["id"]},
        "refused": refused,
        "later": {
            "id": by_number["id"],
            "total": total,
            "status": NEW_BILL["status"],
            "item": NEW,
            "warning": NEW,
        },
        "later_refused": refused | {"code": NEW},
    }


def test_the_later_service_adds_to_an_answer_and_takes_nothing_away(service, later_service):
    today, added = (posted(url, readme_request()) for url in (service.url, later_service))
    assert added[NEW]
    assert today["bases"][0]["lines"][1:] == added["bases"][0]["lines"][1:]
    assert len(added["bases"]) == len(today["bases"]) + 1
    assert today.keys() < added.keys()


def test_a_step_that_fails_says_why():
    with pytest.raises(AssertionError, match="no such thing"):
        run(["sh", "-c", "echo no such thing >&2; exit 3"], at=ROOT)


def test_a_toolchain_that_is_missing_is_said_aloud_and_fails_in_ci(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    go = next(client for client in CLIENTS if client.name.endswith("-go"))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="go IS NOT TESTED: go is not installed"):
        built(go, tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Missing, match="apt-get install golang-go"):
        built(go, tmp_path)
