"""Routes for operators: liveness, readiness and metrics."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from service.api.http.negotiation import JSON
from service.api.refusing.errors import Draining
from service.core.answer import CatalogStamp, EngineStamp
from service.editions.shelf import Shelf
from service.lifecycle import Lifecycle
from service.metrics import Metrics

NO_STORE = {"Cache-Control": "no-store"}


def operation_routes(
    *,
    shelf: Shelf,
    metrics: Metrics,
    engine: EngineStamp,
    lifecycle: Lifecycle,
    has_metrics: bool = True,
) -> list[HTTPRouteHandler]:
    """`/livez`, `/readyz`, and `/metrics` unless it has a listener of its own."""

    @get("/livez", sync_to_thread=False)
    def livez() -> Response[dict[str, str]]:
        """Answers as long as the process can answer anything."""
        return Response({"status": "alive"}, headers=NO_STORE, media_type=JSON)

    @get("/readyz", sync_to_thread=False)
    def readyz() -> Response[bytes]:
        """Answers once the catalog is loaded. Redis does not matter, as quotes work without it.

        Raises `Draining` once the process was told to end.
        """
        if lifecycle.draining:
            raise Draining
        standing = shelf.standing
        current = standing.current
        ready = {
            "status": "ready",
            "engine": engine,
            "catalog": CatalogStamp(version=current.version, digest=current.digest),
            "editions": standing.versions,
        }
        return Response(msgspec.json.encode(ready), headers=NO_STORE, media_type=JSON)

    @get("/metrics", sync_to_thread=False)
    def exposition(request: Request[Any, Any, Any]) -> Response[bytes]:
        """All metrics, as Prometheus scrapes them."""
        body, content_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers=NO_STORE, media_type=content_type)

    return [livez, readyz, *([exposition] if has_metrics else [])]


def metrics_app(metrics: Metrics) -> ASGIApp:
    """`/metrics` by itself, for a listener of its own."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        if scope["type"] != ScopeType.HTTP:
            return
        found = scope["path"] == "/metrics" and scope["method"] in {"GET", "HEAD"}
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        body, content_type = metrics.exposition(accept) if found else (b"", "text/plain")
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        status = 200 if found else 404
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return handle
