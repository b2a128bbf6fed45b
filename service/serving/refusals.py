"""Refusals that the server makes by itself, before the application sees a request."""

from collections.abc import Iterable
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.api.http.cors import Cors
from service.api.http.middleware import common_headers, guarding_headers, request_id_of
from service.api.http.repeats import Headers
from service.api.refusing.errors import Refused
from service.api.refusing.problems import render

NAME: Final = b"x-request-id"
ORIGIN: Final = b"origin"


def refusal_bytes(
    refusal: Refused, *, asked: Iterable[tuple[bytes, bytes]], defaults: Headers, cors: Cors
) -> bytes:
    """An answer that refuses a request and ends its connection.

    It has the headers of every answer. `asked` are the headers of the request that have come so
    far, `defaults` those that the server adds to all answers. A page of another host may read it if
    `cors` lets it in, and if the `Origin` is among the headers that have come.
    """
    sent = dict(asked)
    request_id = request_id_of(sent.get(NAME))
    rendered = render(refusal, request_id=request_id)
    own = rendered.headers | {"Connection": "close"}
    headers = [
        *defaults,
        *((name.lower().encode(), value.encode()) for name, value in own.items()),
        *common_headers(request_id),
        *cors.of_answer(sent.get(ORIGIN)),
        *guarding_headers([]),
    ]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return STATUS_LINE[rendered.status] + lines + b"\r\n" + rendered.body
