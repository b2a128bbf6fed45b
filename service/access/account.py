"""What a caller may still ask for, and how it is told: by the two RateLimit fields.

draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` has the quota and its window, `RateLimit`
what is left of it and for how many seconds that much holds at least. A request may count for more
than one unit.
"""

from math import ceil
from typing import Final

from service.access.quotas import POLICY, WINDOW_S, Quotas, QuotaSpent, Usage, units_of

Fields = list[tuple[bytes, bytes]]

OF_A_REQUEST: Final = 1


class QuotaAccount:
    """The account of one caller, for the length of a request."""

    __slots__ = ("_quota", "_quotas", "_usage", "_who")

    def __init__(self, quotas: Quotas, *, who: str, quota: int) -> None:
        self._quotas = quotas
        self._who = who
        self._quota = quota
        self._usage: Usage | None = None

    def enter_at_once(self) -> bool:
        """Charge a request, if that needs no waiting and there is room. Otherwise False."""
        if self._quotas.is_shared:
            return False
        usage = self._quotas.charge_at_once(self._who, OF_A_REQUEST, quota=self._quota)
        self._usage = usage
        return usage is not None

    async def enter(self) -> None:
        """Charge a request. Raises `QuotaExceeded`."""
        await self._charge(OF_A_REQUEST)

    async def spend(self, cpu_s: float) -> None:
        """Charge work beside its request. Raises `QuotaExceeded`."""
        units = units_of(cpu_s)
        if units:
            await self._charge(min(units, max(self._quota - OF_A_REQUEST, 1)))

    async def _charge(self, units: int) -> None:
        try:
            self._usage = await self._quotas.charge(self._who, units, quota=self._quota)
        except QuotaSpent as spent:
            self._usage = spent.usage
            raise

    def fields(self) -> Fields:
        """The quota, and what is left of it if that is known."""
        policy = b'"%b";q=%d;w=%d' % (POLICY.encode(), self._quota, WINDOW_S)
        told = [(b"ratelimit-policy", policy)]
        if self._usage is not None:
            left = self._usage.remaining(self._quota)
            seconds = ceil(self._usage.now_lasts_s) or WINDOW_S
            told.append((b"ratelimit", b'"%b";r=%d;t=%d' % (POLICY.encode(), left, seconds)))
        return told
