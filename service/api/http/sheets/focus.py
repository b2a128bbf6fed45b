"""GET /quote/{id}/focus: a bill in the columns of FOCUS."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.api.contract.parameters import OF_A_QUOTE, OF_FOCUS, query_items, read_query
from service.api.http.by_id import kept_quote
from service.api.http.negotiation import check_accepts
from service.api.http.sheets.forms import form_headers
from service.api.refusing.errors import NotExportable
from service.core.request.envelope import Envelope
from service.quoting import Quoting
from service.sheet.focus.rows import NoFocus, focus_of
from service.sheet.forms import CSV, FORMS, Form
from service.sheet.view import Sheet

FOCUS: Final = Form(
    media_type=CSV,
    suffix="focus.csv",
    make=focus_of,
    parameters=FORMS["csv"].parameters,
)
OF_THE_BILL: Final = frozenset(parameter.name for parameter in OF_FOCUS)


@get("/quote/{id:str}/focus")
async def get_focus(
    id: FromPath[str], request: Request[Any, Any, Any], quoting: NamedDependency[Quoting]
) -> Response[bytes]:
    """A bill of a kept quote in the columns of FOCUS, as long as the quote is kept."""
    check_accepts(request.headers.get("accept"), CSV)
    query = read_query(query_items(request.scope["query_string"]), (*OF_A_QUOTE, *OF_FOCUS))
    envelope = {name: value for name, value in query.items() if name not in OF_THE_BILL}
    issued = await kept_quote(id, msgspec.convert(envelope, Envelope), quoting)
    try:
        content = await asyncio.to_thread(
            focus_of,
            Sheet(issued.body),
            basis=query.get("basis", "rental"),  # type: ignore[arg-type]
            version=query.get("version", "1.2"),  # type: ignore[arg-type]
            partial=query.get("partial") == "true",
        )
    except NoFocus as error:
        raise NotExportable(str(error)) from None
    request.scope["state"]["noted"].update({"quote": id, "cache": issued.origin})
    headers = form_headers(content, FOCUS, issued)
    return Response(content, media_type=FOCUS.content_type, headers=headers)
