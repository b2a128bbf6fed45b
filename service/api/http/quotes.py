"""POST /quote, /claim and the like: decode, ask, answer with the stored bytes.

What the envelope of a request adds is made anew for each answer, and is not stored.
"""

from time import perf_counter

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send

from service.api.http.bodies import Bounds, departure, posted_headers, send_allowed
from service.api.http.negotiation import JSON, check_accepts
from service.api.http.repeats import address_of, answer_headers
from service.api.http.sheets.forms import form_wanted, in_form
from service.api.refusing.decoding import decoded
from service.api.refusing.problems import send_problem
from service.computing.flights import ClientGone
from service.computing.kinds import QUOTES, Handled
from service.quoting import Issued, Quoting
from service.sheet.forms import Form


def post_route(asked: Handled, quoting: Quoting, bounds: Bounds) -> ASGIRouteHandler:
    """The hot route: raw bytes in, stored bytes out."""

    @asgi(asked.path, copy_scope=False)
    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "OPTIONS":
                await send_allowed(send)
                return
            headers = posted_headers(scope)
            form = form_accepted(asked, headers.get("accept"))
            body = await bounds.body_of(headers, receive)
            start = perf_counter()
            known = quoting.known(body, asked=asked)
            issued = None if known is None else quoting.recall(known)
            read = perf_counter()
            if issued is None:
                with quoting.metrics.phase("decode"):
                    request = decoded(body, asked=asked.kind.request)
                read = perf_counter()
                issued = await quoting.issue(
                    request, spelled=body, leaves=lambda: departure(receive)
                )
            answered = perf_counter()
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a problem
            await send_problem(error, scope, send, metrics=quoting.metrics)
            return
        scope["state"]["noted"].update({asked.kind.name: issued.id, "cache": issued.origin})
        timing = (
            f"decode;dur={(read - start) * 1000:.3f}, "
            f"{issued.origin};dur={(answered - read) * 1000:.3f}"
        )
        if form is not None:
            await send_in_form(issued, form, send, timing=timing)
            return
        await send_issued(issued, send, timing=timing)

    return handle


def form_accepted(asked: Handled, accept: str | None) -> Form | None:
    """The form that is accepted. None for JSON: only quotes have others."""
    if asked is QUOTES:
        return form_wanted(accept, {})
    check_accepts(accept, JSON)
    return None


async def send_in_form(issued: Issued, form: Form, send: Send, *, timing: str) -> None:
    """The sheet of an answer with its headers."""
    content, said = await in_form(issued, form)
    headers = [(name.lower().encode(), value.encode()) for name, value in said.items()]
    headers += [
        (b"content-type", form.content_type.encode()),
        (b"content-location", address_of(issued).encode()),
        (b"content-length", b"%d" % len(content)),
        (b"server-timing", timing.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})


async def send_issued(issued: Issued, send: Send, *, timing: str) -> None:
    """The stored bytes with their headers."""
    headers = answer_headers(issued, timing=timing.encode())
    headers.append((b"content-length", b"%d" % len(issued.body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": issued.body, "more_body": False})
