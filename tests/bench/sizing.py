"""How many replicas: measured on a real server, and written into docs/sizing.md.

python -m tests.bench.sizing --measure    # anew, in a minute, into sizing.json
python -m tests.bench.sizing              # docs/sizing.md from sizing.json
"""

import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from tests.requests import R1, ranged_stages
from tests.server import Service, start_service

RECORD: Final = Path(__file__).parent / "sizing.json"
PAGE: Final = Path(__file__).parents[2] / "docs" / "sizing.md"
BUSY_SHARE: Final = 0.6
"""What the autoscaler aims at: the rest is for bursts, and for a replica that is away."""
SPARE: Final = 1
"""One more than the traffic needs: one may be replaced at any time."""
LEAST: Final = 2
RATES: Final = (10, 100, 1000, 5000)
HEADERS: Final = {"content-type": "application/json"}
PREDICTED: Final[dict[str, Any]] = {
    "run": {
        "name": "predicted",
        "stages": [
            {
                "name": "pre-training",
                "work": {
                    "kind": "pretraining",
                    "model": {"kind": "preset", "id": "llama-3.1-70b"},
                    "tokens": 1e12,
                    "sequence_length": 8192,
                    "global_batch_tokens": 4194304,
                },
            }
        ],
    },
    "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1024},
}


class Measured(Struct, frozen=True):
    """CPU time of a kind of request."""

    name: str
    requests: int
    cpu_ms: float


class Record(Struct, frozen=True):
    """What was measured, where and when."""

    on: str
    processor: str
    python: str
    start_mib: float
    full_mib: float
    kinds: tuple[Measured, ...]


def replicas_for(rate: float, cpu_ms: float) -> int:
    """Replicas of one core for so many requests a second, with one to spare."""
    return max(LEAST, ceil(rate * cpu_ms / 1000 / BUSY_SHARE) + SPARE)


def rate_of(cpu_ms: float) -> float:
    """Requests a second of one replica with one core, as busy as it should be."""
    return BUSY_SHARE * 1000 / cpu_ms


def measured() -> Record:
    """All kinds, on a server of its own."""
    with start_service() as service:
        start = service.metric("process_resident_memory_bytes")
        first = service.client.post("/quote", json=R1)
        path = first.headers["content-location"]
        kinds = tuple(
            _measured(service, name, requests, ask)
            for name, requests, ask in (
                ("asked before", 2000, lambda client, _: client.post("/quote", json=R1)),
                ("read by its id", 2000, lambda client, _: client.get(path)),
                ("new, of known hours", 400, _new(R1)),
                (
                    "new, 64 stages with intervals",
                    40,
                    lambda client, number: client.post("/quote", json=ranged_stages(number)),
                ),
                ("new, predicted", 200, _new(PREDICTED)),
            )
        )
        full = service.metric("process_resident_memory_bytes")
    return Record(
        on=datetime.now(UTC).date().isoformat(),
        processor=_processor(),
        python=platform.python_version(),
        start_mib=round(start / 2**20),
        full_mib=round(full / 2**20),
        kinds=kinds,
    )


def _new(body: dict[str, Any]) -> Callable[[httpx.Client, int], httpx.Response]:
    """Asks for the same under ever new names."""

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        named = body | {"run": body["run"] | {"name": f"sizing {number}"}}
        return client.post("/quote", json=named)

    return ask


def _measured(
    service: Service, name: str, requests: int, ask: Callable[[httpx.Client, int], httpx.Response]
) -> Measured:
    for number in range(requests // 10):  # warm
        assert ask(service.client, 100_000 + number).status_code == 200
    before = service.metric("process_cpu_seconds_total")
    for number in range(requests):
        answer = ask(service.client, number)
        assert answer.status_code == 200, answer.text
    took = service.metric("process_cpu_seconds_total") - before
    return Measured(name, requests, round(took / requests * 1000, 3))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def page(record: Record) -> str:
    """docs/sizing.md."""
    kinds = "\n".join(
        f"| {one.name} | {one.cpu_ms:g} | {rate_of(one.cpu_ms):,.0f} |" for one in record.kinds
    )
    needs = "\n".join(
        f"| {one.name} | "
        + " | ".join(f"{replicas_for(rate, one.cpu_ms):,}" for rate in RATES)
        + " |"
        for one in record.kinds
    )
    rates = " | ".join(f"{rate:,}/s" for rate in RATES)
    return f"""\
# Sizing: replicas for so many requests a second

Made by `python -m tests.bench.sizing` from figures that were measured on {record.on}: one process
on one core of {record.processor}, Python {record.python}, over loopback, by the CPU
seconds that the process itself reports. Measure on your own machine by
`python -m tests.bench.sizing --measure`: another core may be twice as fast, or half.

| a request | CPU, ms | requests a second and replica |
| --- | --- | --- |
{kinds}

A replica is one process, and answers on one core. The right column has it {BUSY_SHARE:.0%} busy:
that is what the autoscaler of [deploy/kubernetes](../deploy/kubernetes) aims at. What is computed
apart, in the worker that costly quotes have, comes on top: give a replica two cores where they are
common.

Replicas = CPU seconds of a second's requests / {BUSY_SHARE:g}, rounded up, and {SPARE} to spare;
{LEAST} at least. Of one kind alone:

| a request | {rates} |
| --- | {" | ".join("---" for _ in RATES)} |
{needs}

For a mix, add the CPU seconds up. 500 requests a second, of which nine in ten were asked before and
one is new and predicted: {_mixed(record)}.

**Memory.** {record.start_mib:.0f} MiB after the start, {record.full_mib:.0f} MiB after what was
measured here, in the process that answers. What it keeps is bounded by
`RUNQUOTE_CACHE_MEMORY_BYTES` and `RUNQUOTE_MEMO_MAX_BYTES`, and the worker takes about as much as
the process at its start: 512 MiB hold both with the defaults.

**Redis.** It holds answers of 10 to 100 KB, packed to a tenth of that: 256 MB are some ten thousand
of them. Replicas only ask it for what takes longer to compute than a look takes.
"""


def _mixed(record: Record) -> str:
    by_name = {one.name: one.cpu_ms for one in record.kinds}
    cpu_ms = 0.9 * by_name["asked before"] + 0.1 * by_name["new, predicted"]
    return (
        f"500 x (0.9 x {by_name['asked before']:g} + 0.1 x {by_name['new, predicted']:g}) ms = "
        f"{500 * cpu_ms / 1000:.2f} s, so {replicas_for(500, cpu_ms)} replicas"
    )


def recorded() -> Record:
    """What was measured last."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Record)


def main() -> None:
    """Measure if told to, and write the page."""
    if "--measure" in sys.argv:
        RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(measured()), indent=1) + b"\n")
    PAGE.write_text(page(recorded()), encoding="utf-8")


if __name__ == "__main__":
    main()
