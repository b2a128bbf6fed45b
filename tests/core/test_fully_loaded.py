"""What the fully loaded bill builds on: the compute of the run, and not what is paid beside it."""

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import Money, PricedBill, PricedLine
from tests.worlds import answer, device, embedded, priced, run_of, world

WORLD = world(device("d1"))
BESIDE = {
    "unused_commitment",
    "experiments_on_commitment",
    "storage",
    "transfer",
    "support",
    "markup",
    "tax",
}


SAID = {"staff": {"kind": "share", "share": 0.38}, "data": {"kind": "ratio", "ratio": 0.05}}
"""Said, because the run is smaller than any whose staff and data are known."""


def bill_of(**accounting):
    stage = {"work": {"kind": "metered", "device_hours": 10_000}}
    cluster = {
        "accelerator": "d1",
        "devices": 64,
        "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
    }
    asked = run_of(stage, cluster=cluster, bases=("fully_loaded",), **SAID | accounting)
    answered = answer(asked, WORLD)
    return answered, answered.bases[0]


def amounts_of(bill):
    found: dict[str, Decimal] = {}
    for line in bill.lines:
        found[line.item] = found.get(line.item, Decimal()) + Decimal(line.amount)
    return found


@settings(max_examples=40)
@given(
    commitment_hours=st.none() | st.floats(1.0, 20_000.0),
    tax=st.floats(0.0, 0.5),
    markup=st.floats(0.0, 0.5),
    gigabytes=st.floats(0.0, 1e6),
)
def test_what_is_paid_beside_the_runs_compute_moves_the_bill_by_its_own_lines_only(
    commitment_hours, tax, markup, gigabytes
):
    _, plain = bill_of()
    asked = {
        "uplifts": [
            {"kind": "tax", "label": "VAT", "share": tax},
            {"kind": "markup", "label": "margin", "share": markup},
        ],
        "storage": {"gigabytes": gigabytes, "months": 3},
        "transfer": {"gigabytes": gigabytes},
    }
    if commitment_hours is not None:
        asked["commitment_hours"] = commitment_hours
    _, moved = bill_of(**asked)
    beside = sum(amount for item, amount in amounts_of(moved).items() if item in BESIDE)
    assert Decimal(moved.total.amount) - beside == Decimal(plain.total.amount)


def test_100_000_hours_on_512_reserved_devices_cost_their_year_and_a_million_of_development():
    """The year is paid for: 512 x 8,766 h. Experiments are 1.2 times the hours that are used, and
    fit into the rest of it. Staff and data rest on the hours used and the experiments; the ratio of
    staff lies between that of R1's size, 646,800 dollars, and the frontier's, 1.6 million. The
    whole was 111.6 million while a development multiplied the year."""
    asked = run_of(
        {"work": {"kind": "metered", "device_hours": 100_000}},
        cluster={
            "accelerator": "nvidia-h100-sxm-80gb",
            "devices": 512,
            "supply": {"kind": "market", "term": "reserved_1y"},
        },
        bases=("rental", "fully_loaded"),
    )
    rental, loaded = map(priced, answer(asked, embedded()).bases)
    rate = float(priced_lines(rental)[0].rate)
    assert float(rental.total.amount) == pytest.approx(512 * 8_766 * rate, abs=0.02)
    compute = 2.2 * 100_000 * rate
    steps = math.log(1.6e6 / compute) / math.log(1.6e6 / 646_800)
    staff = 0.38 / 0.62 * 2.5**steps * compute
    added = float(loaded.total.amount) - float(rental.total.amount)
    assert added == pytest.approx(staff + 0.05 * compute, abs=0.03)
    assert added == pytest.approx(1_025_865, abs=1)
    items = amounts_of(loaded)
    assert items["experiments"] == -items["experiments_on_commitment"]


@pytest.mark.parametrize(("device", "hours"), [("nvidia-a100-sxm-80gb", 24), ("nvidia-l4", 8)])
def test_nobody_knows_what_the_people_behind_a_small_fine_tune_cost(device, hours):
    """Alpaca took 3 hours of 8 A100s, an adapter takes some hours of one card. By the share of
    frontier models their people cost $53.23 and $26.40."""
    asked = run_of(
        {"work": {"kind": "metered", "device_hours": hours}},
        cluster={"accelerator": device, "devices": 8},
        bases=("fully_loaded",),
    )
    (bill,) = answer(asked, embedded()).bases
    assert not isinstance(bill, PricedBill)
    unpriced = {one.item: one.reason for one in bill.lines if not isinstance(one, PricedLine)}
    assert unpriced == {"staff": "size_below_known", "data": "size_below_known"}
    known = sum(Decimal(line.amount) for line in priced_lines(bill))
    assert isinstance(bill.priced_lines_total, Money)
    assert Decimal(bill.priced_lines_total.amount) == known


def priced_lines(bill):
    return [line for line in bill.lines if isinstance(line, PricedLine)]


ON_DEMAND = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 100}
OWN_CLUSTER = {"accelerator": "nvidia-a100-sxm-80gb", "devices": 12}
V3 = {"kind": "runs", "ids": ["deepseek-v3-pretrain", "deepseek-v3-posttrain"]}
shares = st.floats(0.01, 0.5)
development = st.fixed_dictionaries(
    {},
    optional={
        "billing": st.sampled_from(["as_sold", "exact"]),
        "experiments": st.fixed_dictionaries({"factor": st.floats(1.0, 9.0)}),
        "staff": st.one_of(
            st.fixed_dictionaries({"kind": st.just("share"), "share": shares}),
            st.just({"kind": "people", "people": 30, "months": 4}),
            st.just({"kind": "amount", "usd": 250_000}),
        ),
        "data": st.one_of(
            st.fixed_dictionaries({"kind": st.just("ratio"), "ratio": shares}),
            st.just({"kind": "amount", "usd": 40_000}),
        ),
        "base_model": st.sampled_from(
            [
                V3,
                V3 | {"scope": "rental"},
                {"kind": "runs", "ids": ["dbrx-132b"]},
                {"kind": "amount", "usd": 3_000_000, "scope": "fully_loaded"},
                {"kind": "none"},
            ]
        ),
        "discounts": shares.map(
            lambda share: [{"label": "volume", "share": share, "covers": ["device_rental"]}]
        ),
    },
)
beside_compute = st.fixed_dictionaries(
    {},
    optional={
        "commitment_hours": st.floats(1.0, 20_000.0),
        "storage": st.fixed_dictionaries({"gigabytes": st.floats(0.0, 1e7)}),
        "transfer": st.fixed_dictionaries({"gigabytes": st.floats(0.0, 1e6)}),
        "support": st.fixed_dictionaries({"share": shares}),
        "uplifts": st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["tax", "markup"]),
                    "label": st.just("on top"),
                    "share": shares,
                }
            ),
            max_size=3,
        ),
    },
)


def loaded(hours, accounting):
    """The fully loaded bill of two stages, one on its own cluster, and the sum of its lines."""
    first = {"work": {"kind": "metered", "device_hours": hours}}
    second = {"work": {"kind": "timed", "hours": 30}, "cluster": OWN_CLUSTER}
    asked = run_of(first, second, cluster=ON_DEMAND, bases=("fully_loaded",), **accounting)
    (bill,) = answer(asked, embedded()).bases
    total = bill.total if isinstance(bill, PricedBill) else bill.priced_lines_total
    assert isinstance(total, Money)
    return bill, Decimal(total.amount)


def lines_of(bill, *, beside):
    return [line for line in bill.lines if (line.item in BESIDE) is beside]


def facts_of(line):
    """What a line says, without its interval and its figures."""
    if not isinstance(line, PricedLine):
        return (line.stage, line.item, line.quantity, line.reason)
    return (line.stage, line.item, line.label, line.quantity, line.rate, line.amount)


@settings(max_examples=60)
@given(hours=st.floats(50.0, 2e6), development=development, beside=beside_compute)
def test_experiments_staff_data_and_the_base_never_follow_what_is_paid_beside_compute(
    hours, development, beside
):
    """Only those lines move the total, with the credit for what a commitment has paid."""
    plain, before = loaded(hours, development)
    moved, after = loaded(hours, development | beside)
    assert not lines_of(plain, beside=True)
    kept, same = lines_of(moved, beside=False), lines_of(plain, beside=False)
    assert [facts_of(line) for line in kept] == [facts_of(line) for line in same]
    added = lines_of(moved, beside=True)
    assert after - before == sum(Decimal(line.amount) for line in added)
    credit = [line for line in added if line.item == "experiments_on_commitment"]
    assert bool(credit) == any(line.item == "unused_commitment" for line in added)


def test_experiments_use_an_unused_commitment_before_they_cost_more():
    # 156.25 h of 64 devices are used and 1,000 are paid for: $20,000 and $108,000.
    # Experiments at 2.2 times the run are $24,000, and fit into what is unused.
    _, bill = bill_of(commitment_hours=1000)
    found = amounts_of(bill)
    assert found["device_rental"] == Decimal(20_000)
    assert found["unused_commitment"] == Decimal(108_000)
    assert found["experiments"] == Decimal(24_000)
    assert found["experiments_on_commitment"] == Decimal(-24_000)
    # 200 h are paid for: $5,600 are unused, and the rest of the experiments costs more.
    _, bill = bill_of(commitment_hours=200)
    assert amounts_of(bill)["experiments_on_commitment"] == Decimal(-5_600)


def test_discounts_lower_the_compute_that_experiments_staff_and_data_follow():
    _, plain = bill_of()
    _, cheaper = bill_of(discounts=[{"label": "volume", "share": 0.25}])
    full, less = amounts_of(plain), amounts_of(cheaper)
    for item in ("experiments", "staff", "data"):
        assert abs(less[item] - full[item] * Decimal("0.75")) <= Decimal("0.01")


def test_a_discount_on_a_commitment_leaves_the_compute_that_experiments_follow():
    _, plain = bill_of(commitment_hours=200)
    discount = {"label": "reserved", "share": 0.25, "covers": ["unused_commitment"]}
    _, cheaper = bill_of(commitment_hours=200, discounts=[discount])
    full, less = amounts_of(plain), amounts_of(cheaper)
    for item in ("experiments", "staff", "data"):
        assert less[item] == full[item]
    # $5,600 are unused, $4,200 after the discount: experiments can use what is paid.
    assert less["discount"] == Decimal(-1_400)
    assert less["experiments_on_commitment"] == Decimal(-4_200)


def test_uplifts_stand_last_and_are_those_of_the_rental_bill():
    _, bill = bill_of(uplifts=[{"kind": "tax", "label": "VAT", "share": 0.2}])
    assert bill.lines[-1].item == "tax"
    assert Decimal(bill.lines[-1].amount) == Decimal(4_000)


def test_a_commitment_that_is_mostly_unused_is_warned_of_with_its_share():
    answered, _ = bill_of(commitment_hours=1000)
    (warning,) = (one for one in answered.warnings if one.code == "commitment_unused")
    assert "84%" in warning.detail
    assert warning.pointer == "/accounting/commitment_hours"
    answered, _ = bill_of(commitment_hours=200)
    assert not [one for one in answered.warnings if one.code == "commitment_unused"]


def test_discounts_lower_the_commitment_that_experiments_can_use():
    # 200 h are paid for and 156.25 used: $5,600 are unused, $4,200 after the discount.
    _, bill = bill_of(commitment_hours=200, discounts=[{"label": "volume", "share": 0.25}])
    assert amounts_of(bill)["experiments_on_commitment"] == Decimal(-4_200)


def test_an_amount_for_the_base_model_counts_as_it_is_or_with_its_development():
    base = {"kind": "amount", "usd": 1_000_000}
    _, bill = bill_of(base_model=base)
    assert "base_model_development" not in amounts_of(bill)
    _, bill = bill_of(base_model=base | {"scope": "fully_loaded"})
    # 2.2 times compute, with staff of 38% of compute and staff together, and data of 5%.
    whole = 2.2 * (1 + 0.38 / 0.62 + 0.05) * 1_000_000
    assert float(amounts_of(bill)["base_model_development"]) == pytest.approx(
        whole - 1_000_000, abs=0.01
    )


def test_a_small_base_is_told_as_its_own_size_with_what_to_say_of_it():
    """100,000 dollars times 2.2 are below the 352,800 of the smallest known development."""
    answered, bill = bill_of(base_model={"kind": "amount", "usd": 1e5, "scope": "fully_loaded"})
    (line,) = (one for one in bill.lines if one.item == "base_model_development")
    (warning,) = (one for one in answered.warnings if one.code == "unpriced_line")
    assert line.detail == warning.detail
    assert "that of the base model costs 220,000.00; let base_model have" in line.detail


def test_the_development_of_a_base_without_a_price_waits_for_it_and_not_for_the_run():
    # The reference run discloses its hours, and neither their rate nor a cost.
    asked = run_of(
        {"work": {"kind": "metered", "device_hours": 1e6}},
        cluster={
            "accelerator": "nvidia-h100-sxm-80gb",
            "devices": 64,
            "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
        },
        bases=("fully_loaded",),
        base_model={"kind": "runs", "ids": ["llama2-7b"]},
        staff=SAID["staff"],
        data=SAID["data"],
    )
    lines = {one.item: one for one in answer(asked, embedded()).bases[0].lines}
    assert "share of the base model's rental" in str(lines["base_model_development"].detail)


def test_the_development_of_a_base_does_not_follow_what_is_said_of_this_run():
    base = {"kind": "amount", "usd": 1_000_000, "scope": "fully_loaded"}
    _, usual = bill_of(base_model=base)
    _, said = bill_of(
        base_model=base,
        experiments={"factor": 1},
        staff={"kind": "amount", "usd": 5},
        data={"kind": "amount", "usd": 7},
    )
    item = "base_model_development"
    assert amounts_of(usual)[item] == amounts_of(said)[item]
