"""Equally likely outcomes, budgets, and where an amount stands among the draws."""

import math
from decimal import Decimal
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import EstimateWithOutcomes, PricedBill
from service.core.draws.spread import Spread
from service.core.figures.ledger import Ledger
from service.core.figures.units import Z_90
from tests.worlds import MEMO, answer, datum, device, priced, run_of, unregistered, world

LEVELS = [(index + 0.5) / 20 for index in range(20)]
WORLD = world(device("d1"))
METERED = {"work": {"kind": "metered", "device_hours": {"low": 500, "high": 2_000}}}
CLUSTER = {"accelerator": "d1", "devices": 8}
RATE = {"kind": "rate", "usd_per_device_hour": {"low": 1, "high": 4}}


@unregistered
def product(**factors):
    return math.prod(factors.values())


@unregistered
def total(**terms):
    return sum(terms.values())


@unregistered
def capped(*, x0, x1):
    """Half of its draws are the same."""
    return x0 * 0.0 + (x1 > 1.0)


def spread_of(formula, *leaves, unit="usd"):
    """The spread of a formula of leaves, each low, central, high."""
    ledger = Ledger()
    terms = {
        f"x{index}": ledger.take(datum(f"leaf {index}", central, unit, low=low, high=high))
        for index, (low, central, high) in enumerate(leaves)
    }
    ledger.derive(formula, name="y", inputs=terms)
    return Spread(ledger, MEMO, totals=["y"])


def bill_of(asked) -> PricedBill:
    """The first bill of a request, which has to have a total."""
    return priced(answer(asked, WORLD).bases[0])


def leaves(low):
    ratio = st.floats(0.2, 0.95)
    return st.lists(
        st.tuples(ratio, st.floats(low, 1e6), st.floats(1.05, 5.0)).map(
            lambda one: (one[0] * one[1], one[1], one[2] * one[1])
        ),
        min_size=1,
        max_size=6,
    )


def assert_in_order(outcomes, *, p10, p50, p80, p90):
    """Two outcomes of twenty lie below p10, ten below p50, sixteen below p80, 18 below p90."""
    assert len(outcomes) == 20
    assert list(outcomes) == sorted(outcomes)
    assert outcomes[1] <= p10 <= outcomes[2]
    assert outcomes[9] <= p50 <= outcomes[10]
    assert outcomes[15] <= p80 <= outcomes[16]
    assert outcomes[17] <= p90 <= outcomes[18]


@given(formula=st.sampled_from([product, total]), leaves=leaves(1.0))
def test_outcomes_lie_on_their_side_of_the_interval_and_of_the_budget(formula, leaves):
    spread = spread_of(formula, *leaves)
    interval, outcomes = spread.interval("y"), spread.outcomes("y")
    assert_in_order(
        outcomes.values, p10=interval.p10, p50=interval.p50, p80=outcomes.p80, p90=interval.p90
    )


@given(formula=st.sampled_from([product, total]), leaves=leaves(1.0))
def test_the_position_of_a_quantile_is_its_level(formula, leaves):
    spread = spread_of(formula, *leaves)
    interval, outcomes = spread.interval("y"), spread.outcomes("y")
    levels = [0.1, 0.5, 0.9, 0.8, *LEVELS]
    numbers = [interval.p10, interval.p50, interval.p90, outcomes.p80, *outcomes.values]
    found = [spread.position(number, name="y") for number in numbers]
    assert found == pytest.approx(levels, abs=0.005)


@given(leaves=leaves(1.0), numbers=st.lists(st.floats(0.0, 1e12), min_size=2, max_size=8))
def test_positions_rise_with_the_number_from_nothing_to_one(leaves, numbers):
    spread = spread_of(total, *leaves)
    found = [spread.position(number, name="y") for number in sorted(numbers)]
    assert found == sorted(found)
    assert (spread.position(0.0, name="y"), spread.position(1e300, name="y")) == (0.0, 1.0)


def test_outcomes_of_a_product_are_the_quantiles_of_its_log_normal():
    spread = spread_of(product, (1.0, 2.0, 4.0), (3.0, 9.0, 27.0))
    sigma = math.hypot(math.log(2.0), math.log(3.0)) / Z_90
    exact = [18.0 * math.exp(sigma * NormalDist().inv_cdf(level)) for level in LEVELS]
    assert spread.outcomes("y").values == pytest.approx(exact, rel=2e-3)
    assert spread.outcomes("y").p80 == pytest.approx(
        18.0 * math.exp(sigma * NormalDist().inv_cdf(0.8)), rel=2e-3
    )
    assert spread.position(36.0, name="y") == pytest.approx(
        NormalDist().cdf(math.log(2.0) / sigma), abs=0.005
    )


def test_outcomes_of_a_negative_number_ascend_too():
    spread = spread_of(product, (-4.0, -2.0, -1.0), (3.0, 9.0, 27.0))
    outcomes, interval = spread.outcomes("y"), spread.interval("y")
    assert_in_order(
        outcomes.values, p10=interval.p10, p50=interval.p50, p80=outcomes.p80, p90=interval.p90
    )
    assert spread.position(interval.p90, name="y") == pytest.approx(0.9, abs=0.002)


def test_half_of_the_draws_that_equal_a_number_lie_below_it():
    spread = spread_of(capped, (1.0, 2.0, 3.0), (0.5, 1.0, 2.0))
    assert spread.position(0.0, name="y") == pytest.approx(0.25, abs=0.01)
    assert spread.position(0.5, name="y") == pytest.approx(0.5, abs=0.01)
    assert spread.position(1.0, name="y") == pytest.approx(0.75, abs=0.01)


def test_what_is_certain_has_one_outcome_and_its_own_position():
    spread = spread_of(product, (2.0, 2.0, 2.0), (3.0, 3.0, 3.0))
    assert spread.outcomes("y").values == (6.0,) * 20
    assert [spread.position(number, name="y") for number in (5.9, 6.0, 6.1)] == [0.0, 0.5, 1.0]


def test_outcomes_are_only_those_of_entries_that_were_asked_for():
    spread = spread_of(product, (1.0, 2.0, 4.0))
    with pytest.raises(KeyError):
        spread.outcomes("leaf 0")
    with pytest.raises(KeyError):
        spread.position(2.0, name="leaf 0")


@settings(max_examples=25)
@given(
    hours=st.floats(0.001, 1e6),
    wider=st.floats(1.0, 4.0),
    rate=st.floats(0.01, 20.0),
    detail=st.sampled_from(["full", "summary"]),
)
def test_every_bill_and_every_stage_has_twenty_outcomes(hours, wider, rate, detail):
    stage = {"work": {"kind": "metered", "device_hours": {"low": hours, "high": wider * hours}}}
    supply = {"kind": "rate", "usd_per_device_hour": rate}
    asked = run_of(stage, stage, cluster=CLUSTER | {"supply": supply})
    answered = answer(asked | {"options": {"bases": ["rental"], "detail": detail}}, WORLD)
    bill = priced(answered.bases[0])
    amounts = [Decimal(amount) for amount in bill.outcomes]
    p10, p50, p90 = (Decimal(getattr(bill.interval, name)) for name in ("p10", "p50", "p90"))
    assert_in_order(amounts, p10=p10, p50=p50, p80=Decimal(bill.budget.p80), p90=p90)
    assert bill.budget.p50 == bill.interval.p50
    for one in (answered.stages[0].device_hours, answered.stages[1].wall_clock_hours):
        assert isinstance(one, EstimateWithOutcomes)
        assert_in_order(
            one.outcomes, p10=one.p10, p50=one.p50, p80=max(one.outcomes[15], one.p50), p90=one.p90
        )
    assert isinstance(answered.wall_clock_hours, EstimateWithOutcomes)
    assert len(answered.wall_clock_hours.outcomes) == 20


def test_the_budget_of_a_lopsided_run_is_not_its_total():
    # 1,000 hours at $2. Twice the hours are as likely as half; a rate is $1 to $4 in nine of ten.
    # The logarithm has the deviation sqrt(2) ln 2 / 1.645 = 0.5959, and 0.8416 of that for p80.
    bill = bill_of(run_of(METERED, cluster=CLUSTER | {"supply": RATE}))
    assert bill.total.amount == "2000.00"
    assert float(bill.budget.p50) == pytest.approx(2000.0, rel=1e-3)
    assert float(bill.budget.p80) == pytest.approx(2000.0 * math.exp(0.8416 * 0.5959), rel=3e-3)
    # Storage that is a tenth below and ten times above lifts the median over the total.
    months = {"gigabytes": 1000, "months": 1}
    costs = {"low": 0.9, "central": 1.0, "high": 10.0}
    asked = run_of(
        METERED,
        cluster=CLUSTER | {"supply": RATE},
        storage=months | {"usd_per_gigabyte_month": costs},
    )
    bill = bill_of(asked)
    assert bill.total.amount == "3000.00"
    assert Decimal(bill.budget.p50) > Decimal("3300.00")


def test_a_certain_bill_has_its_total_as_budget_and_as_every_outcome():
    stage = {"work": {"kind": "metered", "device_hours": 147_000}}
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    answered = answer(run_of(stage, cluster=CLUSTER | {"supply": supply}), WORLD)
    bill = priced(answered.bases[0])
    assert (bill.budget.p50, bill.budget.p80) == ("294000.00", "294000.00")
    assert bill.outcomes == ("294000.00",) * 20
    hours = answered.stages[0].device_hours
    assert isinstance(hours, EstimateWithOutcomes)
    assert hours.outcomes == (147_000.0,) * 20
