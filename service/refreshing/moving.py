"""What moved: the price of each seller for a device and a kind, in two editions."""

from collections.abc import Mapping
from typing import NamedTuple

from service.core.catalog.catalog import Catalog, Offer
from service.refreshing.checking import Prices

Key = tuple[str, str, str]


class Moved(NamedTuple):
    """The newest price of a seller before and now, in dollars. None where there was none."""

    provider: str
    accelerator: str
    price_kind: str
    old_usd: float | None
    old_day: str
    new_usd: float
    new_day: str

    @property
    def ratio(self) -> float | None:
        """How many times the old price the new one is."""
        return None if self.old_usd is None else self.new_usd / self.old_usd


def moved(before: Catalog, now: Catalog) -> list[Moved]:
    """What is new, and what has another price, the largest moves first."""
    old, new = newest_of(before), newest_of(now)
    prices_before, prices_now = Prices(before), Prices(now)
    found = [
        Moved(
            *key,
            old_usd=prices_before.usd(old[key]) if key in old else None,
            old_day=old[key].observed_on if key in old else "",
            new_usd=prices_now.usd(offer),
            new_day=offer.observed_on,
        )
        for key, offer in new.items()
        if key not in old or offer.id != old[key].id
    ]
    return sorted(found, key=_by_size)


def newest_of(catalog: Catalog) -> Mapping[Key, Offer]:
    """The newest price of each seller for each device and kind, and the cheapest of a day."""
    found: dict[Key, Offer] = {}
    for rows in catalog.price_rows.values():
        for offer in rows:
            found.setdefault((offer.provider, offer.accelerator, offer.price_kind), offer)
    return found


def _by_size(one: Moved) -> tuple[float, Key]:
    ratio = one.ratio
    size = 0.0 if ratio is None else max(ratio, 1.0 / ratio)
    return -size, (one.provider, one.accelerator, one.price_kind)
