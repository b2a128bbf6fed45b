"""Real steps of tiny models on a CPU, where the extra is installed: `make check-measure`."""

import json
import subprocess
import sys
from shutil import which
from typing import Any

import msgspec
import pytest

from service.core.model.parameters import params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.local import quote_bytes
from service.measuring.arithmetic import times_of
from service.measuring.building import built_of

pytestmark = [pytest.mark.pytorch, pytest.mark.timeout(600)]

TINY: dict[str, Any] = {
    "kind": "transformer",
    "layers": 3,
    "hidden_size": 64,
    "heads": 4,
    "kv_heads": 2,
    "ffn_size": 128,
    "vocab_size": 512,
}
CPU = {
    "name": "a CPU",
    "generation": "ampere",
    "memory_gb": 16,
    "memory_bandwidth_gb_per_s": 40,
    "peak_dense_tflops": {"bf16": 1.0, "fp32": 0.5},
}
SHAPES: dict[str, dict[str, Any]] = {
    "gated": {},
    "tied": {"tied_embeddings": True},
    "heads of their own width": {"head_dim": 32},
    "biases of queries": {"qkv_bias": True},
    "norms of queries": {"qk_norm": "per_head"},
    "plain": {"gated_ffn": False, "norm": "layernorm"},
    "experts": {"moe": {"experts": 4, "experts_per_token": 2, "moe_ffn_size": 32}},
    "some experts": {
        "moe": {
            "experts": 4,
            "experts_per_token": 2,
            "moe_ffn_size": 32,
            "shared_experts": 1,
            "first_dense_layers": 1,
        }
    },
}


def request(**work: Any) -> dict[str, Any]:
    """Tuning of a tiny model on one device."""
    said = {
        "kind": "finetuning",
        "model": TINY,
        "data": {"kind": "tokens", "tokens": 1e8},
        "padding_share": 0.0,
        "sequence_length": 64,
        "global_batch_tokens": 128,
        "layout": {"micro_batch": 2, "recompute": "none"},
    }
    stages = [{"name": "tuning", "work": said | work}]
    supply = {"kind": "rate", "usd_per_device_hour": 0.1}
    cluster = {"accelerator": CPU, "devices": 1, "supply": supply}
    return {"run": {"name": "run", "stages": stages}, "cluster": cluster}


def measured(body: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as people run it."""
    command = [sys.executable, "-m", "service", "measure", "--request", "-", "--device", "cpu"]
    quick = ("--steps", "3", "--warmup", "1", "--json")
    return subprocess.run(
        [*command, *quick, *options],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
    )


def report_of(body: dict[str, Any], *options: str) -> dict[str, Any]:
    done = measured(body, *options)
    assert done.returncode == 0, done.stderr
    assert "step 1: " in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def quoted(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(quote_bytes(json.dumps(body).encode()))
    return found


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_is_built_has_the_parameters_that_are_described(shape):
    import torch
    import transformers

    described = {name: value for name, value in TINY.items() if name != "kind"} | shape
    transformer = msgspec.convert(described, Transformer)
    built = built_of(transformer, sequence_length=64)
    config = getattr(transformers, built.config)(**built.members)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    counted = sum(parameter.numel() for parameter in model.parameters())
    expected = float(params_total(architecture=architecture_of(transformer)))
    # Biases, norms and gates of shared experts are described coarsely; matrices are exact.
    assert counted == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "work",
    [
        {},
        {"method": {"kind": "lora", "rank": 4}, "optimizer": "adamw_pure_bf16"},
        {
            "method": {"kind": "lora", "rank": 4, "target": "query_value"},
            "layout": {"micro_batch": 2, "recompute": "full"},
        },
        pytest.param(
            {"compile": True, "model": TINY | {"layers": 1}, "precision": "fp32"},
            marks=pytest.mark.skipif(which("g++") is None, reason="needs a compiler of C++"),
        ),
    ],
    ids=["full", "lora", "lora, computed again", "compiled"],
)
def test_a_quote_with_the_measured_anchor_has_the_measured_hours_and_is_surer(work, tmp_path):
    body = request(**work)
    report = report_of(body, "--rows", str(tmp_path))
    (speed,) = report["timed"]
    step_seconds = speed["step_seconds"]["median"]
    assert speed["trained_parameters"] < speed["parameters"] or "method" not in work
    anchor = report["anchor"]
    assert anchor["tokens_per_s_per_device"] == pytest.approx(128 / step_seconds, rel=1e-5)
    anchored, plain = quoted(report["request"]), quoted(body)
    steps = 1e8 / 128
    hours = anchored["figures"]["stages/0/device_hours_useful"]["value"]
    assert hours == pytest.approx(steps * step_seconds / 3600, rel=1e-4)
    widths = [
        found["figures"]["stages/0/step/seconds"]["p90"]
        / found["figures"]["stages/0/step/seconds"]["p10"]
        for found in (anchored, plain)
    ]
    assert widths[0] < widths[1]
    (row,) = (tmp_path / "step_measurements.jsonl").read_text().splitlines()
    assert json.loads(row)["measured"]["step_time_s"] == step_seconds
    assert json.loads(row)["compile"] == work.get("compile", False)


def test_two_depths_of_a_mixture_are_timed_each_by_itself_and_extrapolated():
    body = request(model=TINY | SHAPES["experts"] | {"layers": 8}, global_batch_tokens=256)
    done = measured(body, "--depths", "1,4")
    assert done.returncode == 0 or "time more steps" in done.stderr, done.stderr
    if done.returncode == 0:
        report = json.loads(done.stdout)
        assert [speed["layers"] for speed in report["timed"]] == [1, 4]
        assert report["anchor"]["model"]["layers"] == 4
        assert report["anchor"]["global_batch_tokens"] == 256
        shallow, deep = (speed["step_seconds"]["median"] for speed in report["timed"])
        whole = report["whole"]["step_seconds"]
        assert whole == pytest.approx(deep + (deep - shallow) / 3 * 4)


def test_what_is_missing_here_is_said_with_status_1():
    import torch

    huge = request(model=TINY | {"layers": 1, "hidden_size": 131_072, "ffn_size": 524_288})
    done = measured(huge)
    assert (done.returncode, done.stdout) == (1, "")
    assert "GiB are free" in done.stderr
    if not torch.cuda.is_available():
        done = measured(request(), "--device", "cuda")
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no CUDA device" in done.stderr


def test_the_times_of_a_real_step_are_those_that_are_reported():
    report = report_of(request())
    (speed,) = report["timed"]
    times = speed["step_seconds"]
    median, low, high = times["median"], times["p10"], times["p90"]
    assert times["steps"] == 3
    assert 0 < low <= median <= high
    assert times_of([low, median, high]).median == median
    assert report["versions"]["torch"]
    assert report["rows"]["memory_facts.jsonl"] == []
