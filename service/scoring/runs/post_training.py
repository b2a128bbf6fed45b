"""Published fine-tuning, reinforcement and generation runs as requests that nobody has tuned.

A request states what the source states. All else is left to the service's defaults. The rules below
hold for all rows of a kind, and none is for a single row.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from service.core.catalog.catalog import Catalog, ReferenceRun
from service.core.request.request import QuoteRequest
from service.scoring.runs.software import software_of

STEP_ONLY: Final = ("one_step_stated_step_time", "logged_step_time", "stated_from_logged_step_time")
"""Bases of disclosed hours that include no failures, evaluations or waiting."""
TIMED: Final = "timed_benchmark"
"""Hours from the start to the target quality, evaluations included."""
# Share of evaluations in a benchmark, which evaluates far more often than a training run.
TIMED_EVALUATION_SHARE: Final = {"low": 0.03, "high": 0.3}
NO_REFERENCE: Final = ("DAPO", "CISPO", "GRPO+", "decoupled")
"""Algorithms without a reference model."""
# Steps by which the policy may be old in asynchronous systems: AReaL's default.
ASYNCHRONOUS_STEPS: Final = 4
# Epochs of instruction tuning if the source gives only examples: those of Alpaca and Vicuna.
EPOCHS: Final = 3
SAMPLES_PER_PROMPT: Final = 16
# If a source gives hours but no number of devices: parameters per server.
DEVICES_PER_SERVER: Final = 8
BILLION_PARAMETERS_PER_SERVER: Final = 20.0
DEFAULT_BATCH_SEQUENCES: Final = 128.0
# Share of generated samples that pass a filter which the source only mentions.
KEPT_SHARE: Final = {"low": 0.1, "high": 0.7}

Parts = dict[str, Any]


def request_of(run: ReferenceRun, catalog: Catalog) -> QuoteRequest | str:
    """The request from a run's description, or what the description lacks for it."""
    if not run.accelerator:
        return "the device is not in the catalog"
    model = model_of(run, catalog)
    if model is None:
        return "the model is not described"
    stages: list[Parts] | str
    if run.kind == "rl":
        stages = _reinforcement(run, model)
    elif run.kind == "generation":
        stages = _generation(run, model)
    else:
        stages = _finetuning(run, model, catalog)
    if isinstance(stages, str):
        return stages
    request = {
        "run": {"name": run.model[:128], "stages": stages},
        "cluster": {
            "accelerator": run.accelerator,
            "devices": run.facts.get("device_count") or _devices(run),
        },
    }
    return msgspec.convert(request, QuoteRequest)


def model_of(run: ReferenceRun, catalog: Catalog) -> Parts | None:
    """The catalog's model of this shape and size, the shape itself, or the parameter counts."""
    shape: Parts = run.facts.get("architecture") or {}
    total = run.facts.get("total_params_b")
    if shape.get("layers") and shape.get("hidden"):
        for preset in catalog.models.values():
            same = (
                preset.architecture["layers"] == shape["layers"]
                and preset.architecture["hidden_size"] == shape["hidden"]
                and preset.architecture["vocab_size"] == shape.get("vocab")
            )
            if same and preset.architecture["heads"] == shape.get("heads"):
                return {"kind": "preset", "id": preset.id}
        if shape.get("heads") and shape.get("vocab") and not shape.get("experts"):
            return _transformer(shape)
    if not total:
        return None
    active = run.facts.get("active_params_b") or total
    return {"kind": "parameters", "total": total * 1e9, "active": min(active, total) * 1e9}


def _devices(run: ReferenceRun) -> int:
    servers = math.ceil((run.facts.get("total_params_b") or 1.0) / BILLION_PARAMETERS_PER_SERVER)
    return DEVICES_PER_SERVER * servers


def _transformer(shape: Parts) -> Parts:
    """A dense transformer of this shape."""
    names = {
        "layers": "layers",
        "hidden": "hidden_size",
        "heads": "heads",
        "kv_heads": "kv_heads",
        "ffn": "ffn_size",
        "vocab": "vocab_size",
        "head_dim": "head_dim",
    }
    found = {theirs: shape[ours] for ours, theirs in names.items() if shape.get(ours)}
    return {"kind": "transformer"} | found


def _losses(run: ReferenceRun) -> Parts:
    """The losses that the disclosed hours include, by the basis of the hours."""
    if run.device_hours_basis in STEP_ONLY:
        return {
            "goodput": 1.0,
            "evaluation_share": 0.0,
            "idle_share": 0.0,
            "startup_hours": 0.0,
        }
    if run.device_hours_basis == TIMED:
        return {
            "goodput": 1.0,
            "evaluation_share": TIMED_EVALUATION_SHARE,
            "idle_share": 0.0,
            "startup_hours": 0.0,
        }
    return {}


def _finetuning(run: ReferenceRun, model: Parts, catalog: Catalog) -> list[Parts] | str:
    facts, shape = run.facts, run.facts.get("architecture") or {}
    length = float(shape.get("seq_len") or 4096.0)
    samples, tokens = facts.get("samples"), facts.get("tokens_b")
    if tokens:
        data: Parts = {"kind": "tokens", "tokens": tokens * 1e9}
    elif samples:
        data = {"kind": "examples", "examples": samples, "mean_tokens": length, "epochs": EPOCHS}
    else:
        return "neither tokens nor samples are disclosed"
    rank = shape.get("lora_rank")
    work = {
        "kind": "finetuning",
        "model": model,
        "data": data,
        "method": {"kind": "lora", "rank": rank, "target": "attention"}
        if rank
        else {"kind": "full"},
        "padding_share": 0.0,
        "sequence_length": length,
        "global_batch_tokens": facts.get("batch_tokens") or DEFAULT_BATCH_SEQUENCES * length,
        "precision": _precision(run, catalog),
        **software_of(run),
    }
    return [{"name": run.id, "work": work | _losses(run)}]


def _precision(run: ReferenceRun, catalog: Catalog) -> str:
    """The stated precision. Otherwise fp8 for benchmarks if the device has it, else 16 bits."""
    stated = str(run.facts.get("precision") or "").lower()
    for name in ("nvfp4", "mxfp8", "fp8", "bf16", "fp16"):
        if stated.startswith(name):
            return name
    peaks = catalog.accelerators[run.accelerator].peak_dense_flop_per_s
    return "fp8" if run.device_hours_basis == TIMED and "fp8" in peaks else "bf16"


def _generation(run: ReferenceRun, model: Parts) -> list[Parts] | str:
    facts = run.facts
    samples, tokens = facts.get("samples"), facts.get("tokens_b")
    if not samples or not tokens:
        return "samples and their length are not disclosed"
    work = {
        "kind": "generation",
        "model": model,
        "requests": samples,
        "responses": {"mean_tokens": tokens * 1e9 / samples},
        "kept_share": KEPT_SHARE if "kept" in run.quote_basis else 1.0,
    }
    return [{"name": run.id, "work": work | _losses(run)}]


def _reinforcement(run: ReferenceRun, model: Parts) -> list[Parts] | str:
    """One stage for each length cap, with equal steps unless the source says when it moves."""
    rl: Parts = run.facts.get("rl") or {}
    steps, prompts = _steps(run, rl), _prompts(rl)
    if steps is None:
        return "the number of steps is not disclosed"
    if prompts is None:
        return "the batch of a step is not disclosed"
    if not run.facts.get("device_count"):
        return "the number of devices is not disclosed"
    caps, per_prompt = _listed(rl.get("max_len")), _listed(rl.get("rollouts_per_prompt"))
    shares = _shares(steps, len(caps) or 1, rl.get("max_len_switch_step"))
    return [
        {
            "name": f"{run.id} {index + 1}",
            "work": _rl_work(
                run,
                model,
                steps=count,
                prompts=prompts,
                samples=_at(per_prompt, index) or SAMPLES_PER_PROMPT,
                cap=_at(caps, index),
            ),
        }
        for index, count in enumerate(shares)
    ]


def _rl_work(
    run: ReferenceRun,
    model: Parts,
    *,
    steps: float,
    prompts: float,
    samples: float,
    cap: float | None,
) -> Parts:
    rl: Parts = run.facts.get("rl") or {}
    responses = {"mean_tokens": rl.get("mean_len"), "most_tokens": cap}
    algorithm = str(rl.get("algorithm") or "")
    phases: Parts = rl.get("phase_seconds") or {}
    learned = rl.get("mini_batch") and prompts / rl["mini_batch"]
    learned = learned or (
        rl.get("train_global_batch") and prompts * samples / rl["train_global_batch"]
    )
    return (
        {
            "kind": "reinforcement",
            "model": model,
            "steps": steps,
            "prompts_per_step": prompts,
            "samples_per_prompt": samples,
            "responses": {name: value for name, value in responses.items() if value},
            "updates_per_step": max(1, round(learned or 1)),
            "reference_model": not any(name in algorithm for name in NO_REFERENCE),
            "rollout_log_probabilities": "update" in phases and "old_logp" not in phases,
            "placement": _placement(run, str(rl.get("mode") or "")),
            **software_of(run),
            "serving_precision": "bf16",
        }
        | _agent(run)
        | _together(rl, prompts * samples)
        | _losses(run)
    )


def _agent(run: ReferenceRun) -> Parts:
    """An agent of the usual turns, if the source says that one was trained."""
    return {"agent": {}} if re.search(r"\bagents?\b", run.quote_basis) else {}


def _together(rl: Parts, samples: float) -> Parts:
    """Steps that share a rollout: as disclosed, or one if the source says how batches follow."""
    outputs = rl.get("outputs_per_rollout")
    if outputs:
        return {"steps_per_rollout": max(1, round(outputs / samples))}
    return {"steps_per_rollout": 1} if rl.get("mode") else {}


def _steps(run: ReferenceRun, rl: Parts) -> float | None:
    """Steps: as disclosed, or the hours on the clock over the mean step."""
    steps, mean, clock = (
        rl.get("steps"),
        rl.get("mean_step_seconds"),
        run.facts.get("wall_clock_hours"),
    )
    if steps:
        return float(steps)
    return float(max(1, round(clock * 3600.0 / mean))) if mean and clock else None


def _prompts(rl: Parts) -> float | None:
    """Prompts of a step: as disclosed, from a note, or samples over samples per prompt."""
    noted = re.search(r"prompts per step (\d+)", str(rl.get("note") or ""))
    for stated in (rl.get("prompts_per_step"), rl.get("batch"), noted and noted[1]):
        if stated:
            return float(stated)
    samples = rl.get("global_batch")
    per_prompt = _at(_listed(rl.get("rollouts_per_prompt")), 0) or SAMPLES_PER_PROMPT
    return max(1.0, float(samples) // per_prompt) if samples else None


def _placement(run: ReferenceRun, mode: str) -> Parts:
    """Colocated for synchronous runs, and otherwise disaggregated as the mode says."""
    behind = re.search(r"(\d+)-step off", mode)
    if not behind and "async" not in mode:
        return {"kind": "colocated"}
    steps = int(behind[1]) if behind else ASYNCHRONOUS_STEPS
    split = re.search(r"(\d+):(\d+)", mode)
    if not split:
        return {"kind": "disaggregated", "off_policy_steps": steps}
    generate, learn = float(split[1]), float(split[2])
    devices = float(run.facts["device_count"])
    return {
        "kind": "disaggregated",
        "off_policy_steps": steps,
        "generation_devices": max(1.0, round(devices * generate / (generate + learn))),
    }


def _listed(value: Any) -> list[float]:
    if value is None:
        return []
    return [float(one) for one in value] if isinstance(value, list) else [float(value)]


def _at(values: Sequence[float], index: int) -> float | None:
    return values[min(index, len(values) - 1)] if values else None


def _shares(steps: float, parts: int, switch: float | None) -> list[float]:
    """Steps of each part: split at the disclosed step, or as evenly as whole steps allow."""
    if parts == 1 or steps < parts:
        return [steps]
    if switch and parts == 2:
        return [float(switch), steps - float(switch)]
    even = steps // parts
    return [even] * (parts - 1) + [steps - even * (parts - 1)]
