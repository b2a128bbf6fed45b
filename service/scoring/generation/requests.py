"""Measured batches of generation as requests that nobody has tuned.

A request states what the source states. All else is left to the service's defaults.
"""

import re
from typing import Any, Final

import msgspec

from service.core.catalog.catalog import Catalog
from service.core.request.request import QuoteRequest
from service.core.request.work import Model
from service.scoring.devices import accelerator_named
from service.scoring.generation.facts import GenerationFact
from service.scoring.names import model_named

Parts = dict[str, Any]

PRECISIONS: Final = (
    (("fp4",), "nvfp4"),
    (("int4", "awq", "w4a16"), "int4"),
    (("int8", "w8a8", "w8a16"), "int8"),
    (("fp8",), "fp8"),
    (("fp16", "float16", "half"), "fp16"),
    (("bf16",), "bf16"),
)
"""Formats of weights by the words of a row, the narrowest first."""
ENGINES: Final = (
    (("tensorrt", "trt"), "tensorrt_llm"),
    (("vllm",), "vllm"),
    (("sglang",), "sglang"),
    (("gpt-fast", "gpt_fast", "gptfast"), "gpt_fast"),
    (("transformers", "hugging"), "transformers"),
)
"""Engines by the words of a row."""
BATCH_ALONE: Final = {
    "goodput": 1.0,
    "evaluation_share": 0.0,
    "idle_share": 0.0,
    "startup_hours": 0.0,
}
"""A measured batch has no failures and no start."""


def request_of(fact: GenerationFact, catalog: Catalog) -> QuoteRequest | str:
    """The request for the batch of a fact, or why there is none."""
    device = accelerator_named(fact.accelerator or "", catalog)
    if device is None:
        return f"the accelerator {fact.accelerator!r} is not in the catalog"
    model = model_named(fact, fact.model or "", catalog)
    if model is None:
        return f"the model {fact.model!r} is not described"
    work = work_of(fact, model)
    if isinstance(work, str):
        return work
    request = {
        "run": {"name": fact.id[:128], "stages": [{"name": "generation", "work": work}]},
        "cluster": {"accelerator": device.id, "devices": fact.devices or 1.0},
        "options": {"bases": ["rental"]},
    }
    try:
        return msgspec.convert(request, QuoteRequest)
    except msgspec.ValidationError as error:
        return f"a figure is outside of what a request takes: {error}"


def work_of(fact: GenerationFact, model: Model) -> Parts | str:
    """The batch of a fact as the work of a stage, or what cannot be said of it."""
    precision = precision_of(fact)
    if precision is None:
        return f"weights in {fact.quantisation or fact.precision} are not a format of the service"
    if not fact.output_tokens:
        return "the length of the responses is not printed"
    responses = {"mean_tokens": fact.output_tokens, "most_tokens": fact.output_tokens}
    return {
        "kind": "generation",
        "model": msgspec.to_builtins(model),
        "requests": fact.requests or fact.concurrency or 1.0,
        "prompt_tokens": max(1.0, fact.prompt_tokens or 1.0),
        "responses": responses,
        "precision": precision,
        "serving": serving_of(fact),
    } | BATCH_ALONE


def serving_of(fact: GenerationFact) -> Parts:
    """The replica and its engine. Devices that the degrees leave open hold layers of their own.

    Experts are spread over all devices of a group, so that more of them make no more stages.
    """
    tp, devices = fact.tp or 1.0, fact.devices or 1.0
    spread = max(tp, fact.ep or 1.0)
    stages = fact.pp or 1.0
    if stages == 1.0 and devices > spread and (fact.requests or fact.concurrency or 1.0) == 1.0:
        stages = devices // spread
    found: Parts = {
        "tensor_parallel": tp,
        "devices_per_replica": spread * stages,
        "pipeline_parallel": stages,
    }
    if fact.concurrency:
        replicas = max(1.0, devices // (spread * stages))
        found["most_sequences"] = max(1.0, fact.concurrency // replicas)
    if share := re.search(r"kv share (\d?\.\d+)", (fact.notes or "").lower()):
        found["memory_share"] = float(share[1])
    for spelled, engine in ENGINES:
        if any(word in (fact.engine or "").lower() for word in spelled):
            found["engine"] = engine
            break
    if fact.kv_cache and (cache := cache_of(fact.kv_cache)):
        found["cache_precision"] = cache
    return found


def cache_of(said: str) -> str | None:
    """The format of keys and values by the words of a row."""
    words = said.lower()
    if "8" in words and "16" not in words:
        return "int8" if "int" in words else "fp8"
    return "bf16" if "16" in words else None


def precision_of(fact: GenerationFact) -> str | None:
    """The format of the weights: bf16 unless the row says another, None for one unknown."""
    for said in (fact.quantisation, fact.precision):
        words = said.lower() if isinstance(said, str) else ""
        for spelled, name in PRECISIONS:
            if any(word in words for word in spelled):
                return name
        if words:
            return None
    return "bf16"
