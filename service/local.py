"""A quote without a server, a cache or counters: the same bytes as the service answers."""

from functools import cache

from service.api.refusing.decoding import decode_request
from service.cache import QuoteCache
from service.catalog_files import load_catalog
from service.core.draws.memo import Memo
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


def quote_bytes(body: bytes) -> bytes:
    """The encoded quote of a request in JSON. Raises what `decode_request` and `quote` raise."""
    quoting = local_quoting()
    request = decode_request(body)
    return quoting.compute(quoting.identify(request))
