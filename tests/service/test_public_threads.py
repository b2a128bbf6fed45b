"""Requests as people in public threads would have written them, and what must come out.

The facts are those of the threads: what was asked, and what was right or wrong about it.
"""

import json

import pytest

from service.api.refusing.decoding import decode_request
from service.api.refusing.errors import Refused
from service.api.refusing.problems import refusal_of
from service.core.catalog.errors import NotQuotable
from service.local import quote_bytes

KNOWN = {"kind": "metered", "device_hours": 1000}
RENTED = {"kind": "rate", "usd_per_device_hour": 2.0}
LLAMA = {"kind": "preset", "id": "llama-2-7b"}


def body(work=KNOWN, *, accelerator="nvidia-h100-sxm-80gb", devices=8, supply=RENTED, **more):
    cluster = {"accelerator": accelerator, "devices": devices}
    if supply is not None:
        cluster["supply"] = supply
    run = {"name": "run", "stages": [{"name": "stage", "work": work}]}
    return {"run": run, "cluster": cluster, **more}


def quoted(request):
    return json.loads(quote_bytes(json.dumps(request).encode()))


def refused(request):
    """The errors of a request by their pointer."""
    with pytest.raises((Refused, NotQuotable)) as caught:
        quoted(request)
    return {fault.pointer: fault for fault in refusal_of(caught.value).errors}


def total(answer, basis="rental"):
    (bill,) = (bill for bill in answer["bases"] if bill["basis"] == basis)
    return float(bill["total"]["amount"]) if "total" in bill else None


def warned(answer):
    return {one["code"]: one["detail"] for one in answer["warnings"]}


def test_the_price_of_an_instance_is_told_to_be_divided_and_never_taken_for_that_of_a_device():
    found = refused(body(supply={"kind": "rate", "usd_per_instance_hour": 4.0}))
    fault = found["/cluster/supply/usd_per_instance_hour"]
    assert not fault.nearest
    assert "divide" in fault.detail
    assert "devices_per_instance" in fault.detail


def test_the_price_of_a_month_is_warned_of():
    answer = quoted(body(supply={"kind": "rate", "usd_per_device_hour": 1460}))
    assert "the price of a month" in warned(answer)["implausible_value"]


def test_small_lines_add_up():
    request = body(supply={"kind": "rate", "usd_per_device_hour": 0.004})
    work = {"kind": "metered", "device_hours": 1}
    request["run"]["stages"] = [{"name": f"stage {i}", "work": work} for i in range(64)]
    assert total(quoted(request | {"options": {"bases": ["rental"]}})) == 0.256


@pytest.mark.parametrize("written", ["2.00", "2", "2.0000"])
def test_an_amount_may_be_written_as_our_own_answers_print_it(written):
    priced = body(supply={"kind": "rate", "usd_per_device_hour": written})
    assert quoted(priced)["id"] == quoted(body())["id"]
    ends = {"low": written, "high": "3.50", "central": 2.5}
    spread = body(supply={"kind": "rate", "usd_per_device_hour": ends})
    numbers = {"low": 2.0, "high": 3.5, "central": 2.5}
    plain = body(supply={"kind": "rate", "usd_per_device_hour": numbers})
    assert quoted(spread)["id"] == quoted(plain)["id"]


@pytest.mark.parametrize("written", ["2,00", "$2", "2e3", "-2", "", " 2", "2.", "٢", "0.00", "1e9"])
def test_an_amount_that_is_written_otherwise_is_refused(written):
    pointer = "/cluster/supply/usd_per_device_hour"
    assert pointer in refused(body(supply={"kind": "rate", "usd_per_device_hour": written}))


def test_other_numbers_are_not_written_as_text_and_the_refusal_says_how():
    work = {"kind": "pretraining", "model": LLAMA, "tokens": "2T"}
    found = refused(body(work))
    assert "write 2000000000000 without quotes" in found["/run/stages/0/work/tokens"].detail


def test_another_currency_is_not_taken_for_dollars():
    found = refused(body(supply={"kind": "rate", "eur_per_device_hour": 2.0}))
    fault = found["/cluster/supply/eur_per_device_hour"]
    assert not fault.nearest
    assert "US dollars" in fault.detail
    euros = quoted(body(options={"currency": "EUR"}))
    assert euros["bases"][0]["total"]["currency"] == "EUR"
    assert total(euros) < total(quoted(body()))


def test_a_spot_price_is_below_that_on_demand_or_there_is_none():
    spot = {"kind": "market", "term": "spot", "provider": "gcp"}
    demand = {"kind": "market", "term": "on_demand", "provider": "gcp"}
    device = "nvidia-v100-sxm2-16gb"
    low = total(quoted(body(accelerator=device, supply=spot)))
    high = total(quoted(body(accelerator=device, supply=demand)))
    assert low is None or high is None or low < high


def test_a_model_that_sees_is_not_taken_for_one_that_reads():
    work = {
        "kind": "reinforcement",
        "model": LLAMA,
        "steps": 625,
        "prompts_per_step": 128,
        "samples_per_prompt": 1,
        "prompt_tokens": 400,
        "responses": {"mean_tokens": 400, "most_tokens": 1024},
        "images_per_prompt": 8,
    }
    fault = refused(body(work))["/run/stages/0/work/images_per_prompt"]
    assert not fault.nearest
    assert "image_share" in fault.detail
    seeing = work | {"model": {"kind": "preset", "id": "qwen2.5-vl-7b", "image_share": 0.8}}
    seeing.pop("images_per_prompt")
    assert total(quoted(body(seeing)))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("llava-hf/llava-1.5-7b-hf", "vision towers are not modelled"),
        ("OpenGVLab/InternVL3-8B", "vision towers are not modelled"),
        ("black-forest-labs/FLUX.1-dev", "models that draw are not modelled"),
        ("openai/whisper-large-v3", "models that hear or speak are not modelled"),
        ("openai/clip-vit-large-patch14", "encoders of images are not modelled"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(name, told):
    work = {"kind": "pretraining", "model": {"kind": "preset", "id": name}, "tokens": 1e9}
    assert told in refused(body(work))["/run/stages/0/work/model/id"].detail


@pytest.mark.parametrize(
    ("model", "device"),
    [("llama-2-7b", "H100"), ("meta-llama/Llama-2-7b-hf", "nvidia-h100-sxm-80gb")],
)
def test_names_are_taken_as_hubs_and_drivers_print_them(model, device):
    work = {
        "kind": "finetuning",
        "model": {"kind": "preset", "id": model},
        "data": {"kind": "examples", "examples": 52_000, "mean_tokens": 300, "epochs": 3},
    }
    request = quoted(body(work, accelerator=device, supply=None))["request"]
    assert request["cluster"]["accelerator"] == "nvidia-h100-sxm-80gb"
    assert request["run"]["stages"][0]["work"]["model"]["id"] == "llama-2-7b"


def test_a_deadline_is_refused_with_what_to_do_instead():
    fault = refused(body(options={"deadline_hours": 168}))["/options/deadline_hours"]
    assert "number of devices" in fault.detail


def test_a_measured_speed_above_the_peak_is_refused():
    anchor = {"tokens_per_s_per_device": 500_000, "devices": 8, "layout": {"zero_stage": 3}}
    model = {"kind": "preset", "id": "llama-3.1-8b"}
    work = {"kind": "pretraining", "model": model, "tokens": 15e12, "anchor": anchor}
    (fault,) = refused(body(work)).values()
    assert fault.code == "speed_above_peak"


def test_tokens_that_lack_their_billions_are_warned_of():
    work = {"kind": "pretraining", "model": LLAMA, "tokens": 15_000}
    answer = quoted(body(work, supply=None))
    assert "15,000" in warned(answer)["implausible_value"]
    assert total(answer) > 0.0


def test_examples_that_are_longer_than_their_sequences_are_warned_of():
    data = {"kind": "examples", "examples": 1000, "mean_tokens": 30_000, "epochs": 1}
    work = {"kind": "finetuning", "model": LLAMA, "data": data, "sequence_length": 4096}
    assert "example_above_sequence" in warned(quoted(body(work, supply=None)))


def test_a_small_fine_tune_takes_a_step_at_least():
    data = {"kind": "examples", "examples": 100, "mean_tokens": 200}
    work = {"kind": "finetuning", "model": LLAMA, "data": data, "method": {"kind": "lora"}}
    assert total(quoted(body(work, devices=1, supply=None))) > 0.0


def test_a_device_without_the_precision_is_warned_of():
    work = {"kind": "pretraining", "model": LLAMA, "tokens": 1e9}
    answer = quoted(body(work, accelerator="nvidia-t4", devices=64, supply=None))
    assert "bf16" in warned(answer)["precision_emulated"]


def test_a_byte_order_mark_is_named():
    with pytest.raises(Refused) as caught:
        decode_request(b"\xef\xbb\xbf" + json.dumps(body()).encode())
    assert caught.value.errors[0].code == "byte_order_mark"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["rental", "rental"], ["rental"]),
        (["owned", "rental"], ["rental", "owned"]),
    ],
)
def test_the_order_of_bases_makes_no_other_quote(one, other):
    first, second = (quoted(body(options={"bases": bases})) for bases in (one, other))
    assert first["id"] == second["id"]


def test_what_does_not_print_is_refused_and_never_repeated():
    request = body()
    request["run"]["name"] = "\u202egpj\u2028\u009b31m"
    detail = refused(request)["/run/name"].detail
    assert "U+202E, U+2028, U+009B" in detail
    assert detail.isprintable()
    for name in ("Modèle 7B", "模型", "نموذج", "a-b_c (2)", "👩\u200d🔬"):
        request["run"]["name"] = name
        assert quoted(request)["request"]["run"]["name"] == name


def tuned(**more):
    """Alpaca's 52,000 examples for three epochs, as most threads have them."""
    data = {"kind": "examples", "examples": 52_000, "mean_tokens": 300, "epochs": 3}
    return {"kind": "finetuning", "model": LLAMA, "data": data} | more


def hours(request):
    (stage,) = quoted(request)["stages"]
    assert stage["feasibility"]["status"] == "fits"
    return stage["device_hours"]["central"]


QWEN = {"kind": "preset", "id": "qwen2.5-7b"}
SAMPLED = {
    "kind": "reinforcement",
    "model": QWEN,
    "steps": 100,
    "prompts_per_step": 64,
    "samples_per_prompt": 8,
    "responses": {"mean_tokens": 1_000, "most_tokens": 4_096},
}


def test_work_that_people_asked_for_can_be_said_and_costs_more_than_without_it():
    """A card of gamers, answers that people prefer, states on the host, and what samples cost."""
    gaming = body(tuned(method={"kind": "lora"}), accelerator="nvidia-rtx-3090", devices=1)
    assert hours(gaming) > 0
    two = {"accelerator": "nvidia-a100-sxm-80gb", "devices": 8}
    pairs = tuned() | {"kind": "preference"}
    assert hours(body(pairs, **two)) > 2 * hours(body(tuned(), **two))
    here, host = ({"zero_stage": 3, "optimizer_offload": off} for off in (False, True))
    deep = {"framework": "deepspeed"}
    moved = hours(body(tuned(layout=host, **deep))) / hours(body(tuned(layout=here, **deep)))
    assert moved > 1.1
    alone = hours(body(SAMPLED))
    for more in (
        {"critic": QWEN},
        {"kept_share": 0.5},
        {"agent": {"turns": 10, "written_tokens": 100, "read_tokens": 200}},
        {"reward_model": QWEN},
    ):
        assert hours(body(SAMPLED | more)) > alone, more


def test_models_that_people_train_can_be_said_by_the_names_of_hubs():
    names = (
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "answerdotai/ModernBERT-large",
        "google-t5/t5-large",
        "nvidia/Nemotron-H-8B-Base-8K",
        "Qwen/Qwen3-Next-80B-A3B-Instruct",
    )
    for name in names:
        model = {"kind": "preset", "id": name}
        work = {"kind": "pretraining", "model": model, "tokens": 1e9, "sequence_length": 512}
        assert hours(body(work, devices=64)) > 0, name


def test_the_devices_until_a_deadline_are_solved_for():
    fault = refused(body(tuned(), options={"deadline_hours": 168}))["/options/deadline_hours"]
    assert "devices" in fault.detail
