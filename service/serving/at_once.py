"""Answers a quote that was asked for before as soon as its request has come, without a task.

It is in memory, or in Redis, whose reply is sent on as soon as it comes.

The bytes are those that the application would send by way of uvicorn. Only the parts of a head that
differ from request to request are made for each: the date, the time that it took, the request's id.

A client that asks again sends the same bytes again, head and all, but for what names a request.
Such a request is not even parsed: what the parser made of the same bytes is remembered for a
second.
"""

import re
from time import perf_counter
from typing import Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.api.http.middleware import REQUEST_ID, Edge, repeated, request_id_of
from service.api.http.repeats import Found, Headers, Plain, Repeat, Repeats, Seen, timing_of
from service.serving.lingering import LingeringTransport

NAMING: Final = re.compile(rb"\r\nx-request-id: ?", re.IGNORECASE)
"""The header whose value differs from request to request, and changes nothing but a name."""
MOST_NAMING: Final = 8
TIMING: Final = "\0timing"
OWN_ID: Final = "\0request id"
"""Stand in a head for what is filled in. No header may have such a character."""
CLOSE: Final = b"connection: close\r\n\r\n"
KEEP: Final = b"\r\n"
MOST_HEADS: Final = 512
"""Heads that are kept. Each takes 1 KB."""
MOST_SEEN_BYTES: Final = 2 * 2**20
"""Requests that are remembered as they were sent, within a second."""


class Head(NamedTuple):
    """The headers of an answer around what is filled in: the timing, then the request's id."""

    before: bytes
    between: bytes
    after: bytes


class AtOnce:
    """The quotes of an application, for a protocol that writes them by itself.

    Not for an application that admits or traces requests: there all go by `Edge`.
    """

    def __init__(self, edge: Edge, repeats: Repeats) -> None:
        self.edge = edge
        self._repeats = repeats
        self._heads: dict[tuple[str, bytes, str | None, bytes | None, bool], Head] = {}
        self._seen: dict[bytes, tuple[Seen, Head]] = {}
        self._seen_bytes = 0
        self._naming: set[bytes] = set()
        """How clients write the headers that name a request, each as it was seen."""
        self._last: tuple[Seen, Head] | None = None
        self._defaults: Headers = []
        self._begin = b""

    def find(self, plain: Plain, body: bytes, found: Found) -> Repeat | bool:
        """The quote that a request asks for, if it was sent before and is in memory.

        Otherwise True if Redis is asked, so that `found` will be called, and False if not.
        """
        known = self._repeats.asked_for(plain, body)
        if known is None:
            return False
        repeat = self._repeats.from_memory(known, plain)
        return self._repeats.seek(known, plain, found) if repeat is None else repeat

    def send(
        self,
        repeat: Repeat,
        plain: Plain,
        transport: LingeringTransport,
        *,
        client: str,
        arrived: float,
        defaults: Headers,
        closes: bool,
    ) -> None:
        """Send a quote that was found.

        `defaults` are the headers that the server adds to all answers.
        """
        self._renew(defaults)
        head = self._head(repeat, plain)
        request_id = request_id_of(plain.request_id)
        parts = (
            self._begin, head.before, repeat.timing, head.between, request_id.encode(), head.after,
            CLOSE if closes else KEEP,
        )  # fmt: skip
        transport.writelines((b"".join(parts), repeat.body))
        self.edge.sent_at_once(repeated(repeat, request_id, client), arrived)
        seen = self._repeats.seen(plain, repeat)
        self._last = None if seen is None else (seen, head)

    def answer_again(
        self, whole: bytes, transport: LingeringTransport, *, client: str, defaults: Headers
    ) -> bool:
        """Send what the same bytes were answered with a moment ago, if all stands as it did."""
        arrived = perf_counter()
        if defaults is not self._defaults:
            self._renew(defaults)
        key, sent_id = self._without_names(whole)
        found = self._seen.get(key)
        if found is None:
            return False
        seen, head = found
        body = self._repeats.again(seen)
        if body is None:
            return False
        request_id = request_id_of(sent_id)
        timing = timing_of("memory", perf_counter() - arrived)
        parts = (
            self._begin, head.before, timing, head.between, request_id.encode(), head.after, KEEP,
        )  # fmt: skip
        transport.writelines((b"".join(parts), body))
        self.edge.sent_again(seen.repeat, len(body), request_id, client, arrived)
        return True

    def _renew(self, defaults: Headers) -> None:
        """The server's own headers are in another list as soon as they have another date."""
        if defaults is not self._defaults:
            self._defaults, self._begin = defaults, STATUS_LINE[200] + lines(defaults)
            self._forget()

    def remember(self, whole: bytes) -> None:
        """Take down that the last answer was to these bytes, to all of them and to nothing else."""
        last, self._last = self._last, None
        if last is None:
            return
        self._naming.update(NAMING.findall(whole.partition(b"\r\n\r\n")[0])[:MOST_NAMING])
        if len(self._naming) > MOST_NAMING:
            self._naming.clear()
        key, _ = self._without_names(whole)
        self._seen_bytes += len(key)
        if self._seen_bytes > MOST_SEEN_BYTES:
            self._forget()
        self._seen[key] = last

    def _without_names(self, whole: bytes) -> tuple[bytes, bytes | None]:
        """A request without the values that name it, and its own id if it has one.

        A value that is not a plain token stays, so that the parser judges it.
        """
        request_id = None
        for naming in self._naming:
            start = whole.find(naming)
            if start >= 0:
                start += len(naming)
                end = whole.find(b"\r\n", start)
                value = whole[start:end]
                if REQUEST_ID.match(value):
                    whole = whole[:start] + whole[end:]
                    request_id = value
        return whole, request_id

    def _forget(self) -> None:
        self._seen.clear()
        self._seen_bytes = 0

    def _head(self, repeat: Repeat, plain: Plain) -> Head:
        issued = repeat.issued
        kind = (issued.tag, issued.freshness, repeat.encoding, plain.origin, repeat.is_by_id)
        head = self._heads.get(kind)
        if head is None:
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            head = self._heads[kind] = self._made(repeat, plain)
        return head

    def _made(self, repeat: Repeat, plain: Plain) -> Head:
        headers = repeat.headers(timing=TIMING.encode())
        headers += self.edge.common_headers(OWN_ID, plain)
        before, _, rest = lines(headers).partition(TIMING.encode())
        between, _, after = rest.partition(OWN_ID.encode())
        return Head(before, between, after)


def lines(headers: Headers) -> bytes:
    """Headers as they go over the wire."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)
