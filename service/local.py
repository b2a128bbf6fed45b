"""A quote without a server, a cache or counters: the same bytes as the service answers."""

from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec

from service.answering import Request
from service.api.refusing.decoding import decode_claim, decode_request, decoded
from service.cache import QuoteCache
from service.computing.kinds import HANDLED
from service.core.draws.memo import Memo
from service.core.request.envelope import Envelope
from service.editions.shelf import Shelf, Sources, stocked_shelf
from service.envelope.splice import envelope_of, enveloped
from service.metrics import Metrics
from service.quoting import NOTHING_KEPT, Quoting

KEPT_MAX_BYTES: Final = 64 * 2**20
NOTHING_SAID: Final[Mapping[str, str | None]] = {}
EMBEDDED = Sources()
"""The embedded catalog alone."""


@cache
def local_quoting(sources: Sources = EMBEDDED) -> Quoting:
    """A `Quoting` over the editions that there are. It keeps no answers."""
    return quoting_over(stocked_shelf(sources))


def quoting_over(shelf: Shelf, *, kept: Mapping[str, bytes] = NOTHING_KEPT) -> Quoting:
    """A `Quoting` over a shelf. It keeps no answers but those that are given, by their ids."""
    cache = QuoteCache(memory_bytes=KEPT_MAX_BYTES if kept else 0)
    for id, body in kept.items():
        cache.put_nowait(id, body)
    return Quoting(shelf=shelf, cache=cache, memo=Memo(), metrics=Metrics())


def quote_bytes(
    body: bytes,
    *,
    start: str | None = None,
    today: str | None = None,
    said: Mapping[str, str | None] = NOTHING_SAID,
    sources: Sources = EMBEDDED,
) -> bytes:
    """The answer to a request in JSON. Raises what `decode_request` and `quote` raise.

    `start` is the day on which the run starts, `today` that on which the answer is read; `said` has
    members of the envelope by name. They go before those of the request.
    """
    request = decode_request(body)
    beside = {"start": start, "today": today, **said}
    stated = {name: words for name, words in beside.items() if words is not None}
    asked = {**msgspec.to_builtins(envelope_of(request)), **stated}
    envelope = msgspec.convert(asked, Envelope)
    return enveloped(_answered(request, sources), envelope)


def claim_bytes(body: bytes, *, sources: Sources = EMBEDDED) -> bytes:
    """The judgement of a claim in JSON, with the errors of `quote_bytes`."""
    return _answered(decode_claim(body), sources)


def answer_bytes(body: bytes, *, asked: str, sources: Sources = EMBEDDED) -> bytes:
    """The answer to a question of the kind `asked`, with the errors of `quote_bytes`."""
    return _answered(decoded(body, asked=HANDLED[asked].kind.request), sources)


def _answered(request: Request, sources: Sources) -> bytes:
    quoting = local_quoting(sources)
    return quoting.compute(quoting.posed(request, quoting.shelf.edition(request.catalog)))
