"""How the service is asked under a fault, and how what it says is put into words."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from service.local import quote_bytes
from tests.load import named
from tests.server import Service

RIGHT: Final = "200, right to the byte"
ALIVE: Final = {"health": "200"}
PATIENCE_S: Final = 120.0
LOOK_S: Final = 0.02


def told(answer: httpx.Response) -> str:
    """Status, kind of problem, and whether it says when to come again."""
    parts = [str(answer.status_code)]
    if answer.is_error:
        parts.append(answer.json()["type"].removeprefix("/problems/"))
    if "retry-after" in answer.headers:
        parts.append("Retry-After")
    return " ".join(parts)


def all_told(found: set[str]) -> str:
    """What was told by several answers."""
    return " or ".join(sorted(found))


def quoted(service: Service, name: str, *, count: int = 10) -> str:
    """How quotes are answered that are new, and asked for again."""
    return all_told(
        {quoted_once(service, named(f"{name} {index // 2}")) for index in range(2 * count)}
    )


def quoted_once(service: Service, request: Any) -> str:
    """How one quote is answered."""
    answer = service.client.post("/quote", json=request)
    if answer.status_code != 200:
        return told(answer)
    right = answer.content == quote_bytes(msgspec.json.encode(request))
    return RIGHT if right else "200, OTHER BYTES"


def health(service: Service) -> str:
    """What the probes are told."""
    return all_told({told(service.client.get(path)) for path in ("/livez", "/readyz")})


def counted(service: Service, name: str, label: str) -> dict[str, float]:
    """The values of a metric by one of its labels."""
    families = text_string_to_metric_families(service.client.get("/metrics").text)
    return {
        sample.labels[label]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def seconds_until(holds: Callable[[], bool]) -> float:
    """How long it takes until something holds."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > PATIENCE_S:
            raise AssertionError(f"not within {PATIENCE_S:g} s")
        time.sleep(LOOK_S)
    return time.monotonic() - start
