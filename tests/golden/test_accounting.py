"""What headlines count, and what they leave out: published sums come out of whole quotes.

- R1 and V3: DeepSeek-R1 (Nature 2025, supplementary table) and the DeepSeek-V3 report, table 1.
- GPT-4: the inputs of the authors of `epoch-2024`; 57 million A100-hours, bought at 24,875 dollars
  638 days before the start, 1.25 PUE and 0.0806 dollars per kWh.
- Servers: MLPerf Training power results, at the wall, without PUE.
"""

from decimal import Decimal

import pytest

from tests.requests import R1, V3
from tests.worlds import answer, embedded, priced, run_of

V3_RUNS = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]
R1_ON_V3 = R1 | {"accounting": {"base_model": {"kind": "runs", "ids": V3_RUNS}}}
GPT_4 = run_of(
    {"name": "GPT-4", "work": {"kind": "metered", "device_hours": 57e6}},
    cluster={
        "accelerator": "nvidia-a100-sxm-40gb",
        "devices": 25_000,
        "supply": {
            "kind": "owned",
            "convention": "epoch-2024",
            "usd_per_device": 24_875,
            "age_years": 638 / 365.25,
        },
        "site": {"pue": 1.25, "usd_per_kwh": 0.0806},
    },
    bases=("rental", "owned", "fully_loaded"),
    base_model={"kind": "none"},
)


def bills(request):
    return {bill.basis: priced(bill) for bill in answer(request, embedded()).bases}


def amounts(bill, *items):
    return sum(Decimal(line.amount) for line in bill.lines if line.item in items)


def test_r1_is_294_thousand_dollars_of_rental_and_5_87_million_with_its_base_model():
    found = bills(R1_ON_V3)
    assert found["rental"].total.amount == "294000.00"
    assert amounts(found["fully_loaded"], "device_rental") == 294_000
    assert amounts(found["fully_loaded"], "base_model") == 5_576_000
    (bridge,) = (b for b in answer(R1_ON_V3, embedded()).bridges if b.end_basis == "fully_loaded")
    assert bridge.start.amount == "294000.00"
    assert bridge.steps[0].component == "base_model"
    assert bridge.steps[0].running_total == "5870000.00"
    assert [step.component for step in bridge.steps[1:]] == [
        "base_model_development",
        "experiments",
        "staff",
        "data",
    ]


def test_r1_takes_over_what_the_development_of_its_base_cost():
    """V3's own fully loaded quote is $20.4M, so that R1's is $22.1M, with V3's spread."""
    v3, r1 = bills(V3)["fully_loaded"], bills(R1_ON_V3)["fully_loaded"]
    v3_usd, r1_usd = Decimal(v3.total.amount), Decimal(r1.total.amount)
    assert amounts(r1, "base_model", "base_model_development") == pytest.approx(v3_usd, abs=1)
    alone = Decimal(
        bills(R1 | {"accounting": {"base_model": {"kind": "none"}}})["fully_loaded"].total.amount
    )
    assert r1_usd - v3_usd == pytest.approx(alone, abs=1)
    assert float(r1.interval.p90) / float(r1.interval.p10) > 2.5


def test_a_base_of_which_only_a_sum_is_published_counts_by_it_with_a_spread_of_its_own():
    # DBRX: "$10 million". Nine in ten lie from 0.4 to 2.5 times of it, eight in ten from
    # 0.4^(1.2816 / 1.645) = 0.490 to 2.5^(1.2816 / 1.645) = 2.042 times.
    base = {"kind": "runs", "ids": ["dbrx-132b"], "scope": "rental"}
    loaded = bills(R1 | {"accounting": {"base_model": base}})["fully_loaded"]
    (line,) = (line for line in loaded.lines if line.item == "base_model")
    assert line.amount == "10000000.00"
    assert float(line.interval.p10) == pytest.approx(4.90e6, rel=2e-3)
    assert float(line.interval.p90) == pytest.approx(20.42e6, rel=2e-3)


def test_a_base_model_may_count_by_its_rental_alone():
    base = R1_ON_V3["accounting"]["base_model"] | {"scope": "rental"}
    found = bills(R1 | {"accounting": {"base_model": base}})["fully_loaded"]
    assert found.total.amount == "7246204.52"
    assert "base_model_development" in found.excludes


def test_r1_names_experiments_staff_data_and_capital_with_amounts_and_intervals():
    found = bills(R1_ON_V3)
    named = {line.item: line for line in found["fully_loaded"].lines}
    named |= {line.item: line for line in found["owned"].lines}
    for item in ("experiments", "staff", "data", "capital", "accelerators"):
        interval = named[item].interval
        assert 0 < Decimal(interval.p10) < Decimal(interval.p90)
    (ownership,) = answer(R1_ON_V3, embedded()).ownership
    assert 12.8e6 < float(ownership.acquisition.total.amount) < 51e6


def test_what_the_v3_report_leaves_out_is_left_out_by_name():
    base = R1_ON_V3["accounting"]["base_model"] | {"scope": "rental"}
    rows = answer(R1 | {"accounting": {"base_model": base}}, embedded()).exclusions
    (own,) = (r for r in rows if getattr(r.source, "title", "") == "DeepSeek-V3 Technical Report")
    assert own.item == "base_model_development"
    assert "ablations" in own.what
    assert not [r for r in answer(R1, embedded()).exclusions if "DeepSeek" in r.what]
    labels = {line.label for line in bills(R1_ON_V3)["fully_loaded"].lines if line.label}
    assert labels == set(V3_RUNS)


def test_the_rental_of_r1_leaves_out_what_its_critics_count():
    rental = bills(R1_ON_V3)["rental"]
    rows = {row.item: row for row in answer(R1_ON_V3, embedded()).exclusions}
    assert {"base_model", "experiments", "staff", "data", "capital", "fleet"} <= set(
        rental.excludes
    )
    # 64 servers of 8 devices at 200,000 dollars and more; The Register counted 256 servers.
    assert rows["capital"].amount
    assert 64 * 200_000 < float(rows["capital"].amount.p50) < 51e6
    assert rows["fleet"].magnitude
    assert rows["fleet"].magnitude.low == 1.3e9


def test_gpt_4_comes_out_of_a_quote_as_out_of_the_published_calculation():
    quoted = answer(GPT_4, embedded())
    (owned,) = (bill for bill in quoted.bases if bill.basis == "owned")
    assert round(float(priced(owned).total.amount)) == pytest.approx(40_155_934, abs=1)
    (ownership,) = quoted.ownership
    assert ownership.usd_per_device_hour
    assert round(ownership.usd_per_device_hour.central, 5) == 0.70449


def test_gpt_4_with_people_and_experiments_costs_more_than_a_hundred_million():
    """Said of foundation models in 2023; the authors make GPT-4 129 million, 101 to 170."""
    loaded = bills(GPT_4)["fully_loaded"]
    assert float(loaded.interval.p10) < 129e6 < float(loaded.interval.p90)
    assert float(loaded.interval.p90) > 100e6
    assert 101e6 < float(loaded.total.amount) < 170e6


@pytest.mark.parametrize(
    ("accelerator", "least_w", "most_w"),
    [("nvidia-h100-sxm-80gb", 6_900, 7_200), ("nvidia-b200-sxm", 9_600, 10_100)],
)
def test_a_server_of_eight_draws_what_was_metered_within_a_tenth(accelerator, least_w, most_w):
    cluster = {"accelerator": accelerator, "devices": 8, "site": {"pue": 1.0}}
    request = run_of({"work": {"kind": "timed", "hours": 1}}, cluster=cluster)
    (stage,) = answer(request, embedded()).stages
    assert stage.power_w
    assert stage.energy_kwh
    drawn = stage.power_w.average_it.central
    assert 0.9 * most_w < drawn < 1.1 * least_w
    assert stage.energy_kwh.it.central == pytest.approx(drawn / 1000)
