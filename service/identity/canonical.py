"""The canonical request and the content id of its quote."""

from hashlib import sha256
from typing import Final

import msgspec
import rfc8785

from service.core.request.request import QuoteRequest

DOMAIN: Final = b"runquote/quote/2"

_decode: Final = msgspec.json.Decoder(QuoteRequest).decode


def canonical_request(request: QuoteRequest) -> bytes:
    """The request with its defaults filled in, as RFC 8785 writes it.

    Member order, omitted defaults and the spelling of numbers (1e3, 1000, 1000.0) do not matter.
    """
    return rfc8785.dumps(msgspec.to_builtins(request))


def read_canonical(canonical: bytes) -> QuoteRequest:
    """The request that canonical bytes say: what a quote is computed from."""
    return _decode(canonical)


def quote_id(canonical: bytes, *, engine_digest: str, catalog_digest: str) -> str:
    """`q_` and the SHA-256 over domain, digest of the engine, that of the catalog, and request."""
    digest = sha256()
    for part in (DOMAIN, engine_digest.encode(), catalog_digest.encode(), canonical):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return "q_" + digest.hexdigest()
