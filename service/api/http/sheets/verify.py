"""POST /quote/verify: whether a filed quote is what this engine and catalog answer."""

from typing import Final

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send
from msgspec import UNSET
from msgspec.structs import replace

from service.api.http.bodies import Bounds, departure, posted_headers, send_allowed
from service.api.http.negotiation import JSON, check_accepts
from service.api.refusing.decoding import decode_request, read
from service.api.refusing.errors import Fault, Refused
from service.api.refusing.problems import send_problem
from service.computing.flights import ClientGone
from service.core.request.request import QuoteRequest
from service.quoting import Quoting
from service.sheet.verifying import FiledQuote, Verification, asked_again, verification

PATH: Final = "/quote/verify"


def verify_route(quoting: Quoting, bounds: Bounds) -> ASGIRouteHandler:
    """The route: a filed quote in, what came of comparing it out."""

    @asgi(PATH, copy_scope=False)
    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "OPTIONS":
                await send_allowed(send)
                return
            headers = posted_headers(scope)
            check_accepts(headers.get("accept"), JSON)
            filed = await bounds.body_of(headers, receive)
            answer = await verified(filed, quoting, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a problem
            await send_problem(error, scope, send, metrics=quoting.metrics)
            return
        scope["state"]["noted"].update({"quote": answer.id, "verdict": answer.verdict})
        await send_verification(answer, send)

    return handle


async def verified(filed: bytes, quoting: Quoting, receive: Receive) -> Verification:
    """Ask the question of a filed quote again, and compare.

    An edition of the catalog that is known by its version answers; otherwise the current one.
    """
    head = read_filed(filed)
    asked = asked_again(head)
    if head.catalog.version in quoting.shelf.standing.versions:
        asked["catalog"] = head.catalog.version
    body = msgspec.json.encode(asked)
    issued = await quoting.issue(
        read_request(body), spelled=body, leaves=lambda: departure(receive)
    )
    return verification(filed, issued.body)


def read_filed(filed: bytes) -> FiledQuote:
    """What is read of a filed quote. Raises `Refused` if it is none."""
    document = read(filed)
    given = document if isinstance(document, dict) else {}
    faults = [
        Fault(
            code="missing_member", detail=f"{name} is missing: this is no quote", pointer=f"/{name}"
        )
        for name in ("id", "request")
        if name not in given
    ]
    if faults:
        raise Refused("invalid-request", faults[0].detail, errors=faults)
    try:
        return msgspec.json.decode(filed, type=FiledQuote)
    except msgspec.ValidationError as error:
        words, _, place = str(error).rpartition(" - at ")
        pointer = place.strip("`").removeprefix("$").replace(".", "/")
        fault = Fault(code="wrong_type", detail=words or str(error), pointer=pointer)
        raise Refused("invalid-request", fault.detail, errors=(fault,)) from None


def read_request(body: bytes) -> QuoteRequest:
    """The request of a filed quote. Raises `Refused`, with pointers into the quote."""
    try:
        return decode_request(body)
    except Refused as refused:
        refused.errors = tuple(
            replace(fault, pointer=f"/request{fault.pointer}")
            if fault.pointer is not UNSET
            else fault
            for fault in refused.errors
        )
        raise


async def send_verification(answer: Verification, send: Send) -> None:
    """The answer with its headers. It is not kept."""
    content = msgspec.json.encode(answer)
    headers = [
        (b"content-type", JSON.encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})
