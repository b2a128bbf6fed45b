"""The answer to a request: the kept bytes of its quote, and what follows from its envelope.

Whatever is added is a function of the kept bytes and of the envelope, and of nothing else. So a
quote that is found and one that is computed give the same answer. What is added has a member of
its own at the end of the answer, and the kept bytes stand before it as they are.

A new member of the envelope needs a member of `Envelope`, a member of `Quote` for what follows
from it, and a line in `additions`.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import UNSET

from service.core.request.envelope import Envelope
from service.core.request.request import QuoteRequest
from service.envelope.calendar import calendar_of

EMPTY: Final = Envelope()
TAG_DIGITS: Final = 32


def envelope_of(request: QuoteRequest) -> Envelope:
    """The envelope of a request."""
    return Envelope(**{name: getattr(request, name) for name in Envelope.__struct_fields__})


def additions(body: bytes, envelope: Envelope) -> Mapping[str, Any]:
    """The members that an envelope adds to the quote in `body`."""
    return {} if envelope.start is UNSET else {"calendar": calendar_of(body, envelope.start)}


def enveloped(body: bytes, envelope: Envelope) -> bytes:
    """The kept bytes of a quote with the members that follow from an envelope, at the end."""
    if envelope == EMPTY:
        return body
    added = msgspec.json.encode(additions(body, envelope))
    return body[:-1] + b"," + added[1:]


def entity_tag(id: str, envelope: Envelope) -> str:
    """What tells the answers of one quote apart: its id, and a digest of the envelope if any."""
    if envelope == EMPTY:
        return id
    return f"{id}.{sha256(msgspec.json.encode(envelope)).hexdigest()[:TAG_DIGITS]}"
