"""Published pre-training runs as requests that nobody has tuned.

A request states what the source states. The rest follows from the rules below, which hold for all
rows alike, or is left to the service's defaults.
"""

import math
from typing import Any, Final

import msgspec

from service.core.catalog.catalog import Accelerator, Catalog, ReferenceRun
from service.core.figures.ledger import Ledger
from service.core.request.request import QuoteRequest
from service.scoring.devices import domain_in_systems
from service.scoring.runs.post_training import model_of
from service.scoring.runs.software import software_of

STEP_ONLY: Final = ("stated_from_logged_step_time", "logged_step_time", "derived_tokens_over_rate")
"""Bases of disclosed hours that include no failures, evaluations or waiting."""
THROUGHPUT: Final = "derived_from_stated_throughput"
TIMED: Final = "timed_benchmark"
"""Hours from the start to the target quality, evaluations included."""
DAYS_OF_A_RUN: Final = 45.0
"""If a source gives no number of devices, as many as take about this long."""
USUAL_MFU: Final = 0.4
FEWEST_DEVICES: Final = 8
MOST_DEVICES: Final = 16384
SECONDS_PER_DAY: Final = 86400.0
LENGTH_BEFORE_2022: Final = 2048.0
LENGTH: Final = 4096.0
BATCH_TOKENS: Final = ((1e9, 524_288.0), (math.inf, 4_194_304.0))
"""The batch if a source gives none, by parameters, as in GPT-3 and Llama 2."""
FILLED_BY_SENTENCES: Final = 0.5
"""Of the sequences of BERT's text. Krell et al. 2021 (arXiv 2107.02027): half of it is padding."""
USD_PER_DEVICE_HOUR: Final = 1e4
"""Any rate will do. The rental bill then counts device-hours."""

Parts = dict[str, Any]


def request_of(run: ReferenceRun, catalog: Catalog) -> QuoteRequest | str:
    """The request from a run's description, or what the description lacks for it."""
    if run.accelerator not in catalog.accelerators:
        return "the device is not in the catalog"
    model = model_of(run, catalog)
    if model is None:
        return "the model is not described"
    if run.kind == "diffusion":
        return "images and videos are no tokens"
    length = sequence_length(run)
    tokens = tokens_of(run, length)
    if tokens is None:
        return "neither tokens nor samples are disclosed"
    device = catalog.accelerators[run.accelerator]
    work = {
        "kind": "pretraining",
        "model": model,
        "tokens": tokens,
        "sequence_length": length,
        "global_batch_tokens": max(run.facts.get("batch_tokens") or _batch(run), length),
        "precision": _precision(run, device),
        **software_of(run),
    }
    request = {
        "run": {
            "name": run.model[:128],
            "stages": [{"name": run.kind, "work": work | _losses(run)}],
        },
        "cluster": {
            "accelerator": run.accelerator,
            "devices": float(run.facts.get("device_count") or _devices(run, device, tokens)),
            "supply": {"kind": "rate", "usd_per_device_hour": USD_PER_DEVICE_HOUR},
            **_domain(run),
        },
    }
    return msgspec.convert(request, QuoteRequest)


def _domain(run: ReferenceRun) -> Parts:
    """How many devices share a fast link, where systems differ from what is usual."""
    found = domain_in_systems(run.accelerator, run.facts.get("device_count"))
    return {} if found is msgspec.UNSET else {"devices_per_domain": found}


def sequence_length(run: ReferenceRun) -> float:
    """The stated sequence length, otherwise the usual one."""
    shape: Parts = run.facts.get("architecture") or {}
    usual = LENGTH_BEFORE_2022 if run.date < "2022" else LENGTH
    return float(shape.get("seq_len") or usual)


def tokens_of(run: ReferenceRun, length: float) -> float | None:
    """Tokens seen, or samples of full length. Those of BERT are padded sentences, half as long."""
    tokens, samples = run.facts.get("tokens_b"), run.facts.get("samples")
    if tokens:
        return float(tokens) * 1e9
    filled = FILLED_BY_SENTENCES if "BERT" in run.model.upper() else 1.0
    return float(samples) * length * filled if samples else None


def _batch(run: ReferenceRun) -> float:
    parameters = 1e9 * float(run.facts.get("total_params_b") or 1.0)
    return next(tokens for below, tokens in BATCH_TOKENS if parameters < below)


def _devices(run: ReferenceRun, device: Accelerator, tokens: float) -> float:
    """A power of two, near the number that takes the usual time."""
    parameters = 1e9 * float(
        run.facts.get("active_params_b") or run.facts.get("total_params_b") or 1.0
    )
    peaks = device.peak_dense_flop_per_s
    peak = Ledger().take(peaks.get("bf16") or peaks.get("fp16") or next(iter(peaks.values())))
    seconds = 6.0 * parameters * tokens / (peak.central * USUAL_MFU)
    wanted = max(seconds / (DAYS_OF_A_RUN * SECONDS_PER_DAY), 1.0)
    return float(min(max(2 ** round(math.log2(wanted)), FEWEST_DEVICES), MOST_DEVICES))


def _precision(run: ReferenceRun, device: Accelerator) -> str:
    """The stated precision. Otherwise fp8 for benchmarks if the device has it, else 16 bits."""
    stated = str(run.facts.get("precision") or "").lower()
    for name in ("nvfp4", "mxfp8", "fp8", "int8", "bf16", "fp16", "fp32"):
        if name in stated:
            return name
    peaks = device.peak_dense_flop_per_s
    if run.device_hours_basis == TIMED and "fp8" in peaks:
        return "fp8"
    return "bf16" if "bf16" in peaks else "fp16"


def _losses(run: ReferenceRun) -> Parts:
    """The losses that the disclosed hours include, by the basis of the hours."""
    if run.device_hours_basis in (*STEP_ONLY, THROUGHPUT):
        return {
            "goodput": 1.0,
            "evaluation_share": 0.0,
            "idle_share": 0.0,
            "startup_hours": 0.0,
        }
    if run.device_hours_basis == TIMED:
        return {"goodput": 1.0, "idle_share": 0.0, "startup_hours": 0.0}
    return {}
