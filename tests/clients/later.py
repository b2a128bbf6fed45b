"""The service as it may answer some day: with members, codes and alternatives that are added later.

An ASGI application stands before the real service. It passes requests on, and adds to each answer
what the compatibility policy says may be added.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import uvicorn

NEW: Final = "added_later"
MEMBER: Final = {"value": 1, "list": ["a"]}
START_TIMEOUT_S: Final = 20.0
NEW_BILL: Final = {"status": "deferred", "basis": "shared", "lines": [], "excludes": [NEW]}
NEW_WARNING: Final = {
    "severity": "muse",
    "code": NEW,
    "detail": "Found by a later version.",
    "pointer": "/run",
}


def added_to_quote(quote: dict[str, Any]) -> dict[str, Any]:
    """A quote with what may be added to one."""
    bill = quote["bases"][0]
    line = bill["lines"][0]
    places = (quote, quote["catalog"], quote["engine"], quote["request"], bill, line)
    for place in (*places, bill["total"], quote["stages"][0], quote["totals"]):
        place[NEW] = MEMBER
    quote["request"]["cluster"]["supply"][NEW] = MEMBER
    line["item"] = NEW
    quote["stages"][0]["feasibility"]["status"] = NEW
    quote["bases"].append(NEW_BILL | {NEW: MEMBER})
    quote["warnings"].insert(0, NEW_WARNING | {NEW: MEMBER})
    figure = next(iter(quote["figures"].values()))
    figure["source"] = {"kind": "overheard", NEW: MEMBER}
    return quote


def added_to_problem(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem with what may be added to one."""
    problem[NEW] = MEMBER
    problem["errors"][0] |= {"code": NEW, NEW: MEMBER}
    return problem


def added(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with what may be added to it."""
    return added_to_quote(answer) if "bases" in answer else added_to_problem(answer)


class Later:
    """The application before the service at an address."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=60.0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on one request, and add to its answer."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        answer = await self._client.post(scope["path"], content=body, headers=headers)
        content = json.dumps(added(answer.json())).encode()
        kept = [(b"content-type", answer.headers["content-type"].encode())]
        kept += [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": content})


@contextlib.contextmanager
def later(url: str) -> Iterator[str]:
    """The address of the service that answers as a later one, while the `with` lasts."""
    # Java offers another protocol. h11 reads the body of such a request, httptools does not.
    config = uvicorn.Config(
        Later(url), port=0, http="h11", lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
