"""`python -m lab prices report`: what the widths of prices cover, into docs/market.md."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

from lab.files import ROOT, Texts
from lab.prices.backtest import (
    QUARTER,
    Constants,
    Coverage,
    constants_of,
    coverage,
    interval_of,
    known_before,
    newest_day,
    predicted_from,
    refitted,
)
from lab.prices.fit import fitted, settles
from lab.prices.observations import Change, Prices, prices_of
from service.core.bills.aging.aged import Mover
from service.core.catalog.catalog import Catalog

FILE: Final = ROOT / "docs" / "market.md"
OPENS: Final = "<!-- begin: python -m lab prices report -->\n"
CLOSES: Final = "<!-- end: python -m lab prices report -->\n"
LAGS: Final = (30, 90, 180)
AGES: Final = (30, 90, 180, 365)
QUARTERS: Final = 7
MOVERS: Final[Mapping[Mover, str]] = {
    "listed": "list prices, marketplaces too",
    "hyperscaler": "hyperscalers, on demand",
    "committed": "hyperscalers, at a term",
    "spot": "spot",
}


class Backtest(NamedTuple):
    """What was predicted from what, and the coverage by these widths and by earlier ones."""

    known: str
    shipped: Mapping[Mover | str, Coverage]
    earlier: Mapping[Mover | str, Coverage]


class PastQuarter(NamedTuple):
    """A quarter, and the coverage by widths that were fitted to the prices before it, by lag."""

    since: date
    until: date
    by_lag: Mapping[int, Mapping[Mover | str, Coverage]]


def made(catalog: Catalog) -> Texts:
    """The page with its report as today's catalog makes it. Its other text stays as it is."""
    before, _, rest = FILE.read_text(encoding="utf-8").partition(OPENS)
    _, _, after = rest.partition(CLOSES)
    return {FILE: f"{before}{OPENS}\n{report_of(catalog)}\n{CLOSES}{after}"}


def report_of(catalog: Catalog) -> str:
    """The tables of widths and of coverage."""
    prices, shipped = prices_of(catalog), constants_of(catalog)
    settled = settles(catalog)
    return "\n".join(
        (
            *_widths(shipped),
            "",
            *_backtests(backtests(prices, shipped, settled, edition=catalog.version)),
            "",
            *_quarters(quarters(prices, shipped, settled)),
        )
    )


def backtests(
    prices: Prices, shipped: Constants, settles_after_days: float, *, edition: str
) -> tuple[Backtest, ...]:
    """The prices of the newest quarter, predicted from those of some days before.

    The ages of this edition are one of the lags, and so is all that was known before the quarter's
    last weeks, as the edition before had it.
    """
    until = newest_day(prices)
    since = until - QUARTER
    earlier = refitted(shipped, fitted(known_before(prices, since), settles_after_days))

    def tested(known: str, changes: Iterator[Change]) -> Backtest:
        found = tuple(changes)
        return Backtest(known, coverage(found, shipped), coverage(found, earlier))

    today = (date.fromisoformat(edition) - until).days
    lags = sorted({*LAGS, today} - {0})
    by_lag = [
        tested(
            f"{lag} days before" + (", as old as the newest are today" if lag == today else ""),
            predicted_from(prices, since=since, until=until, days_before=lag),
        )
        for lag in lags
    ]
    month = until.replace(day=1) - timedelta(days=1)
    known_on = month.replace(day=1) - timedelta(days=1)
    edition_before = tested(
        f"on {known_on}, of the prices after {month}",
        predicted_from(prices, since=month + timedelta(days=1), until=until, known_on=known_on),
    )
    return (*by_lag, edition_before)


def quarters(
    prices: Prices, shipped: Constants, settles_after_days: float
) -> tuple[PastQuarter, ...]:
    """Each of the last quarters, by widths that were fitted to the prices before it."""
    newest = newest_day(prices)
    found = []
    for place in range(QUARTERS):
        until = newest - place * QUARTER
        since = until - QUARTER + timedelta(days=1)
        constants = refitted(shipped, fitted(known_before(prices, since), settles_after_days))
        by_lag = {
            lag: coverage(
                predicted_from(prices, since=since, until=until, days_before=lag), constants
            )
            for lag in LAGS
        }
        found.append(PastQuarter(since, until, by_lag))
    return tuple(found)


def _widths(constants: Constants) -> Iterator[str]:
    yield "**p10 and p90 of a price by its age, over the price as it was read:**\n"
    yield f"| | {' | '.join(f'{days} days' for days in AGES)} |"
    yield f"| --- |{' ---: |' * len(AGES)}"
    for mover, words in MOVERS.items():
        ends = [interval_of(constants, mover, days) for days in AGES]
        yield f"| {words} | {' | '.join(f'{low:.2f} to {high:.2f}' for low, high in ends)} |"


def _backtests(rows: tuple[Backtest, ...]) -> Iterator[str]:
    yield (
        "**Prices of the newest quarter between p10 and p90 of what older prices of the same\n"
        "product gave** (one vote for each seller, device and kind of price):\n"
    )
    names = ("known", "votes", "inside", "above", "below", *MOVERS.values())
    yield f"| {' | '.join(names)} | widths fitted before the quarter |"
    yield f"| --- |{' ---: |' * len(names)}"
    for known, shipped, earlier in rows:
        every = shipped["all"]
        cells = [known, str(every.votes)]
        cells += [f"{share:.0%}" for share in (every.inside, every.above, every.below)]
        cells += [_inside(shipped.get(mover)) for mover in MOVERS]
        yield f"| {' | '.join(cells)} | {earlier['all'].inside:.0%} |"


def _inside(one: Coverage | None) -> str:
    return "" if one is None else f"{one.inside:.0%} of {one.votes}"


def _quarters(rows: tuple[PastQuarter, ...]) -> Iterator[str]:
    yield (
        "**The same in each quarter, by widths that were fitted to the prices before it** (votes\n"
        "that lie inside, and all):\n"
    )
    yield f"| quarter | {' | '.join(f'{lag} days before' for lag in LAGS)} |"
    yield f"| --- |{' ---: |' * len(LAGS)}"
    for since, until, by_lag in rows:
        cells = [f"{by_lag[lag]['all'].inside:.0%} of {by_lag[lag]['all'].votes}" for lag in LAGS]
        yield f"| {since} to {until} | {' | '.join(cells)} |"
