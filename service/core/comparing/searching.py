"""Which plans are looked at, so that their number is bounded and none that may win is missed.

Devices are taken in the order of what a peak operation costs on them. Each is looked at in the
smallest size that fits and may be done in time, and then in doublings until one is done in time,
and in one more. A device that costs a multiple of the best is left out. What is left out is
counted with the reason.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct, field
from msgspec.structs import replace

from service.core.argument import Argument, Unknown
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.catalog.catalog import Catalog, Offer
from service.core.catalog.market import KINDS_OF_TERM, Seat
from service.core.comparing.choices import (
    Sizes,
    accelerators_of,
    least_devices,
    request_on,
    ways_to_get,
)
from service.core.comparing.numbers import Number
from service.core.comparing.plans import RunPlan, plan_of
from service.core.comparing.prices import SellerPrices
from service.core.comparing.pricing import LOADED, Costed, Offered, Outcome, Pricer, Unpriceable
from service.core.draws.memo import Memo
from service.core.draws.quantiles import Levels
from service.core.request.decisions.compare import CompareRequest
from service.core.request.request import Market, QuoteRequest
from service.core.stages.reclaims import share_of

MOST_PLANS: Final = 160
"""Hours of a run that one comparison works out: each takes some 5 ms."""
MOST_CANDIDATES: Final = 4096
"""Candidates of one comparison: the draws of each take 8 KiB."""
OUTDONE: Final = 2.0
"""A device that costs this many times as much as the best, at a size, is looked at in no larger."""
FAR_LESS_EFFICIENT: Final = 2.0
"""By this factor, no device does more with its peak rate than those that were looked at.

What could not be in time, or as cheap as the best, even so is left out. Measured shares of peaks
of all devices lie within it."""
USUAL_HORIZON_HOURS: Final = 8766.0
"""How long a run may take where no deadline is given: a year."""
ALMOST: Final = 0.9
"""The part of the devices that are needed, if all were as quick as those of a smaller cluster, from
which on a size is looked at."""
STILL_FASTER: Final = 0.9
"""Doubling a cluster is worth a look while it takes at most this share of the time."""
SIZES_IN_TIME: Final = 2
"""Sizes of a device that are looked at although a smaller one is in time and no dearer."""


class Infeasible(Struct, frozen=True, kw_only=True):
    """A cluster that is no candidate, and why. `sellers` are those that it is about.

    `ways` is how many candidates there would be. `excess` is by what factor it fails a constraint,
    and `would` says in words what it would take.
    """

    accelerator: str
    devices: float
    reason: str
    detail: str = ""
    sellers: tuple[str, ...] = ()
    ways: int = 1
    excess: float = 0.0
    would: str = ""


class Looked(NamedTuple):
    """What a size comes to: hours at the centre and at the confidence, and its least cost.

    The cost of a size that is too late is not worked out in full.
    """

    central_hours: float
    hours: float
    usd: float
    in_time: bool


class Grown(Struct):
    """What is known of a device while its sizes are looked at."""

    hours: float = float("inf")
    needed: float = 0.0
    """Devices that it takes to be in time, by what was seen."""
    in_time: int = 0
    usd: float = float("inf")


class Searched(Struct, kw_only=True):
    """All candidates, what is infeasible, and what was not looked at."""

    costed: list[Costed] = field(default_factory=list)
    infeasible: list[Infeasible] = field(default_factory=list)
    outdone: list[str] = field(default_factory=list)
    plans: int = 0
    cut_plans: int = 0


class ClusterSearch:
    """A search over the choices of a comparison."""

    def __init__(
        self,
        asked: CompareRequest,
        catalog: Catalog,
        *,
        memo: Memo,
        levels: Levels,
        level: int,
        base_quote: BaseTotals | None,
    ) -> None:
        """`level` is the place of the confidence among the levels."""
        self._asked = asked
        self._catalog = catalog
        self._memo = memo
        self._levels = levels
        self._level = level
        self._base_quote = base_quote
        self._found: dict[Hashable, Any] = {}
        self._day = "" if asked.as_of is UNSET else asked.as_of
        self._prices: dict[str, SellerPrices] = {}
        self._reference: float | None = None
        """Peak operations of the plan that takes fewest, at the confidence."""
        self._best = float("inf")
        """The central cost of the cheapest candidate, of those that are in time."""
        self.result = Searched()

    @property
    def horizon_hours(self) -> float:
        """The deadline, or else a year."""
        deadline = self._asked.constraints.deadline_hours
        return USUAL_HORIZON_HOURS if deadline is UNSET else deadline

    def run(self) -> Searched:
        """Look at the choices. What is listed is looked at, whatever it costs."""
        choices = self._asked.choices
        accelerators = accelerators_of(self._asked, self._catalog)
        if choices.devices is not UNSET:
            for accelerator in accelerators:
                self._look_at_listed(accelerator)
            return self.result
        known = max(accelerators, key=lambda one: len(self._rows(one)), default="")
        prices = {one: self._usd_at_peak(one) for one in accelerators}
        for one in sorted(accelerators, key=lambda one: (one != known, prices[one], one)):
            if choices.accelerators is UNSET and self._is_outdone(prices[one]):
                self.result.outdone.append(one)
            else:
                self._grow(one)
        return self.result

    def loaded(self, some: Sequence[Costed]) -> list[Costed]:
        """Candidates with all bases that they have a total of. Those of one plan share its rows."""
        found, by_plan = list(some), dict[int, list[int]]()
        for place, one in enumerate(some):
            if LOADED not in one.costs:
                by_plan.setdefault(id(one.plan), []).append(place)
        for places in by_plan.values():
            pricer = self._pricer(some[places[0]].plan)
            ways = [some[place].offered for place in places]
            for place, outcome in zip(places, pricer.costed(ways, loaded=True), strict=True):
                assert isinstance(outcome, Costed), "it has a total"
                found[place] = outcome
        return found

    def _pricer(self, plan: RunPlan) -> Pricer:
        """What prices a plan. Sizes of one device share the prices of sellers."""
        if plan.accelerator not in self._prices:
            prices = SellerPrices(self._catalog, self._day, self._memo, self._levels)
            self._prices = {plan.accelerator: prices}
        prices = self._prices[plan.accelerator]
        return Pricer(plan, self._memo, self._levels, self._base_quote, prices)

    def _look_at_listed(self, accelerator: str) -> None:
        sizes = Sizes(self._asked, self._catalog, accelerator)
        for devices in sizes.beyond:
            self._refuse(accelerator, devices, "max_devices", "more than is allowed")
        for devices in sizes.all:
            self._look_at(accelerator, devices)

    def _rows(self, accelerator: str) -> tuple[Offer, ...]:
        return self._catalog.price_rows.get(accelerator, ())

    def _is_outdone(self, usd_at_peak: float) -> bool:
        """Whether a device costs more than the best, even if it did much more with its peak."""
        if self._reference is None or not self._may_leave_out:
            return False
        return usd_at_peak * self._reference > FAR_LESS_EFFICIENT * OUTDONE * self._best

    @property
    def _may_leave_out(self) -> bool:
        """Whether devices that cost far more are left out: not those that are listed."""
        return self._asked.choices.accelerators is UNSET and self._asked.objective == "cost"

    def _usd_at_peak(self, accelerator: str) -> float:
        """Dollars for a device-hour over its peak rate, to order devices. Infinite if unknown."""
        choices = self._asked.choices
        terms = [one for one in choices.terms if one != "owned"]
        kinds = {kind for term in terms for kind in (*KINDS_OF_TERM[term], "on_demand")}
        usd = [
            one.usd
            for kind in sorted(kinds)
            for one in self._catalog.listed.get(f"{accelerator}/{kind}", ())
            if one.segment in choices.segments and one.offer.complete
        ]
        peak = self._peak(accelerator)
        return min(usd) / peak if usd and peak else float("inf")

    def _peak(self, accelerator: str) -> float:
        peaks = self._catalog.accelerator(accelerator, pointer="").peak_dense_flop_per_s
        known = [peaks[name]._value for name in ("bf16", "fp16") if name in peaks]  # noqa: SLF001 - only orders
        return max(known, default=0.0)

    def _refuse(
        self,
        accelerator: str,
        devices: float,
        reason: str,
        detail: str = "",
        *,
        sellers: tuple[str, ...] = (),
        ways: int = 1,
        excess: float = 0.0,
        would: str = "",
    ) -> None:
        self.result.infeasible.append(
            Infeasible(
                accelerator=accelerator,
                devices=devices,
                reason=reason,
                detail=detail,
                sellers=sellers,
                ways=ways,
                excess=excess,
                would=would,
            )
        )

    def _grow(self, accelerator: str) -> None:
        """Sizes of one device, from the one that others would take."""
        sizes = self._that_may_do(accelerator)
        if self._asked.objective == "time":
            self._shrink(accelerator, sizes[::-1])
            return
        start = self._start(accelerator, sizes)
        first: Looked | None = None
        so_far = Grown()
        for devices in sizes[start:]:
            if devices < so_far.needed:
                continue
            looked = self._look_at(accelerator, devices)
            first = first or looked
            if looked is not None and not self._goes_on(devices, looked, so_far):
                break
        if first is not None and first.in_time:
            self._down(accelerator, sizes[: start + 1], first)

    def _goes_on(self, devices: float, looked: Looked, so_far: Grown) -> bool:
        """Whether a larger size is worth a look."""
        if looked.central_hours > STILL_FASTER * so_far.hours:
            return False
        so_far.hours = looked.central_hours
        so_far.needed = ALMOST * devices * looked.hours / self.horizon_hours
        if self._may_leave_out and looked.usd > OUTDONE * self._best:
            return False
        if not looked.in_time:
            return True
        so_far.in_time += 1
        rises, so_far.usd = looked.usd >= so_far.usd, min(so_far.usd, looked.usd)
        return so_far.in_time < SIZES_IN_TIME or not rises

    def _down(self, accelerator: str, sizes: Sequence[float], looked: Looked | None) -> None:
        """Sizes below one that is in time, as long as they may be in time as well."""
        for more, devices in zip(sizes[::-1], sizes[-2::-1], strict=False):
            if looked is not None:
                if ALMOST * looked.hours * more / devices > self.horizon_hours:
                    return
                looked = self._look_at(accelerator, devices)

    def _shrink(self, accelerator: str, sizes: Sequence[float]) -> None:
        """Sizes of one device from the largest, as long as smaller ones are no slower."""
        before = float("inf")
        for devices in sizes:
            looked = self._look_at(accelerator, devices)
            if looked is not None:
                if looked.hours > before:
                    return
                before = looked.hours

    def _start(self, accelerator: str, sizes: Sequence[float]) -> int:
        """The place of the size that would be in time, if this device were like those before."""
        peak = self._peak(accelerator)
        if self._reference is None or not peak:
            return 0
        needed = self._reference / peak / self.horizon_hours
        return next((n for n, one in enumerate(sizes) if one >= needed), len(sizes) - 1)

    def _that_may_do(self, accelerator: str) -> tuple[float, ...]:
        """Sizes without those that the model surely does not fit, unless all are far too slow."""
        sizes = Sizes(self._asked, self._catalog, accelerator).all
        if not sizes:
            self._refuse(accelerator, 0.0, "max_devices", "no size of a node is allowed")
            return ()
        least = least_devices(request_on(self._asked, accelerator, sizes[0]), self._catalog)
        fitting = tuple(one for one in sizes if one >= least)
        if not fitting:
            words = f"the model alone takes the memory of {least:,.0f} devices"
            self._refuse(accelerator, sizes[-1], "does_not_fit", words)
            return ()
        peak, most = self._peak(accelerator), FAR_LESS_EFFICIENT * self.horizon_hours
        if self._reference is None or not peak or self._reference / peak / fitting[-1] <= most:
            return fitting
        self._refuse(
            accelerator,
            fitting[-1],
            "deadline",
            f"by its peak rate {fitting[-1]:,.0f} devices take more than {FAR_LESS_EFFICIENT:g} "
            "times as long as there is",
        )
        return ()

    def _look_at(self, accelerator: str, devices: float) -> Looked | None:
        """A size at each seller's price. None if nobody sells it, or its hours are not known."""
        result = self.result
        if result.plans >= MOST_PLANS or len(result.costed) >= MOST_CANDIDATES:
            result.cut_plans += 1
            return None
        ways, left_out = ways_to_get(self._asked, self._catalog, accelerator, devices)
        for reason, sellers in left_out.items():
            if sellers:
                self._refuse(
                    accelerator, devices, reason, sellers=tuple(sorted(sellers)), ways=len(sellers)
                )
        if not ways:
            if not any(left_out.values()):
                self._refuse(accelerator, devices, "no_price", "nobody sells such a cluster")
            return None
        request = request_on(self._asked, accelerator, devices)
        looked = [self._planned(request, alike) for alike in self._alike_in_hours(ways)]
        known = [one for one in looked if one is not None]
        return min(known, key=lambda one: (not one.in_time, one.usd, one.hours), default=None)

    def _alike_in_hours(self, ways: Sequence[Offered]) -> list[list[Offered]]:
        """Ways by how often their capacity is taken back. All others take the same hours."""
        scratch, groups = Argument(self._catalog), dict[str, list[Offered]]()
        for way in ways:
            rate = ""
            if isinstance(way.supply, Market) and way.supply.term == "spot" and way.seat:
                rate = share_of(scratch, way.seat.offer, way.supply.region).name
            groups.setdefault(rate, []).append(way)
        return list(groups.values())

    def _planned(self, request: QuoteRequest, ways: Sequence[Offered]) -> Looked | None:
        """The hours of a size, and its costs in some ways unless it is surely too late."""
        accelerator, devices = request.cluster.accelerator, request.cluster.devices
        self.result.plans += 1
        supplied = replace(request, cluster=replace(request.cluster, supply=ways[0].supply))
        argument = Argument(self._catalog, priced_for=self._day)
        argument.found = self._found
        plan = plan_of(supplied, argument)
        if isinstance(plan, Unknown):
            self._refuse(accelerator, devices, plan.reason, plan.detail)
            return None
        pricer = self._pricer(plan)
        hours = self._sure(pricer.held.wall_clock_hours)
        operations = devices * hours * self._peak(accelerator)
        self._reference = min(operations, self._reference or operations)
        if hours > self.horizon_hours:
            self._refuse_late(plan, hours, ways)
            usd = _about_usd(plan, ways)
            return Looked(plan.wall_clock_hours.central, hours, usd, in_time=False)
        loaded = self._asked.basis == LOADED
        return self._priced(plan, hours, pricer.costed(ways, loaded=loaded))

    def _refuse_late(self, plan: RunPlan, hours: float, ways: Sequence[Offered]) -> None:
        sellers = {way.seat.seller for way in ways if way.seat is not None}
        self._refuse(
            plan.accelerator,
            plan.devices,
            "deadline",
            sellers=tuple(sorted(sellers)),
            ways=len(ways),
            excess=hours / self.horizon_hours,
            would=f"{plan.devices:,g} {plan.accelerator} would be done in {hours:,.0f} hours",
        )

    def _priced(self, plan: RunPlan, hours: float, outcomes: Sequence[Outcome]) -> Looked | None:
        """A size that is in time, at the least of its prices."""
        found = [one for one in outcomes if not isinstance(one, Unpriceable)]
        for one in outcomes:
            if isinstance(one, Unpriceable):
                self._refuse(plan.accelerator, plan.devices, one.reason, one.detail)
        self.result.costed += found
        if not found:
            return None
        usd = min(one.hardware_cost.central for one in found)
        self._best = min(self._best, usd)
        return Looked(plan.wall_clock_hours.central, hours, usd, in_time=True)

    def _sure(self, number: Number) -> float:
        return number.quantile(self._level)


def _about_usd(plan: RunPlan, ways: Sequence[Offered]) -> float:
    """What a plan costs at the least of the listed prices, about. Zero if it may be owned."""
    return min((_about_rate(one.seat) for one in ways), default=0.0) * plan.device_hours


def _about_rate(seat: Seat | None) -> float:
    if seat is None:
        return 0.0
    over = seat.over_on_demand
    return seat.usd if over is None else seat.usd * over._value  # noqa: SLF001 - only orders
