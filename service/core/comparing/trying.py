"""One run with one number changed: what it comes to, and whether it keeps some limits."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from msgspec import UNSET, Struct

from service.core.answer.base import Money
from service.core.answer.comparison import CandidateCost, CandidateLevels
from service.core.answer.solution import Tried
from service.core.argument import Argument, Unknown
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.catalog.catalog import Catalog
from service.core.comparing.numbers import Number
from service.core.comparing.plans import plan_of
from service.core.comparing.prices import SellerPrices
from service.core.comparing.pricing import Costed, Offered, Pricer
from service.core.draws.memo import Memo
from service.core.draws.quantiles import levels_of
from service.core.printing.money import printed, printed_estimate
from service.core.request.decisions.solve import Limits, SolveRequest
from service.core.request.request import QuoteRequest

HELD_LEVELS: Final = (0.1, 0.5, 0.8, 0.9)
LEVELS_HELD: Final = levels_of("held", HELD_LEVELS)
PLACES: Final = {"p50": 1, "p80": 2, "p90": 3}


class Trial(Struct, frozen=True, kw_only=True):
    """A request with one number changed, and what it comes to. Without a cost, why there is none.

    `usd` and `hours` are those that have to keep the limits.
    """

    request: QuoteRequest
    keeps: bool
    limits: Limits = Limits()
    usd: Decimal | None = None
    hours: float | None = None
    costed: Costed | None = None
    detail: str = ""

    def spans(self, other: "Trial") -> Iterator[tuple[float, float, float]]:
        """For each limit: this number, the other's, and the limit."""
        limits = self.limits
        if limits.budget_usd is not UNSET and self.usd is not None and other.usd is not None:
            yield float(self.usd), float(other.usd), limits.budget_usd
        if limits.deadline_hours is not UNSET and self.hours and other.hours:
            yield self.hours, other.hours, limits.deadline_hours

    @property
    def cost(self) -> CandidateCost | Any:
        """Its cost as it is printed."""
        if self.costed is None:
            return UNSET
        one, basis = self.costed, self.costed.offered.hardware
        number, total = one.hardware_cost, one.amount(basis)
        p50, p80, p90 = (_amount(number, place, total) for place in PLACES.values())
        money = Money(amount=printed(total), currency="USD")
        return CandidateCost(basis=basis, total=money, p50=p50, p80=p80, p90=p90)

    @property
    def wall_clock_hours(self) -> CandidateLevels | Any:
        """Its hours as they are printed."""
        if self.costed is None:
            return UNSET
        number = self.costed.wall_clock_hours
        p50, p80, p90 = (number.quantile(place) for place in PLACES.values())
        return CandidateLevels(central=number.central, p50=p50, p80=p80, p90=p90)

    def printed(self, *, value: float | Any = UNSET, name: str | Any = UNSET) -> Tried:
        """The trial as a row of an answer."""
        return Tried(
            value=value,
            name=name,
            keeps=self.keeps,
            cost=self.cost,
            wall_clock_hours=self.wall_clock_hours,
            detail=self.detail or UNSET,
        )


def _amount(number: Number, place: int, total: Decimal) -> str:
    """A quantile as an amount. One without spread is the total as printed."""
    certain = number.quantiles[0] == number.quantiles[-1]
    return printed(total) if certain else printed_estimate(number.quantile(place))


class Trials:
    """Tries requests over one catalog. What they search for is found once."""

    def __init__(
        self, asked: SolveRequest, catalog: Catalog, *, memo: Memo, base_quote: BaseTotals | None
    ) -> None:
        self._asked = asked
        self._catalog = catalog
        self._memo = memo
        self._base_quote = base_quote
        self._found: dict[Any, Any] = {}

    def trial(self, request: QuoteRequest) -> Trial:
        """What a request comes to."""
        argument = Argument(
            self._catalog, priced_for="" if request.as_of is UNSET else request.as_of
        )
        argument.found = self._found
        plan = plan_of(request, argument)
        if isinstance(plan, Unknown):
            return Trial(request=request, keeps=False, detail=plan.detail)
        prices = SellerPrices(self._catalog, argument.priced_for, self._memo, LEVELS_HELD)
        pricer = Pricer(plan, self._memo, LEVELS_HELD, self._base_quote, prices)
        (outcome,) = pricer.costed([Offered(supply=request.cluster.supply)])
        if not isinstance(outcome, Costed):
            return Trial(request=request, keeps=False, detail=outcome.detail)
        usd, hours = self._usd(outcome), self._hours(outcome.wall_clock_hours)
        return Trial(
            request=request,
            keeps=kept(self._asked.limits, usd, hours),
            limits=self._asked.limits,
            usd=usd,
            hours=hours,
            costed=outcome,
        )

    def _usd(self, one: Costed) -> Decimal:
        total = one.amount(one.offered.hardware)
        if self._asked.held_at == "total":
            return total
        return Decimal(_amount(one.hardware_cost, PLACES[self._asked.held_at], total))

    def _hours(self, number: Number) -> float:
        if self._asked.held_at == "total":
            return number.central
        return number.quantile(PLACES[self._asked.held_at])


def kept(limits: Limits, usd: Decimal, hours: float) -> bool:
    """Whether a cost and hours are within the limits."""
    within = limits.budget_usd is UNSET or usd <= Decimal(str(limits.budget_usd))
    return within and (limits.deadline_hours is UNSET or hours <= limits.deadline_hours)
