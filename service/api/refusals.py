"""From an exception to a problem on the wire, whichever layer raised it; every one is counted."""

from collections.abc import Callable
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.types import Scope, Send

from service.api.problems import Refused, Rendered, render
from service.metrics import Metrics

log = structlog.get_logger("runquote.http")


def refusal(error: Exception, scope: Scope, metrics: Metrics) -> Rendered:
    """The problem that an error is, counted; what we did not foresee is logged whole."""
    request_id: str = scope["state"]["request_id"]
    rendered = render(translated(error, scope), request_id=request_id)
    metrics.problems.labels(rendered.slug).inc()
    if rendered.status >= 500:
        log.error("unforeseen", request_id=request_id, exc_info=error)
    return rendered


def translated(error: Exception, scope: Scope) -> Exception:
    """What the framework refuses, in the words of our table; the rest as it is."""
    if isinstance(error, MethodNotAllowedException):
        return method_not_allowed(scope["method"], (error.headers or {}).get("Allow", ""))
    if isinstance(error, NotFoundException):
        return Refused("not-found", f"there is nothing at {scope['path']}")
    if isinstance(error, HTTPException) and error.status_code < 500:
        return Refused("not-found", f"{scope['path']} cannot be read as an address: {error.detail}")
    return error


def method_not_allowed(method: str, allowed: str) -> Refused:
    """405 with the methods that would do; HEAD goes wherever GET does."""
    methods = {name.strip() for name in allowed.split(",") if name.strip()}
    if "GET" in methods:
        methods.add("HEAD")
    listed = ", ".join(sorted(methods))
    return Refused(
        "method-not-allowed",
        f"{method} is not taken here; {listed} would be",
        headers={"Allow": listed},
    )


async def send_refusal(error: Exception, scope: Scope, send: Send, metrics: Metrics) -> None:
    """Answer an ASGI request with a problem."""
    rendered = refusal(error, scope, metrics)
    headers = rendered.headers | {"Content-Length": str(len(rendered.body))}
    await send(
        {
            "type": "http.response.start",
            "status": rendered.status,
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": rendered.body, "more_body": False})


def exception_handler(
    metrics: Metrics,
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    """What Litestar calls for every exception that a route or the routing raises."""

    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        rendered = refusal(error, request.scope, metrics)
        media_type = rendered.headers.pop("Content-Type")
        return Response(
            rendered.body,
            status_code=rendered.status,
            headers=rendered.headers,
            media_type=media_type,
        )

    return handle
