"""What a quote says would narrow its interval does so, to what it says."""

import copy

import pytest

from service.api.contract.examples import REQUESTS
from service.core.answer import PricedBill
from service.core.request.work import LayoutTerms
from tests.worlds import answer, embedded

WITHIN = 0.1
GBIT_PER_BYTE = 8 / 1e9
PREDICTED = {
    example.name: example.request
    for example in REQUESTS
    if example.name
    in (
        "deepseek-v3-predicted",
        "llama-3-405b-from-its-tokens",
        "a-model-known-by-its-parameters",
        "your-own-transformer",
        "a-device-of-your-own",
    )
}
STATED = {
    example.name: example.request
    for example in REQUESTS
    if example.name
    in (
        "deepseek-r1",
        "deepseek-v3",
        "market-h100",
        "compute-with-intervals",
        "owned",
        "r1-zero-from-its-description",
    )
}


def at_a_rate(devices, accelerator="nvidia-h100-sxm-80gb", **work):
    """Pre-training of Llama 3.1 8B at two dollars, so that hours alone are unsure."""
    asked = {"kind": "pretraining", "model": {"kind": "preset", "id": "llama-3.1-8b"}}
    stage = {"name": "pre-training", "work": {**asked, "tokens": 1e12, **work}}
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    cluster = {"accelerator": accelerator, "devices": devices, "supply": supply}
    return {"run": {"name": "8B", "stages": [stage]}, "cluster": cluster}


NO_LOSSES = {"goodput": 0.97, "evaluation_share": 0.01, "idle_share": 0.01, "software_year": 2026}
OF_STEPS = {
    "eight-devices": at_a_rate(8),
    "few-devices": at_a_rate(64),
    "many-devices": at_a_rate(512),
    "losses-known": at_a_rate(64, **NO_LOSSES),
    "losses-known-of-many": at_a_rate(1024, **NO_LOSSES),
    "layout-known": at_a_rate(64, **NO_LOSSES, layout={"zero_stage": 3, "micro_batch": 1}),
    "framework-known": at_a_rate(64, **NO_LOSSES, framework="megatron"),
    "on-a-tpu": at_a_rate(256, "google-tpu-v5p", **NO_LOSSES),
}


def taken_for(member, quoted):
    """What the quote took for a member: for a supply its rate, else the one figure behind it."""
    stage = quoted.stages[0]
    last = member.rpartition("/")[2]
    if last in ("mfu", "goodput"):
        return getattr(stage, last).central
    if last == "framework":
        return stage.step.framework
    if last == "layout":
        return {name: getattr(stage.layout, name) for name in LayoutTerms.__struct_fields__}
    if last == "supply":
        (bill,) = (bill for bill in quoted.bases if bill.basis == "rental")
        return {"kind": "rate", "usd_per_device_hour": float(bill.lines[0].rate)}
    (figure,) = (one for one in quoted.figures.values() if getattr(one, "pointer", "") == member)
    if last == "network_gbit_per_s_per_device":
        return figure.value * GBIT_PER_BYTE
    return figure.value


def interval_of(quoted, basis):
    (bill,) = (bill for bill in quoted.bases if bill.basis == basis)
    assert isinstance(bill, PricedBill)
    return bill.interval


def said(request, member, value):
    """The request with a member said."""
    changed = copy.deepcopy(request)
    *path, last = member.strip("/").split("/")
    at = changed
    for key in path:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    at[last] = value
    return changed


def narrowings(requests):
    for name, request in requests.items():
        for one in answer(request, embedded()).narrow_by:
            if "/staff/" not in one.member:  # two figures make one share
                yield pytest.param(request, one, id=f"{name}-{one.basis}-{one.member}")


NARROWINGS = (*narrowings(PREDICTED), *narrowings(STATED), *narrowings(OF_STEPS))


@pytest.mark.parametrize(("request_", "narrowed"), [*NARROWINGS])
def test_saying_what_is_asked_for_gives_the_interval_that_was_promised(request_, narrowed):
    before = answer(request_, embedded())
    value = taken_for(narrowed.member, before)
    after = answer(said(request_, narrowed.member, value), embedded())
    was, now = interval_of(before, narrowed.basis), interval_of(after, narrowed.basis)
    promised = narrowed.interval_if_known
    for level in ("p10", "p50", "p90"):
        assert float(getattr(now, level)) == pytest.approx(
            float(getattr(promised, level)), rel=WITHIN
        )
    assert float(now.p90) / float(now.p10) < float(was.p90) / float(was.p10)


def test_more_than_twenty_promises_are_kept():
    assert len(NARROWINGS) > 20
    kept = {one.values[1].member.rpartition("/")[2] for one in NARROWINGS}
    assert {"mfu", "goodput", "framework", "layout", "supply"} <= kept
