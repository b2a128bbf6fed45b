"""CPU per request without a socket: the ASGI application is called as a server would call it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import structlog
from litestar import Litestar, Request, post

from service.app import build_app
from service.core.request.request import QuoteRequest
from service.settings import Settings
from tests.bench.tables import print_ratios, side_by_side
from tests.requests import R1

HEADERS = [(b"content-type", b"application/json"), (b"accept", b"*/*")]
INTERVALS = R1 | {
    "cluster": R1["cluster"]
    | {"supply": {"kind": "rate", "usd_per_device_hour": {"low": 1.5, "high": 2.7}}}
}


@post("/quote")
async def bare(request: Request[Any, Any, Any]) -> dict[str, str]:
    """A Litestar handler that reads its body and answers with a constant."""
    await request.body()
    return {"id": "q"}


@post("/typed")
async def typed(data: QuoteRequest) -> dict[str, str]:
    """A Litestar handler that has its body decoded by type."""
    return {"id": data.run.name}


def caller(app: Any, path: str, body: bytes) -> Callable[[], object]:
    """One request to an ASGI application on a loop of its own."""
    loop = asyncio.new_event_loop()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": HEADERS,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "extensions": {},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] in {200, 201}, message

    def call() -> None:
        loop.run_until_complete(app({**scope, "state": {}}, receive, send))

    return call


def in_process() -> None:
    """Print CPU per request of handlers, hits and computed quotes, side by side."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    body = json.dumps(R1).encode()
    peer = Litestar([bare, typed], openapi_config=None)
    keeping = build_app(Settings())
    forgetting = build_app(Settings(cache_memory_bytes=0))
    print_ratios(
        "One request in process, CPU",
        side_by_side(
            {
                "bare Litestar handler, body read": (caller(peer, "/quote", body), 300),
                "Litestar handler, body typed": (caller(peer, "/typed", body), 300),
                "POST /quote, memory hit": (caller(keeping, "/quote", body), 300),
                "POST /quote, computed": (caller(forgetting, "/quote", body), 100),
                "POST /quote, computed, price an interval": (
                    caller(forgetting, "/quote", json.dumps(INTERVALS).encode()),
                    30,
                ),
            }
        ),
        unit="us",
    )
