"""Routes for operators: liveness, readiness and metrics."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from service.api.http.negotiation import JSON
from service.api.refusing.errors import Draining
from service.core.answer import CatalogStamp, EngineStamp
from service.editions.shelf import Shelf
from service.lifecycle import Lifecycle
from service.metrics import Metrics

NO_STORE = {"Cache-Control": "no-store"}


def operation_routes(
    *, shelf: Shelf, metrics: Metrics, engine: EngineStamp, lifecycle: Lifecycle
) -> list[HTTPRouteHandler]:
    """`/livez`, `/readyz` and `/metrics`."""

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

    return [livez, readyz, exposition]
