"""A quote without a server, a cache or counters: the same bytes as the service answers."""

from functools import cache

import msgspec

from service.api.refusing.decoding import decode_claim, decode_request
from service.cache import QuoteCache
from service.catalog_files import load_catalog
from service.core.draws.memo import Memo
from service.envelope.splice import envelope_of, enveloped
from service.metrics import Metrics
from service.quoting import Quoting


@cache
def local_quoting() -> Quoting:
    """A `Quoting` over the embedded catalog that keeps no answers."""
    return Quoting(
        catalog=load_catalog(),
        cache=QuoteCache(memory_bytes=0),
        memo=Memo(),
        metrics=Metrics(),
    )


def quote_bytes(body: bytes, *, start: str | None = None) -> bytes:
    """The answer to a request in JSON. Raises what `decode_request` and `quote` raise.

    `start` is the day on which the run starts. It goes before that of the request.
    """
    quoting = local_quoting()
    request = decode_request(body)
    envelope = envelope_of(request)
    if start is not None:
        envelope = msgspec.structs.replace(envelope, start=start)
    return enveloped(quoting.compute(quoting.identify(request)), envelope)


def claim_bytes(body: bytes) -> bytes:
    """The judgement of a claim in JSON, with the errors of `quote_bytes`."""
    quoting = local_quoting()
    claim = decode_claim(body)
    return quoting.compute(quoting.identify_claim(claim))
