"""The costliest requests that are legal, of each kind."""

import itertools
import json
import multiprocessing
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple, TypeAlias

import httpx

from tests.bench.batches import NDJSON, metered
from tests.bench.comparing import RUN_405B
from tests.requests import disaggregated_stages, ranged_stages

COMPARED_STAGES: Final = 4
SOLVED_STAGES: Final = 40
"""With more stages than these, comparisons and solutions are refused as too much."""
DEAR_LINES: Final = 8
DEAR_STAGES: Final = 8
ALIKE_LINES: Final = 512
UNLIKE_LINES: Final = 64
"""Lines of a batch: those that a worker computes, and those computed together or beside others."""
JSON: Final = {"content-type": "application/json"}
PATIENCE_S: Final = 300.0
TRIES: Final = 10


class Costly(NamedTuple):
    """A costly request: where it is posted, and its body."""

    path: str
    body: bytes
    headers: Mapping[str, str] = JSON


Asking: TypeAlias = Callable[[int], Costly]
"""A costly request for each number. No two are alike."""


class Ended(NamedTuple):
    """How costly requests ended, and how long the longest took."""

    told: set[str]
    longest_s: float


class Worst:
    """Asks what costs most, again and again, from a process that takes no time of other callers."""

    def __init__(self, url: str, make: Callable[[httpx.Client], Asking]) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_asks, args=(there, url, make), daemon=True)
        self._process.start()
        there.close()
        self._here.recv()  # it has begun

    def end(self) -> Ended:
        """Let the request under way be the last one."""
        self._here.send(None)
        ended: Ended = self._here.recv()
        self._process.join()
        return ended


def _asks(there: Connection, url: str, make: Callable[[httpx.Client], Asking]) -> None:
    told: set[str] = set()
    longest_s = 0.0
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        ask = make(client)
        there.send(None)
        for number in itertools.count(1):
            one = ask(number)
            start = time.monotonic()
            answer = client.post(one.path, content=one.body, headers=one.headers)
            longest_s = max(longest_s, time.monotonic() - start)
            told.add(outcome(answer))
            if there.poll():
                break
    there.send(Ended(told, longest_s))


ANSWERED: Final = "answered"
REFUSED: Final = "refused, and told when to come again"


def outcome(answer: httpx.Response) -> str:
    """How a costly request ended: a batch by the worst of its lines."""
    if answer.status_code == 503 and "retry-after" in answer.headers:
        return REFUSED
    if answer.status_code != 200:
        return f"{answer.status_code}: {answer.text[:200]}"
    if answer.headers["content-type"] == JSON["content-type"]:
        return ANSWERED
    starts = [line[:40].split(b'"status":')[-1][:3] for line in answer.content.splitlines()]
    if not starts or set(starts) - {b"200", b"503"}:
        return f"lines with {set(starts) or None}"
    return REFUSED if b"503" in starts else ANSWERED


def quotes(_: httpx.Client) -> Asking:
    """Quotes of 6 MB, whose layouts are searched for."""
    return lambda number: _json("/quote", disaggregated_stages(number))


def comparisons(_: httpx.Client) -> Asking:
    """Runs on every cluster that can be had for them."""

    def ask(number: int) -> Costly:
        run = disaggregated_stages(number, stages=COMPARED_STAGES)["run"]
        stages = [{k: v for k, v in one.items() if k != "cluster"} for one in run["stages"]]
        return _json("/compare", {"run": run | {"stages": stages}})

    return ask


def solutions(_: httpx.Client) -> Asking:
    """The fewest devices on which long runs end in time, whose layouts are searched for."""
    work = RUN_405B["run"]["stages"][0]["work"]

    def ask(number: int) -> Costly:
        works = [
            work | {"tokens": 1e12 + 1000 * number + stage, "sequence_length": 4096 + 256 * stage}
            for stage in range(SOLVED_STAGES)
        ]
        stages = [{"name": f"stage {n}", "work": one} for n, one in enumerate(works)]
        asked = {
            "run": {"name": f"costly {number}", "stages": stages},
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1024},
            "find": {"kind": "devices", "most": 100_000},
            "limits": {"deadline_hours": 2160},
        }
        return _json("/solve", asked)

    return ask


def batches(_: httpx.Client) -> Asking:
    """Lines that a worker computes one by one, that are alike, and that are computed beside."""

    def ask(number: int) -> Costly:
        first = 1000 * number
        lines = [
            *(disaggregated_stages(first + n, stages=DEAR_STAGES) for n in range(DEAR_LINES)),
            *(metered(first + n, "full") for n in range(ALIKE_LINES)),
            *(ranged_stages(first + n, stages=1 + n) for n in range(UNLIKE_LINES)),
        ]
        return Costly("/quote/batch", "\n".join(map(json.dumps, lines)).encode(), NDJSON)

    return ask


def differences(service: httpx.Client) -> Asking:
    """Two quotes of 6 MB that differ in all their stages, and are kept."""
    before, after = (_kept(service, number) for number in (1, 2))
    return lambda _: _json("/quote/diff", {"before": _by_id(before), "after": _by_id(after)})


def reconciliations(service: httpx.Client) -> Asking:
    """Invoices of a quote of 6 MB that is kept."""
    quote = _by_id(_kept(service, 1))

    def ask(number: int) -> Costly:
        lines = [{"label": "devices", "amount": 1e6 + number, "item": "device_rental"}]
        return _json("/reconcile", {"quote": quote, "invoice": {"lines": lines}})

    return ask


def _kept(service: httpx.Client, number: int) -> str:
    """The id of a quote of 6 MB. It is asked for again if the machine was too busy for it."""
    for _ in range(TRIES):
        answer = service.post("/quote", json=disaggregated_stages(number))
        if answer.status_code == 200:
            return str(answer.json()["id"])
    raise AssertionError(f"no quote of 6 MB: {answer.text}")


def _by_id(id: str) -> dict[str, Any]:
    return {"kind": "quote", "id": id}


def _json(path: str, asked: Any) -> Costly:
    return Costly(path, json.dumps(asked).encode())
