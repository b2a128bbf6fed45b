"""What a quote says would narrow its interval does so, to what it says."""

import copy

import pytest

from service.api.contract.examples import REQUESTS
from service.core.answer import PricedBill
from service.core.request.work import LayoutTerms
from tests.worlds import answer, embedded

WITHIN = 0.1
LEAST_SEEN = 0.1
"""Of a total's variance. What less narrows is within what 1,024 draws tell of wide intervals."""
NOISE = 1.05
GBIT_PER_BYTE = 8 / 1e9
HOURS_OF_A_YEAR = 8_766
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
        "agents",
        "negotiated",
        "two-clusters",
    )
}


def at_a_rate(devices, accelerator="nvidia-h100-sxm-80gb", **work):
    """Pre-training of Llama 3.1 8B at two dollars, so that hours alone are unsure."""
    asked = {"kind": "pretraining", "model": {"kind": "preset", "id": "llama-3.1-8b"}}
    return request_of({**asked, "tokens": 1e12, **work}, devices, accelerator)


def request_of(work, devices, accelerator="nvidia-h100-sxm-80gb"):
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    cluster = {"accelerator": accelerator, "devices": devices, "supply": supply}
    return {"run": {"name": "r", "stages": [{"name": "s", "work": work}]}, "cluster": cluster}


def of_agents(agent, devices=64, **work):
    """Reinforcement of an agent of 32B at two dollars, with a cap on its trajectories."""
    asked = {"kind": "reinforcement", "model": {"kind": "preset", "id": "qwen3-32b"}, "steps": 200}
    samples = {"prompts_per_step": 64, "samples_per_prompt": 8}
    responses = {"responses": {"most_tokens": 32_768}}
    return request_of(asked | samples | responses | {"agent": agent} | work, devices)


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


WRITING = {
    "kind": "generation",
    "model": {"kind": "preset", "id": "qwen3-14b"},
    "requests": 10_000,
    "responses": {"most_tokens": 32_768},
}
LENGTHS = {
    "agent-unsaid": of_agents({}),
    "agent-turns-known": of_agents({"turns": 30}),
    "agent-waits-known": of_agents({"turns": 30, "environment_seconds": 2}),
    "agent-turns": of_agents(
        {
            "turns": {"low": 10, "high": 40},
            "written_tokens": {"low": 100, "high": 600},
            "read_tokens": {"low": 200, "high": 2_000},
            "environment_seconds": {"low": 1, "high": 5},
        }
    ),
    "agent-lengths": of_agents(
        {"turns": 30, "environment_seconds": 2},
        responses={"mean_tokens": {"low": 4_000, "high": 14_000}, "most_tokens": 32_768},
    ),
    "agent-writes": request_of(
        WRITING | {"agent": {"written_tokens": 250, "environment_seconds": 0.6}}, 8
    ),
    "agent-reads": request_of(
        WRITING | {"agent": {"read_tokens": 400, "environment_seconds": 0.6}}, 8
    ),
    "agent-writes-turns": request_of(
        WRITING | {"agent": {"turns": 25, "environment_seconds": 0.6}}, 8
    ),
    "one-turn": request_of(WRITING, 8),
}


def taken_for(member, quoted):
    """What the quote took for a member: for a supply its rate, else the one figure behind it."""
    stage = quoted.stages[0]
    last = member.rpartition("/")[2]
    if last in ("mfu", "goodput", "framework"):
        return stage.step.framework if last == "framework" else getattr(stage, last).central
    if last == "layout":
        return {name: getattr(stage.layout, name) for name in LayoutTerms.__struct_fields__}
    if last == "supply":
        (bill,) = (bill for bill in quoted.bases if bill.basis == "rental")
        stage = int(member.split("/")[3]) if "/stages/" in member else 0
        return {"kind": "rate", "usd_per_device_hour": float(bill.lines[stage].rate)}
    made = {"mean_tokens": "written", "read_tokens": "read_of_turn"}.get(last, "")
    made = f"{member.removeprefix('/run/').partition('/work/')[0]}/agent/{made}"
    if made in quoted.figures:
        return quoted.figures[made].value
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
    term = request["cluster"].get("supply", {}).get("term", "")
    if member == "/cluster/supply" and term.startswith("reserved"):
        changed.setdefault("accounting", {})["commitment_hours"] = HOURS_OF_A_YEAR
    return changed


def narrowings(requests):
    for name, request in requests.items():
        for one in answer(request, embedded()).narrow_by:
            if "/staff/" not in one.member:  # two figures make one share
                yield pytest.param(request, one, id=f"{name}-{one.basis}-{one.member}")


NARROWINGS = tuple(
    one for kind in (PREDICTED, STATED, OF_STEPS, LENGTHS) for one in narrowings(kind)
)


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
    narrower = NOISE if narrowed.share < LEAST_SEEN else 1.0
    assert float(now.p90) / float(now.p10) < float(was.p90) / float(was.p10) * narrower


def test_more_than_twenty_promises_are_kept():
    assert len(NARROWINGS) > 20
    kept = {one.values[1].member.rpartition("/")[2] for one in NARROWINGS}
    assert {"mfu", "goodput", "framework", "layout", "supply"} <= kept
    assert {"turns", "environment_seconds", "written_tokens", "mean_tokens"} <= kept


def test_a_price_with_a_term_is_asked_for_where_its_term_can_be_said():
    """A term belongs to the run's cluster. A stage's own cluster has a rate and no term."""
    run, stage = (
        {one.member: one.why for one in answer(STATED[name], embedded()).narrow_by}
        for name in ("negotiated", "two-clusters")
    )
    assert "commitment_hours" in run["/cluster/supply"]
    assert not any(member.endswith("/supply") for member in stage)
