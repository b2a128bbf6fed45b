"""What the service says of the memory of a run that somebody measured.

A run is put as the work of a request, so that it is told what a quote would tell of it.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.core.argument import Argument, Fixed, Unknown
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.cluster.hardware import hardware_of
from service.core.model.named import named_model
from service.core.request.request import Cluster
from service.core.request.work import Finetuning, Generation, Tuning
from service.core.serving.decoding import serving_memory
from service.core.serving.engines import serving_terms
from service.core.serving.lengths import token_lengths_of
from service.core.serving.replicas import PEAK_PRECISION, layout_of, server_of
from service.core.training.placement import Placed
from service.core.training.step import Step, step_of
from service.core.training.step_spec import spec_of
from service.core.training.trainable import trainable_share
from service.scoring.devices import accelerator_named
from service.scoring.memory.facts import MemoryFact
from service.scoring.names import model_named
from service.scoring.steps.software import framework_by_words

Parts = dict[str, Any]

WEIGHTS_SHARDED: Final = 3.0
"""The ZeRO stage from which weights are split."""
STEP_TOKENS: Final = 16
"""Micro-batches of a step. Memory hardly depends on it, once there is more than one."""
DEFAULT_LENGTH: Final = 2048.0
GENERATED_TOKENS: Final = 512.0
WHOLE_SHARE: Final = 0.98
"""What a server may take of a device that runs nothing else, as a share of its memory."""
PRECISIONS: Final = (("nvfp4", "nvfp4"), ("fp8", "fp8"), ("bf16", "bf16"), ("fp16", "fp16"))
TARGETS: Final = (
    ("all linear", "all_linear"),
    ("attention", "attention"),
    ("q,v", "query_value"),
    ("mlp", "mlp"),
)
"""Which matrices have adapters, by the words of a row. Others are the usual query and value."""
LOSSES: Final = (
    (("liger", "cut.?cross", "chunked", "rl\\b", "linear.cross"), "chunked"),
    (("foak", "unsloth", "fused.loss", "fused.cross"), "fused"),
)
"""How the loss is computed, by words. Trainers of reinforcement do without whole logits."""
OPTIMIZERS: Final = (
    (r"8.?bit|int8", "adamw_8bit"),
    (r"adafactor", "adafactor"),
    (r"muon", "muon"),
    (r"sgd", "sgd_momentum"),
    (r"pure|true|bf16 weights", "adamw_pure_bf16"),
    (r"bf16 states", "adamw_bf16_states"),
)
STACKS: Final = (("prime-rl", "prime_rl"), ("torchtune", "torchtune"))
"""Stacks by words of a row that keep other copies, or another loss, than their kind."""
FEW_PARAMETERS: Final = ("true", "lora", "adapter", "dora", "ia3", "prefix")
RANK: Final = re.compile(r"\br(\d+)\b")
QUANTISED: Final = {4.0: "nf4", 8.0: "int8"}
"""The format of a frozen base by its bits."""


class Estimate(Struct, frozen=True, kw_only=True):
    """What the engine says of a run: bytes, and whether they fit the device."""

    reserved_bytes: float
    allocated_bytes: float
    capacity_bytes: float
    status: str


def estimate_of(fact: MemoryFact, catalog: Catalog) -> Estimate | str:
    """The engine's estimate for a fact, or why the fact cannot be expressed."""
    device = accelerator_named(fact.accelerator or "", catalog)
    if device is None:
        return f"the accelerator {fact.accelerator!r} is not in the catalog"
    model = model_named(fact, fact.model or "", catalog)
    if model is None:
        return f"the model {fact.model!r} is not described"
    cluster = Cluster(device=device.id, devices=fact.devices or 1.0)
    try:
        if fact.serves:
            return _served(msgspec.convert(served_of(fact, model), Generation), cluster, catalog)
        return _estimated(msgspec.convert(work_of(fact, model), Finetuning), cluster, catalog)
    except (msgspec.ValidationError, NotQuotable) as error:
        return f"no request says this: {error}"


def work_of(fact: MemoryFact, model: Any) -> Parts:
    """The run of a fact as the work of a request."""
    devices, degrees = fact.devices or 1.0, fact.degrees
    tp, pp, cp = degrees.tp or 1.0, degrees.pp or 1.0, degrees.cp or 1.0
    replicas = max(1.0, devices // (tp * pp * cp))
    length, micro = fact.sequence_length or DEFAULT_LENGTH, fact.micro_batch or 1.0
    tokens = length * micro * replicas * (STEP_TOKENS if pp > 1 else 1.0)
    return {
        "kind": "finetuning",
        "model": msgspec.to_builtins(model),
        "data": {"kind": "tokens", "tokens": tokens},
        "method": method_of(fact),
        "sequence_length": length,
        "global_batch_tokens": tokens,
        "precision": precision_of(fact),
        "optimizer": optimizer_of(fact),
        "layout": {
            "tensor_parallel": tp,
            "pipeline_parallel": pp,
            "context_parallel": cp,
            "expert_parallel": degrees.ep or 1.0,
            "micro_batch": micro,
            "zero_stage": zero_stage_of(fact),
        }
        | recompute_of(fact)
        | offload_of(fact),
    } | software_of(fact)


def served_of(fact: MemoryFact, model: Any) -> Parts:
    """A run that generates as the work of a request: whole lengths are those of responses."""
    words = f"{fact.framework or ''} {fact.notes or ''}".lower()
    tensor = fact.degrees.tp or fact.devices or 1.0
    serving: Parts = {"tensor_parallel": tensor, "memory_share": WHOLE_SHARE}
    if "transformers" in words:
        serving["engine"] = "transformers"
    if re.search(r"(int8|fp8|8.bit) kv", words):
        serving["cache_precision"] = "int8"
    bits = {4.0: "int4", 8.0: "int8"}
    return {
        "kind": "generation",
        "model": msgspec.to_builtins(model),
        "requests": fact.micro_batch or 1.0,
        "prompt_tokens": 1.0,
        "responses": {"mean_tokens": fact.sequence_length or GENERATED_TOKENS},
        "precision": bits.get(fact.base_bits or 0.0) or precision_of(fact),
        "serving": serving,
    }


def software_of(fact: MemoryFact) -> Parts:
    """The framework, its date and its loss, as far as the row words them."""
    words = f"{fact.framework or ''} {fact.framework_version or ''} {fact.notes or ''}".lower()
    found: Parts = {}
    if fact.framework:
        found["framework"] = next(
            (name for word, name in STACKS if word in words),
            framework_by_words(words, otherwise="fsdp_eager"),
        )
    for spelled, kernel in LOSSES:
        if any(re.search(rf"(?<![\w-]){word}", words) for word in spelled):
            found["loss_kernel"] = kernel
            break
    if dated := re.match(r"(20\d\d)(?:-(\d\d))?", fact.date or ""):
        found["software_year"] = int(dated[1]) + (int(dated[2] or 7) - 1) / 12
    return found


def optimizer_of(fact: MemoryFact) -> str:
    """The optimizer by the words of a row: Adam with states in fp32 unless another is said."""
    said = f"{fact.optimizer or ''} {fact.precision or ''}".lower()
    return next((name for pattern, name in OPTIMIZERS if re.search(pattern, said)), "adamw")


def method_of(fact: MemoryFact) -> Parts:
    """Full tuning, or adapters beside 16 or 4 bits."""
    said = str(fact.peft or "").lower()
    if not any(word in said for word in FEW_PARAMETERS):
        return {"kind": "full"}
    rank = RANK.search(said)
    target = next((name for word, name in TARGETS if word in said), "query_value")
    found: Parts = {"kind": "lora", "target": target}
    if fact.base_bits in QUANTISED:
        found |= {"kind": "qlora", "base_format": QUANTISED[fact.base_bits]}
    return found | ({"rank": float(rank[1])} if rank else {})


def precision_of(fact: MemoryFact) -> str:
    """The format of the products by the words of a row: bf16 unless another is said."""
    said = (fact.precision or "").lower()
    return next((name for word, name in PRECISIONS if word in said), "bf16")


def zero_stage_of(fact: MemoryFact) -> float:
    """The ZeRO stage: as printed, 3 for fully sharded data parallelism, 0 for replicas."""
    said = str(fact.zero or "").lower()
    if "grad_op" in said or "grad op" in said:
        return 2.0
    stage = re.search(r"[0-3]", said.replace("fsdp2", "fsdp"))
    if stage:
        return float(stage[0])
    return 3.0 if "fsdp" in said else 0.0


def offload_of(fact: MemoryFact) -> Parts:
    """What lives in the host's memory, if the row says so: with FSDP the weights too."""
    sharding, optimizer = str(fact.zero or "").lower(), (fact.optimizer or "").lower()
    if "offload" in sharding and zero_stage_of(fact) >= WEIGHTS_SHARDED:
        return {"weight_offload": True}
    offloads = "offload" in sharding or "cpu" in optimizer or "offload" in optimizer
    return {"optimizer_offload": True} if offloads else {}


def recompute_of(fact: MemoryFact) -> Parts:
    """What is computed again, and what goes to the host, if the row says so."""
    if fact.recompute is None:
        return {}
    said = str(fact.recompute).lower()
    whole = "full" in said or said in {"true", "yes", "on"}
    found: Parts = {"recompute": "full" if whole else "none"}
    if said.startswith("selective"):
        found = {"recompute": "selective"}
    return found | ({"offload_share": 1.0} if "offload" in said else {})


def step_of_fact(fact: MemoryFact, catalog: Catalog) -> Step | str:
    """The step of a fact that trains, or why there is none."""
    device = accelerator_named(fact.accelerator or "", catalog)
    model = model_named(fact, fact.model or "", catalog)
    if device is None or model is None:
        return "device or model are not known"
    cluster = Cluster(device=device.id, devices=fact.devices or 1.0)
    try:
        return _step(msgspec.convert(work_of(fact, model), Finetuning), cluster, catalog)
    except (msgspec.ValidationError, NotQuotable) as error:
        return f"no request says this: {error}"


def _estimated(work: Tuning, cluster: Cluster, catalog: Catalog) -> Estimate | str:
    step = _step(work, cluster, catalog)
    return step if isinstance(step, str) else _of_step(step)


def _step(work: Tuning, cluster: Cluster, catalog: Catalog) -> Step | str:
    argument = Argument(catalog)
    at = argument.at(work, pointer="/work", prefix="stage")
    place = argument.at(cluster, pointer="/cluster", prefix="cluster")
    model = named_model(at.at("model"))
    if isinstance(model, Unknown):
        return model.detail
    trainable = trainable_share(at, model, sequence_length=at.fixed("sequence_length"))
    spec = spec_of(at, model, trainable=trainable)
    devices = place.quantity("devices", unit="count")
    step = step_of(spec, place, devices)
    return step.detail if isinstance(step, Unknown) else step


def _of_step(step: Step) -> Estimate | str:
    placement = step.placement
    if not step.memory or (
        not isinstance(placement, Placed) and placement.reason != "does_not_fit"
    ):
        return "no layout is legal" if isinstance(placement, Placed) else placement.detail
    numbers = {name: term.central for name, term in step.memory.items()}
    status = "does_not_fit"
    if isinstance(placement, Placed):
        status = "tight" if placement.tight else "fits"
    return Estimate(
        reserved_bytes=numbers["total"],
        allocated_bytes=numbers["total"] - numbers["reserve"],
        capacity_bytes=step.capacity.central,
        status=status,
    )


def _served(work: Generation, cluster: Cluster, catalog: Catalog) -> Estimate | str:
    """What a device of a server holds. One that holds no sequence does not fit."""
    argument = Argument(catalog)
    at = argument.at(work, pointer="/work", prefix="stage")
    place = argument.at(cluster, pointer="/cluster", prefix="cluster")
    model = named_model(at.at("model"))
    if isinstance(model, Unknown):
        return model.detail
    hardware = hardware_of(place, Fixed(PEAK_PRECISION[work.precision], "/work/precision"))
    if isinstance(hardware, Unknown):
        return hardware.detail
    server = server_of(place, at, model, hardware, work.precision)
    lengths = token_lengths_of(at)
    serving = layout_of(serving_terms(at))
    memory = serving_memory(
        concurrent=work.requests if isinstance(work.requests, float) else 1.0,
        prompt_tokens=lengths.prompt_tokens.central,
        response_tokens=lengths.kept_tokens.central,
        architecture=model.architecture,
        serving=serving,
        formats=server.formats,
    )
    capacity = server.figures["memory_bytes"].central
    fits = memory.total <= WHOLE_SHARE * capacity
    return Estimate(
        reserved_bytes=float(memory.total),
        allocated_bytes=float(memory.total - memory.reserve),
        capacity_bytes=capacity,
        status="fits" if fits else "does_not_fit",
    )
