"""A published figure put to the test: laws of every claim, and claims worked by hand.

The claims of the catalog, each with the numbers of its debate, are in tests/golden.
"""

import json
from decimal import Decimal
from math import log
from statistics import NormalDist
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.core.catalog.dates import days_between
from service.core.catalog.errors import NotQuotable
from service.core.request.claim import ClaimRequest
from service.identity.canonical import canonical_request
from tests.claims import R1_RUNS, judge, of_runs, of_work, reading
from tests.worlds import answer, embedded, run_of

Z_90 = NormalDist().inv_cdf(0.95)
AT_TWO_DOLLARS: dict[str, Any] = {
    "accelerator": "nvidia-h800-sxm-80gb",
    "devices": 512,
    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
}
BY_THE_HOUR = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64}
HOURS = {"kind": "metered", "device_hours": 4096}
GUESSED_HOURS = {"kind": "metered", "device_hours": {"low": 90000, "high": 160000}}
PREDICTED: dict[str, Any] = {
    "kind": "pretraining",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "tokens": 1e13,
}
SUBJECTS: dict[str, Any] = {
    "reference runs": lambda amount, **more: of_runs(amount, *R1_RUNS, **more),
    "known hours": lambda amount, **more: of_work(amount, HOURS, cluster=BY_THE_HOUR, **more),
    "a stated rate": lambda amount, **more: of_work(
        amount, GUESSED_HOURS, cluster=AT_TWO_DOLLARS, **more
    ),
    "predicted hours": lambda amount, **more: of_work(
        amount, PREDICTED, cluster=BY_THE_HOUR, **more
    ),
}
FEW = settings(max_examples=30)
"""Each example judges one claim or two."""
subjects = st.sampled_from(sorted(SUBJECTS))
amounts = st.floats(3.0, 9.5).map(lambda power: round(10.0**power, 2))
bounds = st.sampled_from(["about", "at_least", "at_most"])


def claimed(answer: Any, *, bound: str) -> tuple[Decimal, Decimal]:
    """The amounts that a claim of one number admits."""
    usd = Decimal(answer.amount.amount)
    low = Decimal(0) if bound == "at_most" else usd
    return low, Decimal("Infinity") if bound == "at_least" else usd


@FEW
@given(subjects, amounts, bounds)
def test_a_verdict_says_where_the_claim_lies_to_p10_and_p90(subject, amount, bound):
    judged = judge(SUBJECTS[subject](amount, bound=bound))
    low, high = claimed(judged, bound=bound)
    assert judged.readings
    for one in judged.readings:
        p10, p90 = Decimal(one.interval.p10), Decimal(one.interval.p90)
        if low <= p90 and high >= p10:
            assert one.verdict in {"within", "exact"}
        elif one.verdict != "exact":
            assert one.verdict == ("below" if high < p10 else "above")
        if one.verdict == "exact":
            assert bound == "about"
            assert abs(amount / float(one.total.amount) - 1) <= 0.02 + 1e-9


@FEW
@given(subjects, st.data())
def test_a_claim_between_p10_and_p90_is_never_called_below_or_above(subject, data):
    first = judge(SUBJECTS[subject](1e6))
    one = data.draw(st.sampled_from(first.readings))
    low, high = float(one.interval.p10), float(one.interval.p90)
    share = data.draw(st.floats(0.0, 1.0))
    inside = min(max(round(low + share * (high - low), 2), low), high)
    assume(inside >= 0.01)
    again = reading(judge(SUBJECTS[subject](inside)), one.basis, one.scope)
    assert again.verdict in {"within", "exact"}
    assert again.interval == one.interval


@FEW
@given(subjects, amounts, st.floats(1.01, 50.0))
def test_a_claim_of_k_times_the_amount_has_k_times_the_ratio_and_no_lower_position(
    subject, amount, k
):
    before = judge(SUBJECTS[subject](amount))
    after = judge(SUBJECTS[subject](amount * k))
    for one in before.readings:
        other = reading(after, one.basis, one.scope)
        assert other.ratio == pytest.approx(k * one.ratio, rel=1e-9)
        assert other.position >= one.position
        assert (other.total, other.interval) == (one.total, one.interval)
    assert after.rate.implied.central == pytest.approx(k * before.rate.implied.central, rel=1e-9)


@FEW
@given(subjects, amounts, bounds)
def test_the_bridge_adds_up_to_the_cent(subject, amount, bound):
    bridge = judge(SUBJECTS[subject](amount, bound=bound)).bridge
    running = Decimal(bridge.start.amount)
    assert running == Decimal(str(amount))
    for step in bridge.steps:
        running += Decimal(step.amount)
        assert running == Decimal(step.running_total)
    assert running == Decimal(bridge.end.amount)
    assert bridge.steps[0].component == "unexplained"


@FEW
@given(subjects, amounts)
def test_the_bridge_leads_from_the_best_reading_to_the_widest_of_its_basis(subject, amount):
    judged = judge(SUBJECTS[subject](amount))
    bridge = judged.bridge
    assert (
        bridge.steps[0].running_total
        == reading(judged, bridge.basis, bridge.start_scope).total.amount
    )
    assert bridge.end.amount == reading(judged, bridge.basis, bridge.end_scope).total.amount
    widest = [one for one in judged.readings if one.basis == bridge.basis]
    assert Decimal(bridge.end.amount) == max(Decimal(one.total.amount) for one in widest)


@FEW
@given(subjects, amounts)
def test_a_scope_that_holds_another_costs_no_less(subject, amount):
    order = ("final_run", "with_base_model", "with_experiments", "with_staff")
    judged = judge(SUBJECTS[subject](amount))
    for basis in {one.basis for one in judged.readings} - {"purchase"}:
        totals = {
            one.scope: Decimal(one.total.amount) for one in judged.readings if one.basis == basis
        }
        found = [totals[scope] for scope in order if scope in totals]
        assert found == sorted(found)


@FEW
@given(subjects, amounts, bounds)
def test_exact_comes_first_then_within_then_the_rest(subject, amount, bound):
    judged = judge(SUBJECTS[subject](amount, bound=bound))
    ranks = {"exact": 0, "within": 1, "below": 2, "above": 2}
    found = [ranks[one.verdict] for one in judged.readings]
    assert found == sorted(found)
    assert judged.verdict.verdict == judged.readings[0].verdict
    within = [one.holds for one in judged.readings if one.verdict == "within"]
    if bound != "about":
        order = ["yes", "open", "no"]
        assert within == sorted(within, key=order.index)
    else:
        assert set(within) <= {msgspec.UNSET}


@FEW
@given(subjects, amounts, amounts)
def test_the_probability_of_an_interval_is_the_difference_of_its_positions(subject, one, two):
    low, high = sorted((one, two))
    assume(low < high)
    between = judge(SUBJECTS[subject]({"low": low, "high": high}))
    at_most = judge(SUBJECTS[subject](high, bound="at_most"))
    at_least = judge(SUBJECTS[subject](low, bound="at_least"))
    for found in between.readings:
        upper = reading(at_most, found.basis, found.scope)
        lower = reading(at_least, found.basis, found.scope)
        assert upper.probability == upper.position
        assert lower.probability == pytest.approx(1.0 - lower.position)
        assert found.probability == pytest.approx(upper.position - lower.position)


def test_a_stated_scope_comes_first_among_readings_of_one_verdict():
    for scope in ("with_staff", "with_experiments"):
        judged = judge(SUBJECTS["a stated rate"](9e5, scope=scope))
        within = [one.scope for one in judged.readings if one.verdict == "within"]
        assert within.count(scope) >= 1
        assert set(within[: within.count(scope)]) == {scope}


def test_positions_are_those_of_a_log_normal_product():
    """Hours are between 90 and 160 thousand and a rate between 1.5 and 3: two log-normals."""
    rate = {"kind": "rate", "usd_per_device_hour": {"low": 1.5, "high": 3.0}}
    cluster = AT_TWO_DOLLARS | {"supply": rate}
    middle = log((90000 * 160000) ** 0.5 * (1.5 * 3.0) ** 0.5)
    sigma = ((log(160000 / 90000) / 2 / Z_90) ** 2 + (log(3.0 / 1.5) / 2 / Z_90) ** 2) ** 0.5
    for level in (0.05, 0.1, 0.3, 0.5, 0.8, 0.9, 0.99):
        usd = NormalDist(middle, sigma).inv_cdf(level)
        judged = judge(of_work(2.718281828459045**usd, GUESSED_HOURS, cluster=cluster))
        found = reading(judged, "rental_stated", "final_run")
        assert found.position == pytest.approx(level, abs=0.005)


def test_positions_are_those_of_the_outcomes_of_a_quote():
    """A quote has 20 equally likely totals. The n-th of them has the position (n - 1/2) / 20."""
    request = {
        "run": {"name": "run", "stages": [{"name": "stage", "work": PREDICTED}]},
        "cluster": BY_THE_HOUR,
        "accounting": {"base_model": {"kind": "none"}, "billing": "exact"},
        "as_of": "2025-09-17",
    }
    bills: dict[str, Any] = {bill.basis: bill for bill in answer(request, embedded()).bases}
    ways = (
        ("rental", "rental_market", "final_run"),
        ("owned", "owned_straight_line", "final_run"),
        ("fully_loaded", "rental_market", "with_staff"),
    )
    for basis, claim_basis, scope in ways:
        assert len(bills[basis].outcomes) == 20
        for place, outcome in enumerate(bills[basis].outcomes):
            judged = judge(of_work(float(outcome), PREDICTED, cluster=BY_THE_HOUR))
            found = reading(judged, claim_basis, scope)
            assert found.total == bills[basis].total
            assert found.position == pytest.approx((place + 0.5) / 20, abs=0.005)


def test_r1_is_exact_at_the_assumed_two_dollars_and_leaves_the_base_model_out():
    """101,000 + 5,000 + 41,000 H800-hours at 2 dollars; V3 took 2,788,000 hours at 2 dollars."""
    judged = judge(of_runs(294000, *R1_RUNS))
    best = judged.readings[0]
    assert (best.basis, best.scope, best.verdict) == ("rental_stated", "final_run", "exact")
    assert Decimal(best.total.amount) == 2 * (101000 + 5000 + 41000) == 294000
    assert (best.position, best.ratio) == (0.5, 1.0)
    assert judged.rate.implied.central == judged.rate.stated.central == 2.0
    with_base = reading(judged, "rental_stated", "with_base_model")
    assert Decimal(with_base.total.amount) == 294000 + 2 * 2788000
    assert with_base.verdict == "below"
    assert judged.verdict.sentence.startswith(
        "Exact as the rental of the final runs at an assumed $2.00 a device-hour; "
        "not as what the model cost to develop, about $"
    )
    omitted = {one.item: one for one in judged.omissions}
    assert {"base_model", "experiments", "staff", "data", "capital"} <= omitted.keys()
    base = omitted["base_model"].amount
    assert Decimal(base.p10) < 5576000 < Decimal(base.p90)
    assert judged.bridge.steps[1].component == "base_model"
    assert judged.bridge.steps[1].running_total == "5870000.00"


@pytest.mark.parametrize(
    ("amount", "verdict"), [(288121, "exact"), (299879, "exact"), (288119, "below")]
)
def test_exact_is_within_two_percent_of_what_was_disclosed(amount, verdict):
    found = reading(judge(of_runs(amount, *R1_RUNS)), "rental_stated", "final_run")
    assert found.verdict == verdict


def test_what_fits_no_reading_is_neither_the_run_nor_its_development():
    """1,000 dollars are a three-hundredth of R1's rental, and less of all else."""
    sentence = judge(of_runs(1_000, *R1_RUNS)).verdict.sentence
    assert sentence.startswith("Not plausible: the nearest reading is ")
    assert "; nor as what the model cost to develop, about $" in sentence


def test_a_bound_holds_where_nine_in_ten_draws_do_and_says_so():
    """4,096 hours at the two dollars that the request states are 8,192 dollars, for certain."""
    cluster = AT_TWO_DOLLARS
    for amount, bound, probability, holds, verdict in (
        (8000, "at_least", 1.0, "yes", "within"),
        (8200, "at_least", 0.0, "no", "above"),
        (8200, "at_most", 1.0, "yes", "within"),
        (8000, "at_most", 0.0, "no", "below"),
    ):
        judged = judge(of_work(amount, HOURS, cluster=cluster, bound=bound))
        found = reading(judged, "rental_stated", "final_run")
        assert (found.probability, found.holds) == (probability, holds)
        assert found.verdict == verdict
        assert found.total.amount == "8192.00"


def test_a_bound_of_an_interval_counts_from_the_end_that_it_names():
    interval = {"low": 1000, "high": 9000}
    least = judge(of_work(interval, HOURS, cluster=AT_TWO_DOLLARS, bound="at_least"))
    most = judge(of_work(interval, HOURS, cluster=AT_TWO_DOLLARS, bound="at_most"))
    about = judge(of_work(interval, HOURS, cluster=AT_TWO_DOLLARS))
    found = [one.amount.amount for one in (least, most, about)]
    assert found == ["1000.00", "9000.00", "3000.00"]
    assert reading(about, "rental_stated", "final_run").probability == 1.0


def test_the_rate_of_a_claim_stands_among_the_prices_that_vote_for_such_a_cluster():
    cluster = BY_THE_HOUR | {"supply": {"kind": "market"}}
    votes = (
        answer(run_of({"work": {"kind": "timed", "hours": 1}}, cluster=cluster), embedded())
        .markets[0]
        .votes
    )
    prices = [float(vote.usd_per_device_hour) for vote in votes]
    assert len(prices) > 15
    judged = judge(of_work(4096 * 2.5, HOURS, cluster=BY_THE_HOUR, as_of=embedded().day))
    (market,) = judged.rate.market
    assert judged.rate.implied.central == 2.5
    assert market.count == len(prices)
    assert (market.lowest, market.highest) == (prices[0], prices[-1])
    assert (market.oldest, market.newest) == (
        min(vote.observed_on for vote in votes),
        max(vote.observed_on for vote in votes),
    )
    assert market.share_below == sum(price < 2.5 for price in prices) / len(prices)


def test_a_reserved_supply_is_a_reading_of_its_own_and_leaves_the_market_on_demand():
    """100,000 hours: at the reserved rate with the rest of the year, and on demand without it.
    The stated rate is that of the hours, whatever else is paid: tax does not change it."""
    reserved = BY_THE_HOUR | {"devices": 512, "supply": {"kind": "market", "term": "reserved_1y"}}
    work = {"kind": "metered", "device_hours": 100_000}
    day = {"as_of": embedded().day}
    for accounting in ({}, {"uplifts": [{"kind": "tax", "label": "VAT", "share": 0.19}]}):
        judged = judge(of_work(1e6, work, cluster=reserved, accounting=accounting, **day))
        rate = judged.rate.stated.central
        paid = float(reading(judged, "rental_stated", "final_run").total.amount)
        tax = 1.19 if accounting else 1.0
        assert paid == pytest.approx(512 * 8_766 * rate * tax, rel=1e-9)
        at_market = reserved | {"supply": {"kind": "market"}}
        on_demand = judge(of_work(1e6, work, cluster=at_market, **day))
        for one in (judged, on_demand):
            (market,) = one.rate.market
            found = reading(one, "rental_market", "final_run").total.amount
            assert float(found) == pytest.approx(100_000 * market.median) == 386_500.0


def test_past_prices_are_those_of_half_a_year_around_the_claim():
    judged = judge(of_work(10000, HOURS, cluster=BY_THE_HOUR, said_on="2024-03-01"))
    (history,) = judged.rate.history
    points = [
        point
        for point in embedded().price_history["nvidia-h100-sxm-80gb"]
        if point.price_kind == "on_demand"
        and not point.restated
        and abs(days_between(point.date, "2024-03-01")) <= 183
    ]
    assert history.count == len(points) > 3
    assert "2023-08" <= history.oldest <= history.newest <= "2024-08-31"
    assert history.oldest == min(point.date for point in points)
    long_ago = judge(of_work(10000, HOURS, cluster=BY_THE_HOUR, said_on="2004"))
    assert long_ago.rate.history == ()


def test_a_claim_of_2023_is_told_in_dollars_of_the_newest_year_of_the_index():
    """100 dollars of 2023 are 100 x 321.943 / 304.702 dollars of 2025."""
    judged = judge(of_work(100, HOURS, cluster=BY_THE_HOUR, said_on="2023-04"))
    assert (judged.dollars.said_in, judged.dollars.today) == (2023, 2025)
    assert judged.dollars.amount_today.amount == f"{100 * 321.943 / 304.702:.2f}" == "105.66"
    for year in ("2025-06", "2026-01", "1999"):
        said = judge(of_work(100, HOURS, cluster=BY_THE_HOUR, said_on=year))
        assert said.dollars is msgspec.UNSET
        missing = [one.why for one in said.not_checkable if one.what == "dollars of today"]
        assert missing == (
            ["the catalog's index of consumer prices begins in 2015"] if year == "1999" else []
        )


def test_disclosed_hours_lie_in_the_prediction_of_the_described_run():
    judged = judge(of_work(1e6, PREDICTED, cluster=BY_THE_HOUR))
    assert judged.hours.disclosed is msgspec.UNSET
    middle = judged.hours.predicted.p50
    for disclosed, low, high in (
        (judged.hours.predicted.p10, 0.095, 0.105),
        (middle, 0.495, 0.505),
        (judged.hours.predicted.p90, 0.895, 0.905),
    ):
        claim = of_work(1e6, PREDICTED, cluster=BY_THE_HOUR, what={"device_hours": disclosed})
        found = judge(claim)
        assert found.hours.disclosed.central == pytest.approx(disclosed)
        assert low <= found.hours.position <= high
        assert found.rate.implied.central == pytest.approx(1e6 / disclosed)


def test_disclosed_hours_are_shared_by_the_stages_as_they_are_predicted():
    """30,000 hours for stages of which one is described as twice the other: 10,000 and 20,000."""
    half = PREDICTED | {"startup_hours": 0}
    whole = half | {"tokens": 2e13}
    what = {
        "run": {
            "name": "run",
            "stages": [{"name": "one", "work": half}, {"name": "two", "work": whole}],
        },
        "device_hours": 30000,
    }
    judged = judge(of_work(60000, half, cluster=AT_TWO_DOLLARS, what=what))
    hours = [one.disclosed.central for one in judged.hours.stages]
    assert hours == pytest.approx([10000, 20000], rel=1e-3)
    assert sum(hours) == pytest.approx(30000)
    assert reading(judged, "rental_stated", "final_run").verdict == "exact"


def test_what_cannot_be_checked_is_told_with_what_is_missing():
    """Kimi K2 discloses neither hours nor devices; a run of no known hours has no reading."""
    judged = judge(of_runs(4.6e6, "kimi-k2"))
    assert judged.verdict.verdict == "not_checkable"
    assert judged.readings == ()
    assert (judged.rate, judged.bridge) == (msgspec.UNSET, msgspec.UNSET)
    told = {one.what: one.why for one in judged.not_checkable}
    assert "kimi-k2" in told["disclosed hours"]
    assert "implied rate" in told


def test_runs_without_predicted_hours_are_named():
    """Zero and the data for fine-tuning are described well enough, R1 itself is not."""
    answer = judge(of_runs(294_000, "deepseek-r1-zero", "deepseek-r1-sft-data", "deepseek-r1"))
    whys = {one.what: one.why for one in answer.not_checkable}
    assert whys["predicted hours"] == "deepseek-r1 is not described well enough to predict them"


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("grok4", "estimated by Epoch"),
        ("opt-175b", "estimated by Epoch"),
        ("gpt2-1.5b-2019", "retold by others"),
        ("nanochat-d32-plan", "planned before the run"),
    ],
)
def test_hours_that_the_makers_did_not_disclose_are_told_as_what_they_are(run, words):
    whys = {one.what: one.why for one in judge(of_runs(1e6, run)).not_checkable}
    assert whys["disclosed hours"] == f"the device-hours of {run} are {words}"


def test_a_run_without_a_number_of_devices_is_not_read_as_their_purchase():
    judged = judge(of_runs(4.2e6, "gpt-oss-120b"))
    assert not [one for one in judged.readings if one.scope == "capital"]
    assert ("purchase", "the number of devices is not disclosed") in {
        (one.what, one.why) for one in judged.not_checkable
    }


def test_every_figure_that_the_answer_names_is_there_and_leads_to_print_or_to_the_claim():
    for claim in (
        of_runs(294000, *R1_RUNS, said_on="2023"),
        SUBJECTS["predicted hours"]({"low": 1e5, "high": 1e6}),
    ):
        asked = msgspec.convert(json.loads(json.dumps(claim)), ClaimRequest)
        said = json.loads(canonical_request(asked))
        body = json.loads(msgspec.json.encode(judge(claim)))
        figures = body["figures"]
        named = set(named_in({key: body[key] for key in body if key != "figures"}))
        assert named <= figures.keys()
        assert named
        for figure in figures.values():
            source = figure["source"]
            if source["kind"] == "derived":
                assert set(source["inputs"].values()) <= figures.keys()
            if source["kind"] == "given":
                assert at_pointer(said, source["pointer"]) is not None
            assert figure.get("pointer", "/what").startswith(("/what", "/amount"))


def named_in(tree):
    """The names of all figures in an answer."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "figure":
                yield value
            else:
                yield from named_in(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from named_in(value)


def at_pointer(body, pointer):
    """The member at a JSON pointer. Fails if there is none."""
    for part in pointer.split("/")[1:]:
        body = body[int(part)] if isinstance(body, list | tuple) else body[part]
    return body


def test_names_that_the_catalog_lacks_are_refused_where_they_stand():
    with pytest.raises(NotQuotable) as refused:
        judge(of_runs(1e6, "deepseek-r1", "deepseek-r2"))
    assert [one.pointer for one in refused.value.errors] == ["/what/ids/1"]
    base = {"base_model": {"kind": "runs", "ids": ["deepseek-v9"]}}
    with pytest.raises(NotQuotable) as refused:
        judge(of_runs(1e6, "deepseek-r1", accounting=base))
    assert refused.value.errors[0].pointer == "/what/accounting/base_model/ids/0"
    lost = AT_TWO_DOLLARS | {"accelerator": "abacus", "site": {"id": "mars"}}
    with pytest.raises(NotQuotable) as refused:
        judge(of_work(1e6, HOURS, cluster=lost))
    pointers = {one.pointer for one in refused.value.errors}
    assert pointers == {"/what/cluster/accelerator", "/what/cluster/site/id"}


def test_warnings_point_into_the_claim():
    reversed_ = {"kind": "metered", "device_hours": {"low": 160000, "high": 90000}}
    judged = judge(of_work({"low": 2e5, "high": 1e5}, reversed_, cluster=AT_TWO_DOLLARS))
    places = {one.pointer for one in judged.warnings if one.code == "interval_reversed"}
    also = {place for one in judged.warnings for place in one.also_at}
    assert places | also >= {"/amount", "/what/run/stages/0/work/device_hours"}


def test_a_mixture_of_runs_with_and_without_a_rate_is_not_read_at_a_stated_rate():
    judged = judge(of_runs(1e7, "deepseek-v3-pretrain", "gpt-oss-120b"))
    assert not [one for one in judged.readings if one.basis == "rental_stated"]
    told = {one.what: one.why for one in judged.not_checkable}
    assert told["rental_stated"] == "a rate was stated for some of the runs only"
    assert len(judged.rate.market) == 2


def test_a_base_model_that_nobody_names_is_an_omission_without_an_amount():
    named = {"base_model": {"kind": "none"}}
    for accounting, there in (({}, True), (named, False)):
        claim = of_work(8192, HOURS, cluster=AT_TWO_DOLLARS, accounting=accounting)
        base = [one for one in judge(claim).omissions if one.item == "base_model"]
        assert bool(base) is there
        assert all(one.amount is msgspec.UNSET for one in base)
    known = judge(of_runs(5576000, "deepseek-v3-pretrain"))
    assert "base_model" not in {one.item for one in known.omissions}
