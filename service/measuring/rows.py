"""What was timed as rows that `runquote accuracy` reads: measured steps, and peaks of memory."""

from typing import Any, Final

import msgspec

from service.core.catalog.catalog import Catalog
from service.core.model.architecture import Architecture
from service.core.model.shape import architecture_of
from service.measuring.anchoring import device_id, gib_of, stated
from service.measuring.arithmetic import times_of
from service.measuring.asking import Parts
from service.measuring.case import Case
from service.measuring.depths import Measured, Timed
from service.scoring.memory.facts import MemoryFact
from service.scoring.steps.measurements import Measurement

STEPS: Final = "step_measurements.jsonl"
MEMORY: Final = "memory_facts.jsonl"
FAMILY: Final = "runquote-measure"
TARGETS: Final = {
    "all_linear": "all linear",
    "attention": "attention",
    "query_value": "q,v",
    "mlp": "mlp",
}
OPTIMIZERS: Final = {
    "adamw": "adamw, states in fp32",
    "adamw_pure_bf16": "adamw, pure bf16",
    "adafactor": "adafactor",
    "sgd_momentum": "sgd with momentum",
}


def rows_of(measured: Measured, catalog: Catalog, *, day: str) -> dict[str, list[Parts]]:
    """The rows of both formats, by the names of their files. Deaths are rows of memory."""
    ran = [one for one in (measured.shallow, measured.deepest) if one is not None]
    counted = [one for one in (*measured.died, *ran) if one.found.device == "cuda"]
    return {
        STEPS: [step_row(one, catalog, day=day) for one in ran],
        MEMORY: [memory_row(one, catalog, day=day) for one in counted],
    }


def step_row(timed: Timed, catalog: Catalog, *, day: str) -> Parts:
    """One timed depth as a measured step."""
    case, found = timed
    times = times_of(found.seconds)
    return _row(
        Measurement,
        _described(timed, catalog, day=day)
        | {
            "kind": _kind(case),
            "device_count": 1,
            "devices_per_node": 1,
            "parallelism": {"tp": 1, "pp": 1, "dp": 1, "cp": 1, "ep": 1, "zero_stage": 0},
            "global_batch": case.sequences,
            "activation_recompute": case.recompute,
            "measured": {
                "step_time_s": times.median,
                "tokens_per_s_per_device": case.tokens / times.median,
            },
            "software": f"transformers; {found.versions.words if found.versions else ''}",
            "compile": case.compiled,
            "attention_kernel": "sdpa" if case.fused_attention else "eager",
            "notes": f"median of {times.steps} steps after {case.warmup}; p10 {times.p10:.4g} s, "
            f"p90 {times.p90:.4g} s; optimizer {OPTIMIZERS[case.optimizer]}",
            "config_group": f"{FAMILY}|{case.model}|{found.device_name}|{_kind(case)}",
            "source_family": FAMILY,
        },
    )


def memory_row(timed: Timed, catalog: Catalog, *, day: str) -> Parts:
    """One depth as a fact of memory: its peaks, or that it ran out."""
    case, found = timed
    return _row(
        MemoryFact,
        _described(timed, catalog, day=day)
        | {
            "devices": 1,
            "outcome": found.outcome,
            "parallelism": {"tp": 1, "pp": 1, "cp": 1, "ep": 1},
            "optimizer": OPTIMIZERS[case.optimizer],
            "sequence_length": case.sequence_length,
            "recompute": case.recompute,
            "peak_allocated_gib": gib_of(found.peak_allocated_bytes),
            "peak_reserved_gib": gib_of(found.peak_reserved_bytes),
            "device_total_gib": gib_of(found.device_bytes),
        },
    )


def _described(timed: Timed, catalog: Catalog, *, day: str) -> Parts:
    """What rows of both formats say of a case."""
    case, found = timed
    pure = case.optimizer == "adamw_pure_bf16" and case.adapters is None
    device = device_id(found.device_name, catalog)
    return {
        "id": id_of(case, device=device, day=day),
        "source": {"title": "runquote measure", "date": day},
        "date": day,
        "model": case.model,
        "arch": arch_of(architecture_of(case.transformer), sequence_length=case.sequence_length),
        "params_b": found.parameters / 1e9 if found.parameters else None,
        "accelerator": device,
        "precision": "pure bf16" if pure else case.precision,
        "micro_batch": case.micro_batch,
        "framework": "torch.compile, transformers" if case.compiled else "hf_transformers, eager",
        "framework_version": found.versions.words if found.versions else None,
        "peft": None
        if case.adapters is None
        else f"lora r{case.adapters.rank} {TARGETS[case.adapters.target]}",
    }


def _kind(case: Case) -> str:
    if case.work == "pretraining":
        return "pretrain"
    return "sft" if case.adapters is None else "lora"


def id_of(case: Case, *, device: str, day: str) -> str:
    """A name that tells rows of different cases and days apart."""
    parts = (
        FAMILY,
        case.model,
        f"l{case.transformer.layers:g}",
        _kind(case),
        f"s{case.sequence_length}",
        f"b{case.micro_batch}",
        *([f"a{case.accumulation}"] if case.accumulation > 1 else []),
        *(["compile"] if case.compiled else []),
        *(["recompute"] if case.recompute == "full" else []),
        device.replace(" ", "-").lower(),
        day,
    )
    return "-".join(parts)


def arch_of(a: Architecture, *, sequence_length: int) -> Parts:
    """The model as rows spell it."""
    return {
        "layers": a.layers,
        "hidden": a.hidden_size,
        "heads": a.heads,
        "kv_heads": a.kv_heads,
        "head_dim": a.head_dim,
        "ffn_hidden": a.ffn_size,
        "vocab": a.vocab_size,
        "gated_mlp": a.ffn_matrices > 2,
        "tied": a.tied_embeddings,
        "seq_len": sequence_length,
    } | ({} if not a.experts else _experts(a))


def _experts(a: Architecture) -> Parts:
    return {
        "experts": a.experts,
        "experts_active": a.experts_per_token,
        "moe_ffn": a.moe_ffn_size,
        "shared_ffn": a.shared_experts * a.shared_ffn_size,
        "dense_layers": a.first_dense_layers,
        "moe_every": max(1.0, (a.layers - a.first_dense_layers) // max(1.0, a.moe_layers)),
    }


def _row(kind: type[msgspec.Struct], said: Parts) -> dict[str, Any]:
    """A row of a format, without members that are not known."""
    row: dict[str, Any] = stated(msgspec.to_builtins(msgspec.convert(said, kind, strict=False)))
    for name, value in row.items():
        if isinstance(value, dict):
            row[name] = stated(value)
    return row
