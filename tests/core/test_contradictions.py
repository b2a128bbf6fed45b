"""What contradicts itself without being impossible: a quote is made, and its warning says it."""

import pytest

from service.core.catalog.errors import NotQuotable
from tests.worlds import answer, embedded

LLAMA_2 = {"kind": "preset", "id": "llama-2-7b"}
LONG = {"kind": "preset", "id": "llama-3.1-8b"}
LONGEST_OF_LLAMA_2 = 4_096
H100 = "nvidia-h100-sxm-80gb"
V100 = "nvidia-v100-sxm2-32gb"
RATE = {"kind": "rate", "usd_per_device_hour": 2.0}


def quoted(work, accelerator=H100, name="s", **cluster):
    body = {"accelerator": accelerator, "devices": 8, "supply": RATE} | cluster
    run = {"name": "r", "stages": [{"name": name, "work": work}]}
    return answer({"run": run, "cluster": body, "options": {"bases": ["rental"]}}, embedded())


def places(work, code, **cluster):
    """Where a quote warns of a code, with the severity."""
    told = quoted(work, **cluster)
    return [(w.pointer, w.severity) for w in (*told.warnings, *told.notes) if w.code == code]


def detail(work, code, **cluster):
    (found,) = (w.detail for w in quoted(work, **cluster).warnings if w.code == code)
    return found


def pretraining(length, model=LLAMA_2):
    return {"kind": "pretraining", "model": model, "tokens": 1e9, "sequence_length": length}


def tuning(mean, length):
    data = {"kind": "examples", "examples": 1_000, "mean_tokens": mean}
    return {"kind": "finetuning", "model": LONG, "data": data, "sequence_length": length}


def writing(cap=None, mean=None, prompt=100, model=LLAMA_2):
    responses = {"most_tokens": cap, "mean_tokens": mean}
    return {
        "kind": "generation",
        "model": model,
        "requests": 100,
        "prompt_tokens": prompt,
        "responses": {name: tokens for name, tokens in responses.items() if tokens},
    }


def learning(cap):
    batch = {"steps": 10, "prompts_per_step": 8, "samples_per_prompt": 8}
    return writing(cap=cap) | {"kind": "reinforcement"} | batch


def without_requests(work):
    return {name: value for name, value in work.items() if name != "requests"}


AT_LENGTH = [("/run/stages/0/work/sequence_length", "check")]
AT_CAP = [("/run/stages/0/work/responses/most_tokens", "check")]
AT_MEAN = [("/run/stages/0/work/responses/mean_tokens", "check")]


@pytest.mark.parametrize(
    ("work", "at"),
    [
        (pretraining(LONGEST_OF_LLAMA_2), []),
        (pretraining(LONGEST_OF_LLAMA_2 + 1), AT_LENGTH),
        (pretraining(8_192, {"kind": "parameters", "total": 7e9}), []),
        (tuning(1_000, 131_072), []),
        (tuning(1_000, 131_073), AT_LENGTH),
        (writing(cap=LONGEST_OF_LLAMA_2 - 100), []),
        (writing(cap=LONGEST_OF_LLAMA_2 - 99), AT_CAP),
        (writing(mean=2_000), []),
        (writing(mean=4_000), AT_MEAN),
        (writing(cap=8_192, model=LONG), []),
        (without_requests(learning(cap=3_000)), []),
        (without_requests(learning(cap=30_000)), AT_CAP),
    ],
)
def test_sequences_above_the_context_of_a_model_are_said(work, at):
    assert places(work, "context_above_maximum") == at


def test_a_transformer_that_you_describe_may_say_its_context():
    shape = {"layers": 4, "hidden_size": 256, "heads": 4, "vocab_size": 1_000}
    model = {"kind": "transformer"} | shape
    assert places(pretraining(4_096, model), "context_above_maximum") == []
    model["max_sequence"] = 2_048
    assert places(pretraining(4_096, model), "context_above_maximum") == AT_LENGTH
    said = detail(pretraining(4_096, model), "context_above_maximum")
    assert "4096" in said
    assert "2048" in said


def test_every_preset_says_its_context_except_t5_which_has_none():
    """Its relative positions have no last one: far ones share a bucket."""
    for preset in embedded().models.values():
        if "encoder" in preset.architecture:
            assert "relative positions of both stacks" in preset.note, preset.id
            assert "max_sequence" not in preset.architecture, preset.id
        else:
            assert preset.architecture["max_sequence"] >= 1_024, preset.id


def test_examples_above_their_sequence_are_said():
    assert places(tuning(4_096, 4_096), "example_above_sequence") == []
    at = [("/run/stages/0/work/data/mean_tokens", "check")]
    assert places(tuning(4_097, 4_096), "example_above_sequence") == at


@pytest.mark.parametrize(("device", "fp32_tflop_per_s"), [(V100, 15.7), ("nvidia-t4", 8.1)])
def test_bf16_is_emulated_in_fp32_on_devices_that_lack_it(device, fp32_tflop_per_s):
    flop = {"kind": "compute", "flop": 1e18, "mfu": 0.4, "goodput": 1.0, "startup_hours": 0}
    (stage,) = quoted(flop, accelerator=device).stages
    hours = 1e18 / (fp32_tflop_per_s * 1e12 * 0.4) / 3600
    assert stage.device_hours.central == pytest.approx(hours)
    at = [("/run/stages/0/work/precision", "act")]
    assert places(flop, "precision_emulated", accelerator=device) == at
    assert "fp32" in detail(flop, "precision_emulated", accelerator=device)


def test_fp16_is_what_such_a_device_has():
    asked = {"kind": "compute", "flop": 1e18, "mfu": 0.4, "goodput": 1.0, "startup_hours": 0}
    (stage,) = quoted(asked | {"precision": "fp16"}, accelerator=V100).stages
    assert stage.device_hours.central == pytest.approx(1e18 / (125e12 * 0.4) / 3600)
    assert places(asked | {"precision": "fp16"}, "precision_emulated", accelerator=V100) == []


def test_a_model_trains_several_times_as_long_in_emulated_bf16():
    work = pretraining(2_048, {"kind": "preset", "id": "gpt2-xl"}) | {"goodput": 1.0}
    slow, fast = (
        quoted(work | {"precision": precision}, accelerator=V100).stages[0].device_hours.central
        for precision in ("bf16", "fp16")
    )
    assert 2.0 < slow / fast < 125 / 15.7


METERED = {"kind": "metered", "device_hours": 100.0}
HERE = [("/cluster/site/id", "check")]


def us_offer(price_kind="on_demand"):
    return next(
        row
        for row in embedded().offers.values()
        if row.accelerator == H100 and row.country == "US" and row.price_kind == price_kind
    )


@pytest.mark.parametrize(
    ("site", "at"),
    [
        ("aws:eu-west-1", HERE),
        ("grid:de", HERE),
        ("grid:x-europe", HERE),
        ("grid:eu", HERE),
        ("aws:us-east-1", []),
        ("grid:us-tx", []),
        ("grid:x-north-america", []),
        ("grid:x-world", []),
    ],
)
def test_a_site_in_another_country_than_the_offer_is_said(site, at):
    offer = us_offer()
    by_id = {"kind": "offer", "id": offer.id}
    by_region = {"kind": "market", "provider": offer.provider, "region": offer.region}
    for supply in (by_id, by_region):
        told = places(METERED, "site_elsewhere", supply=supply, site={"id": site})
        assert told == at


def test_a_supply_that_names_no_place_can_be_anywhere():
    for supply in (RATE, {"kind": "market"}):
        assert places(METERED, "site_elsewhere", supply=supply, site={"id": "grid:de"}) == []


ELSEWHERE = [("/run/stages/0/work/measured_on", "check")]
H800, H200 = "nvidia-h800-sxm-80gb", "nvidia-h200-sxm-141gb"


def test_hours_that_were_measured_on_another_device_are_said():
    metered = METERED | {"measured_on": H800}
    assert places(metered, "measured_elsewhere", accelerator=H200) == ELSEWHERE
    assert places(metered, "measured_elsewhere", accelerator=H800) == []
    (stage,) = quoted(metered, accelerator=H200).stages
    assert stage.device_hours.central == 100.0


@pytest.mark.parametrize(
    ("hours", "name"), [(101_000, "R1-Zero"), (5_000, "SFT data"), (41_000, "R1")]
)
def test_published_hours_on_another_device_are_known_by_number_and_name(hours, name):
    metered = {"kind": "metered", "device_hours": hours}
    at = [("/run/stages/0/work/device_hours", "check")]
    place = {"name": name}
    assert places(metered, "measured_elsewhere", accelerator=H200, **place) == at
    assert "deepseek-r1" in detail(metered, "measured_elsewhere", accelerator=H200, **place)
    assert places(metered, "measured_elsewhere", accelerator=H800, **place) == []
    assert places(metered, "measured_elsewhere", accelerator=H200, name="other") == []
    more = metered | {"device_hours": hours + 1}
    assert places(more, "measured_elsewhere", accelerator=H200, **place) == []
    claimed = metered | {"measured_on": H200}
    assert places(claimed, "measured_elsewhere", accelerator=H200, **place) == []


def test_hours_of_a_device_that_is_not_known_are_refused():
    with pytest.raises(NotQuotable, match="no accelerator 'h801'") as refused:
        quoted(METERED | {"measured_on": "h801"})
    (error,) = refused.value.errors
    assert error.pointer == "/run/stages/0/work/measured_on"
