"""The sheet of a quote in the form that is wanted, made beside the requests."""

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from litestar import Response

from service.api.contract.parameters import AS_JSON
from service.api.http.negotiation import JSON, check_accepts
from service.quoting import Issued
from service.sheet.forms import BY_MEDIA_TYPE, FORMS, IN_SHORT, Form, made

CACHE_CONTROL: Final = "private, no-cache"
"""A newer service may print the same quote in another way, and says so by its tag."""
TAG_DIGITS: Final = 32
Query = Mapping[str, str | float]


def form_wanted(accept: str | None, query: Query) -> Form | None:
    """The form of a quote that is asked for. None for the stored JSON. Raises `NotAcceptable`."""
    named = query.get("format")
    if named is not None and named != AS_JSON:
        return FORMS[str(named)]
    if query.get("view") == "summary":
        return IN_SHORT
    if named is not None:
        return None
    return BY_MEDIA_TYPE.get(check_accepts(accept, JSON, *BY_MEDIA_TYPE))


async def in_form(issued: Issued, form: Form) -> tuple[bytes, dict[str, str]]:
    """An answer in a form, and its headers."""
    content = await asyncio.to_thread(made, issued.body, form)
    return content, form_headers(content, form, issued)


def form_headers(content: bytes, form: Form, issued: Issued) -> dict[str, str]:
    """The headers of an answer in a form."""
    headers = {
        "ETag": f'"{sha256(content).hexdigest()[:TAG_DIGITS]}"',
        "Cache-Control": CACHE_CONTROL,
        "Vary": "accept",
        "RunQuote-Prices": issued.freshness.decode(),
        "Content-Disposition": disposition(form, issued.id),
    }
    if form.policy is not None:
        headers["Content-Security-Policy"] = form.policy()
        headers["Referrer-Policy"] = "no-referrer"
    return headers


def disposition(form: Form, id: str) -> str:
    """Whether a browser shows it or keeps it, and under which name."""
    return f'{"attachment" if form.attached else "inline"}; filename="{form.file_name(id)}"'


async def form_answer(issued: Issued, form: Form) -> Response[bytes]:
    """An answer in a form."""
    content, headers = await in_form(issued, form)
    return Response(content, media_type=form.content_type, headers=headers)
