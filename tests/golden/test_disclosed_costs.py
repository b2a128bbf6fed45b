"""Reference runs that state hours and a rate are quoted to the cent."""

from decimal import Decimal

import pytest
from msgspec import UNSET

from tests.requests import R1, V3
from tests.worlds import answer, embedded, number, priced, run_of

STATED = sorted(
    run.id
    for run in embedded().runs.values()
    if run.device_hours is not UNSET and run.usd_per_device_hour is not UNSET
)


def rental(request):
    (bill,) = (bill for bill in answer(request, embedded()).bases if bill.basis == "rental")
    return priced(bill)


def test_there_are_runs_that_state_hours_and_a_rate():
    assert {"deepseek-v3-pretrain", "deepseek-r1-zero", "nanochat-d20"} <= set(STATED)


@pytest.mark.parametrize("id", STATED)
def test_a_stated_run_costs_its_hours_times_its_rate(id):
    run = embedded().runs[id]
    hours, rate = number(run.device_hours), number(run.usd_per_device_hour)
    cluster = {
        "accelerator": run.accelerator,
        "devices": run.facts.get("device_count") or 1,
        "supply": {"kind": "rate", "usd_per_device_hour": rate},
    }
    if run.accelerator not in embedded().accelerators:
        cluster["accelerator"] = embedded().accelerator_aliases[run.accelerator]
    request = run_of({"work": {"kind": "metered", "device_hours": hours}}, cluster=cluster)
    exact = Decimal(str(hours)) * Decimal(str(rate))
    assert Decimal(rental(request).total.amount) == exact.quantize(Decimal("0.01"))


def test_the_stated_dollars_agree_with_hours_times_rate():
    for id in ("deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"):
        run = embedded().runs[id]
        product = number(run.device_hours) * number(run.usd_per_device_hour)
        assert product == number(run.stated_cost_usd)


def test_r1_and_v3_are_quoted_as_they_were_disclosed():
    assert rental(R1).total.amount == "294000.00"
    assert [line.amount for line in rental(V3).lines] == ["5328000.00", "238000.00", "10000.00"]
    assert rental(V3).total.amount == "5576000.00"


def test_the_devices_and_days_of_r1_agree_with_its_hours():
    assert pytest.approx(101_000, rel=0.005) == 512 * 198
    assert pytest.approx(41_000, rel=0.005) == 512 * 80
