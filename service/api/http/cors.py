"""Which pages of other hosts may read answers, as the operator sets it (CORS). None by default."""

from typing import Final

from service.api.http.repeats import Headers

ANY: Final = "*"
PREFLIGHT_MAX_AGE_S: Final = 600
SENT: Final = b"authorization, content-type, content-encoding, if-none-match, x-request-id"
"""Headers that such a page may send."""
READ: Final = (
    b"allow, content-location, etag, link, ratelimit, ratelimit-policy, retry-after, "
    b"runquote-prices, server-timing, www-authenticate, x-request-id"
)
"""Headers that such a page may read."""


class Cors:
    """The origins whose pages may read answers."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._any = ANY in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    def lets_in(self, origin: bytes | None) -> bool:
        """Whether who asks is no page, or a page of one of these origins."""
        return origin is None or self._any or origin in self._origins

    def of_answer(self, origin: bytes | None) -> Headers:
        """The headers of an answer to a request from this origin, or from none."""
        if self._any:
            return [
                (b"access-control-allow-origin", b"*"),
                (b"access-control-expose-headers", READ),
            ]
        if origin not in self._origins:
            return [(b"vary", b"origin")] if self._origins else []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", READ),
            (b"vary", b"origin"),
        ]

    def of_preflight(self, origin: bytes | None, allow: bytes) -> Headers:
        """The headers that let a browser send what it asks for with OPTIONS.

        `allow` has the methods of the address.
        """
        if not self._any and origin not in self._origins:
            return []
        return [
            (b"access-control-allow-methods", allow),
            (b"access-control-allow-headers", SENT),
            (b"access-control-max-age", b"%d" % PREFLIGHT_MAX_AGE_S),
        ]
