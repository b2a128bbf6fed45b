"""The answer to a request: the kept bytes of its quote, and what follows from its envelope.

Whatever is added is a function of the kept bytes, of the envelope and of the operator's limit for
the age of prices, and of nothing else. So a quote that is found and one that is computed give the
same answer. What is added has a member of
its own at the end of the answer, and the kept bytes stand before it as they are.

A new member of the envelope needs a member of `Envelope`, a member of `Quote` for what follows
from it, and a line in `additions`.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import UNSET

from service.core.answer.heading import Heading
from service.core.request.envelope import Envelope
from service.core.request.request import QuoteRequest
from service.envelope.calendar import calendar_of
from service.envelope.today import STALE_PRICE_DAYS, kept_prices, today_of

EMPTY: Final = Envelope()
TAG_DIGITS: Final = 32


def envelope_of(request: QuoteRequest) -> Envelope:
    """The envelope of a request."""
    return Envelope(**{name: getattr(request, name) for name in Envelope.__struct_fields__})


def additions(
    body: bytes, envelope: Envelope, *, stale_price_days: int = STALE_PRICE_DAYS
) -> Mapping[str, Any]:
    """The members that an envelope adds to the quote in `body`."""
    added: dict[str, Any] = {}
    if envelope.start is not UNSET:
        added["calendar"] = calendar_of(body, envelope.start)
    if envelope.today is not UNSET:
        kept = kept_prices(body)
        added["today"] = today_of(kept, envelope.today, stale_from_days=stale_price_days)
    heading = heading_of(envelope)
    if heading != Heading():
        added["heading"] = heading
    return added


def heading_of(envelope: Envelope) -> Heading:
    """The words of a caller for the sheet."""
    return Heading(**{name: getattr(envelope, name) for name in Heading.__struct_fields__})


def enveloped(
    body: bytes, envelope: Envelope, *, stale_price_days: int = STALE_PRICE_DAYS
) -> bytes:
    """The kept bytes of a quote with the members that follow from an envelope, at the end."""
    if envelope == EMPTY:
        return body
    added = additions(body, envelope, stale_price_days=stale_price_days)
    return body[:-1] + b"," + msgspec.json.encode(added)[1:]


def entity_tag(id: str, envelope: Envelope, *, stale_price_days: int = STALE_PRICE_DAYS) -> str:
    """What tells the answers of one quote apart: its id, and a digest of the envelope if any.

    Of a `today` the operator's limit is told too.
    """
    if envelope == EMPTY:
        return id
    told = (envelope, UNSET if envelope.today is UNSET else stale_price_days)
    parts = [part for part in told if part is not UNSET]
    return f"{id}.{sha256(msgspec.json.encode(parts)).hexdigest()[:TAG_DIGITS]}"
