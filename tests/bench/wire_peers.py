"""Applications that answer POST /quote with one ready answer, each as its framework would.

They are what a repeated quote is measured against. BENCH_ANSWER names a file with the answer, which
BENCH_ENCODING says how to read, and BENCH_REDIS a Redis that has answers under the paths that are
asked for.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Response, post
from redis.asyncio import Redis

from service.core.request.request import QuoteRequest

ANSWER = Path(os.environ["BENCH_ANSWER"]).read_bytes()
ENCODING = os.environ.get("BENCH_ENCODING", "").encode()
READABLE = ANSWER and not ENCODING
QUOTE = msgspec.json.decode(ANSWER, type=dict[str, Any]) if READABLE else {}
REDIS = Redis.from_url(os.environ.get("BENCH_REDIS", "redis://127.0.0.1"), protocol=2)
decode = msgspec.json.Decoder(QuoteRequest).decode


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without a framework: it decodes, and sends ready bytes."""
    assert scope["type"] == "http"
    decode((await receive())["body"])
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(ANSWER)).encode()),
    ]
    if ENCODING:
        headers.append((b"content-encoding", ENCODING))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


async def one_redis_get(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without a framework: it sends what Redis has under the path.

    Below `/zstd:` that is compressed already.
    """
    assert scope["type"] == "http"
    await receive()
    answer: Any = await REDIS.get(scope["path"][1:])
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    if scope["path"].startswith("/zstd:"):
        headers.append((b"content-encoding", b"zstd"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@post("/quote", status_code=200)
async def ready(data: QuoteRequest) -> Response[bytes]:
    """A typed request, and ready bytes."""
    return Response(ANSWER, media_type="application/json")


@post("/quote", status_code=200)
async def typed(data: QuoteRequest) -> dict[str, Any]:
    """A typed request, and an answer that is encoded for each."""
    return QUOTE


litestar_ready = Litestar([ready], openapi_config=None, logging_config=None)
litestar_typed = Litestar([typed], openapi_config=None, logging_config=None)
