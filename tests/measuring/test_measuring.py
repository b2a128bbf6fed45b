"""`runquote measure` without PyTorch: what is asked, how deep is timed, and what is said of it."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import service.measuring.command
from service.catalog_files import load_catalog
from service.cli import app
from service.core.model.parameters import params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import MixtureOfExperts, Transformer
from service.local import quote_bytes
from service.measuring.arithmetic import Depth, Unsteady, extrapolated, times_of
from service.measuring.asking import Asked, Wanted, asked_of_request
from service.measuring.building import NOT_BUILT, NotMeasured, built_of
from service.measuring.case import Case, Found, Versions
from service.measuring.depths import NotTimed, halvings, measured
from service.measuring.rows import MEMORY, STEPS
from service.scoring.memory.score import score_memory
from service.scoring.steps.score import score_steps
from tests.worlds import embedded

DOCS = Path(__file__).parents[2] / "docs"
MEASURED_STEP = "recipes/measured-step.md"
GIB = 2**30
H100 = "NVIDIA H100 80GB HBM3"
AS_IT_IS = Wanted()
CLUSTER: dict[str, Any] = {
    "accelerator": "nvidia-h100-sxm-80gb",
    "devices": 8,
    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
}
MODEL: dict[str, Any] = {
    "kind": "transformer",
    "layers": 16,
    "hidden_size": 2048,
    "heads": 32,
    "kv_heads": 8,
    "ffn_size": 8192,
    "vocab_size": 32_000,
}


def request(**work: Any) -> dict[str, Any]:
    """Fine-tuning on 8 H100s, in micro-batches of 4 sequences."""
    said = {
        "kind": "finetuning",
        "model": MODEL,
        "data": {"kind": "tokens", "tokens": 1e9},
        "sequence_length": 2048,
        "global_batch_tokens": 2048 * 4 * 8,
        "layout": {"micro_batch": 4, "recompute": "none"},
    }
    stages = [{"name": "tuning", "work": said | work}]
    return {"run": {"name": "run", "stages": stages}, "cluster": CLUSTER}


def asked(wanted: Wanted = AS_IT_IS, **work: Any) -> Asked:
    body = json.dumps(request(**work)).encode()
    return asked_of_request(body, embedded(), stage=None, wanted=wanted)


class Device:
    """A device that takes 20 ms and 5 ms a layer for a step, and 1 GiB and 1 GiB a layer."""

    def __init__(self, *, layers_that_fit: float = 1e9) -> None:
        self.layers_that_fit = layers_that_fit
        self.cases: list[Case] = []

    def __call__(self, case: Case) -> Found:
        self.cases.append(case)
        layers = case.transformer.layers
        room = self.layers_that_fit * (2 if case.recompute == "full" else 1)
        if layers > room:
            return Found(outcome="oom", why="no room", device="cuda", device_name=H100)
        seconds = 0.02 + 0.005 * layers
        total = int(params_total(architecture=architecture_of(case.transformer)))
        return Found(
            outcome="fits",
            device="cuda",
            device_name=H100,
            seconds=(seconds * 0.9, seconds, seconds, seconds, seconds * 1.2),
            parameters=total,
            trained_parameters=total,
            peak_allocated_bytes=int((1 + layers) * GIB),
            peak_reserved_bytes=int((2 + layers) * GIB),
            device_bytes=80 * GIB,
            versions=Versions(torch="2.13.0", transformers="5.24.0", cuda="13.0"),
        )


@pytest.fixture
def device(monkeypatch):
    """A device in place of the one at hand, with all that times on it."""
    found = Device()
    monkeypatch.setattr(service.measuring.command, "in_a_process", found)
    monkeypatch.setattr(service.measuring.command, "check_installed", lambda case: None)
    monkeypatch.setattr(service.measuring.command, "load_catalog", embedded)
    return found


def run(*options: str, body: Any = None):
    text = None if body is None else json.dumps(body)
    return CliRunner().invoke(app, ["measure", *options], input=text)


def found_by(*options: str, body: Any = None) -> dict[str, Any]:
    done = run(*options, "--json", body=body)
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def quoted(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(quote_bytes(json.dumps(body).encode()))
    return found


positive = st.floats(1e-6, 1e6)
layers = st.integers(1, 200)


@given(rest=positive, each=positive, shallow=layers, more=layers, further=layers)
def test_what_each_layer_adds_is_extrapolated_exactly(rest, each, shallow, more, further):
    def model(depth: float) -> float:
        return rest + each * depth

    deep = shallow + more
    if model(deep) <= model(shallow) * (1 + 1e-9):
        return  # what a layer adds is lost in what floats cannot tell apart
    found = extrapolated(
        Depth(shallow, model(shallow)), Depth(deep, model(deep)), layers=deep + further
    )
    assert found == pytest.approx(model(deep + further), rel=1e-4)
    assert found > model(deep)


@given(seconds=positive, less=st.floats(0, 1), shallow=layers, more=layers)
def test_nothing_is_extrapolated_from_layers_that_take_no_time(seconds, less, shallow, more):
    deep = Depth(shallow + more, seconds * less)
    with pytest.raises(Unsteady):
        extrapolated(Depth(shallow, seconds), deep, layers=500)


@given(seconds=st.lists(positive, min_size=1, max_size=50))
def test_the_time_of_a_step_is_the_middle_one_and_most_lie_within_its_spread(seconds):
    times = times_of(seconds)
    assert min(seconds) <= times.p10 <= times.median <= times.p90 <= max(seconds)
    assert times.steps == len(seconds)
    assert 2 * sum(one <= times.median for one in seconds) >= len(seconds)


@given(groups=st.integers(1, 200), first=st.integers(0, 3), every=st.integers(1, 4))
def test_every_depth_has_the_first_layers_and_whole_groups_of_the_others(groups, first, every):
    moe = MixtureOfExperts(
        experts=8, experts_per_token=2, moe_ffn_size=64, first_dense_layers=first, moe_every=every
    )
    whole = first + groups * every
    shape = Transformer(layers=whole, hidden_size=64, heads=4, vocab_size=100, moe=moe)
    found = list(halvings(shape))
    assert (found[0], found[-1]) == (whole, first + every)
    assert found == sorted(set(found), reverse=True)
    assert all((depth - first) % every == 0 for depth in found)


def test_a_whole_that_fits_is_timed_once_and_one_that_does_not_at_the_largest_two_depths():
    """With room for 5 layers, 16 and 8 do not fit, 4 do, and 2 stand beside them."""
    whole = asked().case
    roomy, narrow = Device(), Device(layers_that_fit=5)
    assert measured(whole, roomy, recomputes=("none",)).shallow is None
    assert len(roomy.cases) == 1
    found = measured(whole, narrow, recomputes=("none",))
    assert [case.transformer.layers for case in narrow.cases] == [16, 8, 4, 2]
    assert [one.case.transformer.layers for one in found.died] == [16, 8]
    assert found.deepest.case.transformer.layers == 4


def test_what_is_computed_again_is_the_least_that_fits_unless_it_is_said():
    """With room for 9 layers, 16 fit if all is computed again."""
    said, unsaid = asked().recomputes, asked(layout={"micro_batch": 4}).recomputes
    assert (said, unsaid) == (("none",), ("none", "full"))
    found = measured(asked().case, Device(layers_that_fit=9), recomputes=unsaid)
    assert found.deepest.case.recompute == "full"
    assert found.deepest.case.transformer.layers == 16


@pytest.mark.parametrize(("room", "words"), [(0.5, "more memory than"), (1, "two depths")])
def test_less_than_two_layers_are_no_measurement(room, words):
    with pytest.raises(NotTimed, match=words):
        measured(asked().case, Device(layers_that_fit=room), recomputes=("none",))


@pytest.mark.parametrize("method", [{"kind": "full"}, {"kind": "lora", "rank": 8}])
def test_a_quote_takes_the_anchor_runs_at_its_speed_and_is_surer(device, method):
    """A step of 4 x 2,048 tokens in 0.1 s is 81,920 tokens a second of one device."""
    body = request(method=method)
    report = found_by("--request", "-", body=body)
    assert report["anchor"]["tokens_per_s_per_device"] == 81_920
    plain, anchored = quoted(body), quoted(report["request"])
    codes = {warning["code"] for warning in anchored["warnings"]}
    assert not codes & {"assumed_layout", "contradictory"}
    # Eight devices exchange gradients beside what one of them was timed at.
    seconds = [one["figures"]["stages/0/step/seconds"] for one in (anchored, plain)]
    assert seconds[0]["value"] == pytest.approx(0.1, rel=0.25)
    widths = [one["p90"] / one["p10"] for one in seconds]
    assert widths[0] < 0.8 * widths[1]
    totals = [one["bases"][0]["interval"] for one in (anchored, plain)]
    narrower, wider = (float(one["p90"]) / float(one["p10"]) for one in totals)
    assert narrower < wider


def test_on_one_device_the_hours_are_the_tokens_over_the_measured_speed(device):
    """1e9 tokens at 81,920 a second are 3.3908 hours of steps, whatever the engine predicts."""
    body = request(global_batch_tokens=4 * 2048, padding_share=0.0)
    body["cluster"] = CLUSTER | {"devices": 1}
    report = found_by("--request", "-", body=body)
    hours = quoted(report["request"])["figures"]["stages/0/device_hours_useful"]["value"]
    assert hours == pytest.approx(1e9 / 81_920 / 3600, rel=1e-4)


def test_an_anchor_of_some_layers_has_their_model_and_the_quote_takes_it(device):
    device.layers_that_fit = 5
    report = found_by("--request", "-", body=request())
    assert report["anchor"]["model"] == MODEL | {"layers": 4}
    # 20 ms and 5 ms for each of 16 layers; 1 GiB and 1 GiB for each.
    assert report["whole"]["step_seconds"] == pytest.approx(0.1)
    assert report["whole"]["peak_allocated_gib"] == pytest.approx(17.0)
    assert report["whole"]["from_layers"] == [2, 4]
    assert any("4 of 16 layers" in note for note in report["notes"])
    anchored = quoted(report["request"])
    assert "stages/0/anchor/step/predicted_s" in anchored["figures"]
    device.layers_that_fit = 16
    deepest = found_by("--request", "-", "--depths", "2,16", body=request())
    assert "model" not in deepest["anchor"]
    assert not any("of 16 layers" in note for note in deepest["notes"])
    printed = run("--request", "-", "--depths", "4,2", body=request()).stdout
    assert "extrapolated linearly from 2 and 4 layers" in printed
    assert f'"anchor": {msgspec.json.encode(report["anchor"]).decode()}' in printed


def test_rows_are_read_and_scored_and_deaths_are_facts_of_memory(device, tmp_path):
    device.layers_that_fit = 5
    for method in ({"kind": "full"}, {"kind": "lora", "rank": 8}):
        found_by("--request", "-", "--rows", str(tmp_path), body=request(method=method))
    steps, memory = (tmp_path / name for name in (STEPS, MEMORY))
    rows = [json.loads(line) for line in steps.read_bytes().splitlines()]
    assert [row["arch"]["layers"] for row in rows] == [2, 4, 2, 4]
    assert [row["kind"] for row in rows] == ["sft", "sft", "lora", "lora"]
    assert {row["accelerator"] for row in rows} == {"nvidia-h100-sxm-80gb"}
    assert rows[1]["measured"]["step_time_s"] == pytest.approx(0.04)
    facts = [json.loads(line) for line in memory.read_bytes().splitlines()]
    assert [fact["outcome"] for fact in facts[:4]] == ["oom", "oom", "fits", "fits"]
    assert (facts[3]["peak_allocated_gib"], facts[3]["peak_reserved_gib"]) == (5.0, 6.0)
    scored = score_steps(steps, load_catalog())
    assert (scored["expressed"], scored["members_ignored"]) == (4, {})
    peaks = score_memory(memory, load_catalog())
    assert (peaks["expressed"], peaks["ran"], peaks["died"]) == (8, 4, 4)


def test_a_model_without_a_request_has_an_anchor_that_names_it(device):
    options = ("--model", "llama-3.2-1b", "--sequence-length", "1024", "--micro-batch", "2")
    report = found_by(*options, "--lora-rank", "4")
    assert report["anchor"]["model"] == {"kind": "preset", "id": "llama-3.2-1b"}
    assert report["anchor"]["global_batch_tokens"] == 2048
    assert "request" not in report
    (case,) = device.cases
    assert (case.model, case.adapters.rank, case.accumulation) == ("llama-3.2-1b", 4, 1)
    described = {name: value for name, value in MODEL.items() if name != "kind"}
    assert found_by("--model", json.dumps(described), "--compile")["anchor"]["model"] == MODEL
    assert device.cases[-1].compiled


def test_members_of_a_request_say_how_its_step_is_timed():
    case = asked(
        framework="trl",
        compile=True,
        attention_kernel="unfused",
        optimizer="adamw_pure_bf16",
        global_batch_tokens=2048 * 4 * 8 * 3,
        method={"kind": "lora", "rank": 32, "target": "query_value"},
    ).case
    assert (case.compiled, case.fused_attention) == (True, False)
    assert (case.optimizer, case.accumulation, case.micro_batch) == ("adamw_pure_bf16", 3, 4)
    assert case.adapters is not None
    assert (case.adapters.rank, case.adapters.target) == (32, "query_value")
    assert asked(framework="torchtitan").case.compiled
    assert asked(global_batch_tokens=2048 * 4 * 8 * 300).case.accumulation == 8
    assert asked(Wanted(micro_batch=2, sequence_length=512)).case.tokens == 2 * 512 * 2


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ({"framework": "megatron"}, "framework megatron is not timed"),
        ({"precision": "fp8"}, "precision fp8 is not timed; bf16, fp32 are"),
        ({"optimizer": "muon"}, "optimizer muon is not timed"),
        ({"attention_kernel": "flash_3"}, "attention_kernel flash_3 is not timed"),
        ({"method": {"kind": "qlora"}}, "method qlora is not timed"),
        ({"layout": {"recompute": "selective"}}, "recompute selective is not timed"),
        ({"model": {"kind": "preset", "id": "deepseek-v3"}}, "mla"),
        ({"model": MODEL | {"sliding_window": 512}}, "sliding_window"),
        ({"model": MODEL | {"mtp_layers": 1}}, "mtp_layers"),
        ({"model": MODEL | {"bidirectional": True}}, "without a causal mask (bidirectional)"),
        ({"model": MODEL | {"kv_heads": 5}}, "kv_heads must divide heads"),
        (
            {"model": {"kind": "preset", "id": "qwen3-30b-a3b"}, "method": {"kind": "lora"}},
            "adapters of a mixture",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_timed_is_refused_by_name_before_anything_runs(device, work, words):
    done = run("--request", "-", body=request(**work))
    assert done.exit_code == 2
    assert words in done.stderr.replace("\n", " ")
    assert not device.cases


def test_wrong_questions_say_what_to_write(device):
    cases = {
        (): "--request FILE or --model ID",
        ("--model", "llama-99"): "llama-99",
        ("--model", "{oops"): "no JSON object",
        ("--model", "llama-3.2-1b", "--depths", "4"): "two numbers of layers",
        ("--model", "llama-3.2-1b", "--depths", "4,4"): "two different",
        ("--model", "llama-3.2-1b", "--depths", "4,400"): "no part of 16 layers",
        ("--model", "llama-3.2-1b", "--optimizer", "muon"): "optimizer muon",
    }
    for options, words in cases.items():
        done = run(*options)
        assert (done.exit_code, words in done.stderr) == (2, True), (options, done.stderr)
    both = run("--request", "-", "--lora-rank", "4", body=request())
    assert (both.exit_code, "lora-rank" in both.stderr) == (2, True)
    other = request()
    other["run"]["stages"][0]["work"] = {"kind": "metered", "device_hours": 1}
    done = run("--request", "-", body=other)
    assert (done.exit_code, "--stage" in done.stderr) == (2, True)


@pytest.mark.parametrize("outcome", ["no_device", "no_compiler", "failed"])
def test_what_cannot_be_timed_here_is_said_with_status_1(device, monkeypatch, outcome):
    found = Found(outcome=outcome, why="there is no such thing here")
    monkeypatch.setattr(service.measuring.command, "in_a_process", lambda case: found)
    done = run("--model", "llama-3.2-1b")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no such thing here" in done.stderr


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(service.measuring.running, "find_spec", lambda name: None)
    done = run("--model", "llama-3.2-1b", "--lora-rank", "4")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "torch and transformers and peft are not installed" in done.stderr
    assert "pip install 'runquote[measure]'" in done.stderr


def test_an_anchor_for_another_device_than_the_request_s_is_told_so(device):
    body = request()
    body["cluster"] = CLUSTER | {"accelerator": "nvidia-l40s"}
    told = "the request's cluster has nvidia-l40s"
    assert any(told in note for note in found_by("--request", "-", body=body)["notes"])
    same = found_by("--request", "-", body=request())["notes"]
    assert not any("cluster has" in note for note in same)


def test_every_member_of_a_model_is_built_or_refused():
    """Whoever adds a member says here that classes of transformers run it, or in `NOT_BUILT`."""
    built = {"layers", "hidden_size", "heads", "kv_heads", "head_dim", "vocab_size", "ffn_size"}
    built |= {"gated_ffn", "attention", "tied_embeddings", "qk_norm", "moe", "sliding_window"}
    built |= {"qkv_bias", "out_bias", "ffn_bias", "max_sequence", "sliding_window_share"}
    hardly_any_time = {"norm", "norms_per_layer", "learned_positions", "extra_params"}
    assert built | hardly_any_time | set(NOT_BUILT) == set(Transformer.__struct_fields__)


def test_every_preset_is_built_of_a_class_or_refused_by_name():
    refused, classes = [], set()
    for preset in load_catalog().models.values():
        shape = msgspec.convert(preset.architecture, Transformer)
        try:
            classes.add(built_of(shape, sequence_length=4096).config)
        except NotMeasured as error:
            refused.append(str(error))
    assert classes >= {"LlamaConfig", "Qwen2Config", "Qwen3MoeConfig", "Starcoder2Config"}
    assert all("not timed" in why or "timed with" in why for why in refused)
    assert len(refused) < 30


def test_what_the_documents_say_that_an_anchor_narrows_is_what_it_narrows():
    """The anchor of both pages is a published measurement; the quote of the recipe is theirs."""
    page, recipe = ((DOCS / name).read_text("utf-8") for name in ("measuring.md", MEASURED_STEP))
    (anchor,) = map(json.loads, re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    (body,) = map(json.loads, re.findall(r"```json\n(.*?)```", recipe, re.DOTALL))
    work = body["run"]["stages"][0]["work"]
    assert work["anchor"] == anchor
    anchored = quoted(body)
    for member in ("anchor", "framework", "compile", "attention_kernel"):
        del work[member]
    told = dict(re.findall(r"^\| (seconds of a step|rental) \| (.*?) \|$", page, re.MULTILINE))
    ratios = re.findall(r"^\| its p90 over its p10 \| (.*?) \|$", page, re.MULTILINE)
    found = (quoted(body), anchored)
    seconds = [one["figures"]["stages/0/step/seconds"] for one in found]
    bills = [one["bases"][0] for one in found]
    intervals = [bill["interval"] for bill in bills]
    assert told == {
        "seconds of a step": " | ".join(f"{one['value']:.2f}" for one in seconds),
        "rental": " | ".join(f"${bill['total']['amount']}" for bill in bills),
    }
    assert ratios == [
        " | ".join(f"{float(one['p90']) / float(one['p10']):.2f}" for one in ends)
        for ends in (seconds, intervals)
    ]
    for number in ("4.93 seconds", "1.24 times", "that is 1.67"):
        assert number in recipe
