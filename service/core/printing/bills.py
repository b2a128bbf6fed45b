"""Bills as the answer shows them: rounded lines that add up, drivers, what is left out."""

from decimal import Decimal

from msgspec import UNSET, UnsetType

from service.core.answer import (
    Bill,
    Budget,
    Driver,
    Exclusion,
    Line,
    Magnitude,
    Money,
    PricedBill,
    PricedLine,
    RateVersusMarket,
    UnpricedBill,
    UnpricedLine,
)
from service.core.bills.exclusions import DraftExclusion
from service.core.bills.lines import DraftBill, DraftLine, Priced
from service.core.bills.market import GivenRate
from service.core.cluster.hardware import device_of
from service.core.draws.looks import Quantiles
from service.core.draws.spread import Outcomes, Spread
from service.core.figures.vocabulary import MINOR_PLACES, Currency
from service.core.printing.estimates import printed_interval
from service.core.printing.money import (
    RATE_DECIMALS,
    amount_of,
    printed,
    printed_estimate,
    printed_rate,
    rounded_amount,
    sum_of_amounts,
)


def printed_bill(
    bill: DraftBill, spread: Spread, *, currency: Currency, itemised: bool = True
) -> Bill:
    """The lines of one basis as the quote shows them. The total adds the amounts as printed.

    A bill that is not itemised has neither lines nor drivers.
    """
    places = MINOR_PLACES[currency]
    lines = tuple(printed_line(line, spread, places=places) for line in bill.lines if itemised)
    amounts = [
        amount_of_line(line, places=places) for line in bill.lines if isinstance(line, Priced)
    ]
    total = sum_of_amounts(amounts, places=places)
    money = Money(amount=printed(total), currency=currency)
    if bill.total is None:
        return UnpricedBill(
            basis=bill.basis,
            priced_lines_total=money if amounts else UNSET,
            lines=lines,
            excludes=bill.excludes,
        )
    figure, drivers = bill.total.name, spread.drivers(bill.total.name)
    interval = printed_interval(spread.interval(figure), central=total, places=places)
    outcomes, p80 = _printed_outcomes(
        spread.outcomes(figure), spread.interval(figure), central=total, places=places
    )
    return PricedBill(
        basis=bill.basis,
        total=money,
        budget=Budget(p50=interval.p50, p80=p80),
        interval=interval,
        outcomes=outcomes,
        figure=figure,
        lines=lines,
        drivers=tuple(
            Driver(
                figure=driver.figure,
                share=driver.share,
                total_if_low=printed_estimate(driver.total_if_low, places=places),
                total_if_high=printed_estimate(driver.total_if_high, places=places),
            )
            for driver in drivers.ranked
            if itemised
        ),
        interactions=drivers.interactions,
        excludes=bill.excludes,
    )


def printed_line(line: DraftLine, spread: Spread, *, places: int) -> Line:
    """One row of a bill as the quote shows it."""
    if not isinstance(line, Priced):
        return UnpricedLine(
            stage=line.stage or UNSET,
            item=line.item,
            label=line.label or UNSET,
            unit=line.unit,
            reason=line.reason,
            detail=line.detail,
            quantity=UNSET if line.quantity is None else line.quantity.central,
            figures=() if line.quantity is None else (line.quantity.name,),
        )
    amount = amount_of_line(line, places=places)
    return PricedLine(
        stage=line.stage or UNSET,
        item=line.item,
        label=line.label or UNSET,
        unit=line.unit,
        quantity=line.quantity.central,
        rate=printed_rate(line.rate.central),
        amount=printed(amount),
        interval=printed_interval(spread.interval(line.usd.name), central=amount, places=places),
        figures=(line.usd.name, line.quantity.name, line.rate.name),
        detail=line.detail or UNSET,
    )


def amount_of_line(line: Priced, *, places: int) -> Decimal:
    """The amount of a line as it is printed."""
    return amount_of(quantity=line.quantity.central, rate=line.rate.central, places=places)


def _printed_outcomes(
    outcomes: Outcomes, interval: Quantiles, *, central: Decimal, places: int
) -> tuple[tuple[str, ...], str]:
    """Outcomes of a total and its 80% quantile as amounts.

    Those in an interval without width equal the printed amount.
    """
    certain = interval.p10 if interval.p10 == interval.p90 else None
    values = [
        printed(central)
        if certain is not None and amount == certain
        else printed_estimate(amount, places=places)
        for amount in (*outcomes.values, outcomes.p80)
    ]
    return tuple(values[:-1]), values[-1]


def printed_exclusion(one: DraftExclusion, spread: Spread, *, currency: Currency) -> Exclusion:
    """A cost that bills leave out: its amount, or else its order of magnitude if there is one."""
    row, usd, places = one.row, one.usd, MINOR_PLACES[currency]
    magnitude: Magnitude | UnsetType = UNSET
    if row.unit is not UNSET and row.low is not UNSET and row.high is not UNSET and usd is None:
        magnitude = Magnitude(low=row.low, high=row.high, unit=row.unit)
    return Exclusion(
        item=row.item,
        bases=one.bases,
        what=one.what,
        amount=UNSET
        if usd is None
        else printed_interval(
            spread.interval(usd.name),
            central=rounded_amount(usd.central, places=places),
            places=places,
        ),
        figure=UNSET if usd is None else usd.name,
        detail=one.detail or UNSET,
        magnitude=magnitude,
        source=row.source,
    )


def printed_rate_position(given: GivenRate) -> RateVersusMarket:
    """A given rate among comparable prices, as the quote shows it."""
    rate, position = given.usd_per_device_hour, given.position
    return RateVersusMarket(
        cluster=given.cluster.pointer,
        accelerator=device_of(given.cluster).label,
        usd_per_device_hour=printed_rate(rate.central),
        figure=rate.name,
        share_below=position.share_below,
        count=position.count,
        newest=position.newest,
        lowest=printed_rate(round(position.lowest, RATE_DECIMALS)),
        median=printed_rate(round(position.median, RATE_DECIMALS)),
        highest=printed_rate(round(position.highest, RATE_DECIMALS)),
    )
