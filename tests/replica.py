"""The whole application, asked without a network."""

import asyncio
import contextlib
from functools import cache
from typing import Any

import httpx

from service.app import build_app
from service.catalog_files import load_catalog
from service.settings import Settings


@cache
def catalog():
    return load_catalog()


class Replica:
    """An application, asked without a network."""

    def __init__(self, app: Any) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://quotes.example"
        )

    async def ask(self, key: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return await self._client.request(method, path, headers=headers, **more)


@contextlib.asynccontextmanager
async def replica_of(**more):
    app = build_app(Settings(**more), catalog=catalog())
    sent: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    running = asyncio.ensure_future(app(scope, sent.get, said.put))
    await sent.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    try:
        yield Replica(app)
    finally:
        await sent.put({"type": "lifespan.shutdown"})
        await said.get()
        await running
