"""The prices of many sellers, in an argument of their own, which all sizes of a device share."""

from collections.abc import Iterable, Sequence

from service.core.argument import Argument
from service.core.bills.prices.panel import usd_of_seat
from service.core.catalog.catalog import Catalog, MarketTerm
from service.core.catalog.market import Seat
from service.core.comparing.numbers import View, leaves_of
from service.core.draws.columns import Leaf
from service.core.draws.memo import Memo
from service.core.draws.quantiles import Levels
from service.core.figures.arrays import Array
from service.core.figures.ledger import Term


class SellerPrices:
    """What sellers ask for a device-hour. The rows of each price are replayed once."""

    def __init__(self, catalog: Catalog, day: str, memo: Memo, levels: Levels) -> None:
        """`day` is that up to which prices age."""
        self._argument = Argument(catalog, priced_for=day)
        self._asked: set[str] = set()
        self._entries = 0
        """How many entries of the ledger the view has seen."""
        self._view = View((), memo, levels)

    def usd_per_device_hour(self, seats: Iterable[Seat], term: MarketTerm) -> tuple[Term, ...]:
        """The price of each seller, as its vote in a market is. It does not depend on the size."""
        found = tuple(usd_of_seat(self._argument, seat, term, pointer="") for seat in seats)
        self._asked.update(price.name for price in found)
        return found

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """What varies in all prices that were asked for."""
        return self._brought().leaves

    def rows_in(self, view: View, prices: Sequence[Term]) -> dict[str, Array]:
        """The rows of prices beside the leaves of a view, which has those of the prices."""
        own = self._brought()
        rows = view.placed([own.row(price) for price in prices], own)
        return {price.name: row for price, row in zip(prices, rows, strict=True)}

    def _brought(self) -> View:
        """The rows of all prices that were asked for."""
        ledger = self._argument.ledger
        if len(ledger) > self._entries:
            self._entries = len(ledger)
            self._view = self._view.widened(leaves_of(ledger))
            self._view.bring(self._asked, ledger)
        return self._view
