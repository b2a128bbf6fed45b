"""The one place where a request is admitted: its host, its key, and its caller's account.

Both ways of answering ask here: the application around its routes, and whoever answers before the
application is asked. `caller_of` is a look into tables and never waits. A service without keys,
quotas and hosts has no `Admission` at all, so that it costs nothing there.
"""

import hmac
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from service.access.account import QuotaAccount
from service.access.keys import OWNER_DIGITS
from service.access.quotas import UNITS_PER_S, Quotas
from service.access.ring import KeyRing
from service.api.admitting.hosts import Hosts
from service.api.refusing.errors import KeyRequired, WrongHost
from service.caller import NOBODY, Caller

Headers = list[tuple[bytes, bytes]]

PROBES: Final = frozenset({"/livez", "/readyz"})
"""Asked by orchestrators, by the address of a container and without a key."""
METRICS: Final = "/metrics"
OPEN: Final = frozenset({"/", "/docs", "/openapi.json", "/openapi.yaml", "/problems"}) | PROBES
OPEN_BELOW: Final = ("/ask/", "/docs/", "/problems/")
"""What anybody may read: the contract and its pages. They say nothing of any caller."""
BEARER: Final = b"bearer "
MARKED_BITS_OF_IPV6: Final = 64
"""A subscriber has so many bits of an address fixed, and chooses the others."""


class Admission:
    """Decides who may ask, and finds out who asks."""

    def __init__(
        self,
        *,
        ring: KeyRing | None = None,
        quotas: Quotas | None = None,
        cpu_s_per_minute: float = 0.0,
        hosts: Hosts | None = None,
        metrics_token: str = "",
    ) -> None:
        self._ring = ring
        self._quotas = quotas
        self._quota = units_per_minute(cpu_s_per_minute)
        self._hosts = Hosts(()) if hosts is None else hosts
        self._token = metrics_token

    @property
    def is_needed(self) -> bool:
        """Whether anything is asked of a request at all."""
        return bool(self._ring is not None or self._quota or self._hosts or self._token)

    def caller_of(self, *, method: str, path: str, headers: Headers, client: str) -> Caller:
        """Who asks. Raises `WrongHost` or `KeyRequired`.

        The caller's account is not charged yet: `enter` or `enter_at_once` of it does that.
        """
        if self._hosts and path not in PROBES:
            host = next((value for name, value in headers if name == b"host"), b"")
            if not self._hosts.answers_to(host):
                raise WrongHost
        if path in OPEN or path.startswith(OPEN_BELOW) or method == "OPTIONS":
            return NOBODY
        if path == METRICS:
            self._check_scraper(headers)
            return NOBODY
        return self._known(headers) if self._ring is not None else self._at(client)

    def _check_scraper(self, headers: Headers) -> None:
        """Metrics tell of all callers: they take a token of their own where there are keys."""
        if self._token:
            if not hmac.compare_digest(_bearer(headers), self._token.encode()):
                raise KeyRequired("metrics are read with the token of RUNQUOTE_METRICS_TOKEN")
        elif self._ring is not None:
            raise KeyRequired(
                "with keys, metrics are read on RUNQUOTE_METRICS_PORT, or with the token of "
                "RUNQUOTE_METRICS_TOKEN"
            )

    def _known(self, headers: Headers) -> Caller:
        assert self._ring is not None
        sent = _bearer(headers)
        entry = self._ring.entry_of(sent.decode("latin-1")) if sent else None
        if entry is None:
            raise KeyRequired(
                "the key is not known here" if sent else "the request has no key", sent=bool(sent)
            )
        own = entry.cpu_s_per_minute
        quota = self._quota if own is None else units_per_minute(own)
        return Caller(entry.name, entry.owner, self._account(entry.owner, quota))

    def _at(self, client: str) -> Caller:
        """A caller without a key is known by its address."""
        who = sha256(network_of(client).encode()).hexdigest()[:OWNER_DIGITS]
        return Caller(account=self._account(who, self._quota))

    def _account(self, who: str, quota: int) -> QuotaAccount | None:
        if self._quotas is None or not quota:
            return None
        return QuotaAccount(self._quotas, who=who, quota=quota)


def units_per_minute(cpu_s: float) -> int:
    """A quota in units. 0 is none."""
    return max(1, round(cpu_s * UNITS_PER_S)) if cpu_s else 0


def network_of(client: str) -> str:
    """What tells callers without keys apart: an address, or the network of one of IPv6."""
    try:
        address = ip_address(client)
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    return f"{int(address) >> (128 - MARKED_BITS_OF_IPV6):x}"


def _bearer(headers: Headers) -> bytes:
    """The key of a request, and nothing if there is none or there are two."""
    sent = [value for name, value in headers if name == b"authorization"]
    if len(sent) != 1 or sent[0][: len(BEARER)].lower() != BEARER:
        return b""
    return sent[0][len(BEARER) :].strip()
