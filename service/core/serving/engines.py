"""The software that generates: what it takes of a device, and the shares of its rates it reaches.

Beside a trainer, rollouts are written by engines that wait for each other; those are the figures
named `inference`. A server by itself has figures of its own, named `serving`, some of them by
engine.
"""

import math
from typing import Any, Final

from msgspec import UNSET

from service.core.argument import Cursor, Fixed
from service.core.cluster.hardware import Hardware
from service.core.figures.arrays import Real, minimum
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import CachePrecision, ServingEngine, ServingPrecision
from service.core.request.request import Cluster
from service.core.request.work import Generation, Reinforcement, ServingTerms
from service.core.serving.decoding import Formats, ServingSpeed

SPEEDS: Final = ServingSpeed._fields
CACHE_BYTES: Final[dict[CachePrecision, float]] = {
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
}
# Four-bit weights carry their scales: one of 16 bits for 64 weights or so; nvfp4 one of 8 bits for
# 16 weights. Source: GPTQ and AWQ, groups of 32 to 128; NVIDIA's documentation of NVFP4.
SERVED_WEIGHT_BYTES: Final[dict[ServingPrecision, float]] = {
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.53,
    "nvfp4": 0.5625,
}
EIGHT_BIT_CACHES: Final[frozenset[ServingEngine]] = frozenset(("tensorrt_llm",))
"""Engines that keep caches in 8 bits for weights of 8 bits and fewer, unless told otherwise."""
GROWING_CACHE_COPIES: Final = 2.0
"""A cache that is appended to by copying leaves as much behind, in blocks too small for the next.

Source: peaks of transformers in Qwen's README: 1 GiB a sequence of 1,024 tokens, whose cache takes
half of it.
"""
NARROW: Final[frozenset[ServingPrecision]] = frozenset(("fp8", "nvfp4"))
"""Formats whose products run at a peak of their own, of which less is reached."""
MOST_SHARE: Final = 0.95


@formula("serving_flop_share", unit="share")
def serving_flop_share(*, share: Real, device_ratio: float, format_ratio: Real = 1.0) -> Real:
    """Share of a device's peak that a server reaches.

        min(0.95, share * device_ratio * format_ratio)

    `device_ratio` is what products of the device's generation reach over those of its kind, as the
    step-time engine has it.

    Source: definition.
    """
    return minimum(MOST_SHARE, share * device_ratio * format_ratio)


def serving_terms(work: Cursor[Generation] | Cursor[Reinforcement]) -> ServingTerms:
    """What the work says of its servers. By default nothing."""
    said = work.said.serving
    return ServingTerms() if said is UNSET else said


def formats_of(terms: ServingTerms, precision: ServingPrecision) -> Formats:
    """Bytes of weights and caches as they are said, or as the engine keeps them."""
    cache = 2.0
    if terms.cache_precision is not UNSET:
        cache = CACHE_BYTES[terms.cache_precision]
    elif terms.engine in EIGHT_BIT_CACHES and precision in NARROW:
        cache = 1.0
    copies = GROWING_CACHE_COPIES if terms.engine == "transformers" else 1.0
    return Formats(
        weight_bytes=SERVED_WEIGHT_BYTES[precision], cache_bytes=cache, cache_copies=copies
    )


def engine_speed_of(
    cluster: Cursor[Cluster],
    work: Cursor[Generation] | Cursor[Reinforcement],
    hardware: Hardware,
    precision: ServingPrecision,
) -> dict[str, Term]:
    """The figures of the engine, by the fields of `ServingSpeed`."""
    terms = serving_terms(work)
    if isinstance(work.said, Generation):
        found = {name: assumed_of_engine(cluster, name, terms) for name in SPEEDS}
        found["flop_share"] = _flop_share(cluster, found["flop_share"], hardware, precision)
    else:
        found = {name: cluster.assume(_beside_trainer(cluster, name, terms)) for name in SPEEDS}
    if work.said.serving is not UNSET:
        found |= _stated(work.at("serving"))
    return found


def assumed_of_engine(cluster: Cursor[Cluster], name: str, terms: ServingTerms) -> Term:
    """A figure of servers: that of the engine if the catalog has one."""
    own = f"serving.{name}.{terms.engine}"
    known = own in cluster.argument.catalog.assumptions
    return cluster.assume(own if known else f"serving.{name}")


def _beside_trainer(cluster: Cursor[Cluster], name: str, terms: ServingTerms) -> str:
    """The name of a figure of the engine that writes rollouts.

    A trainer that generates with its own forward pass launches kernels one by one. It may be one on
    a single device, which has no room for a second engine, where none is said.
    """
    if name != "layer_seconds":
        return f"inference.{name}"
    if terms.engine == "transformers":
        return f"serving.{name}.{terms.engine}"
    alone = terms.engine is UNSET and cluster.said.devices <= 1
    return f"inference.{name}.one_device" if alone else f"inference.{name}"


def error_of(cluster: Cursor[Cluster], terms: ServingTerms) -> Term:
    """Measured over predicted seconds of a batch: nearer to 1 where the engine is known."""
    known = "unknown" if terms.engine is UNSET else "known"
    return cluster.assume(f"serving.measured_over_predicted.{known}")


def _stated(asked: Cursor[ServingTerms]) -> dict[str, Term]:
    found: dict[str, Term] = {}
    if asked.states("memory_share"):
        found["memory_share"] = asked.quantity("memory_share", unit="share")
    if asked.states("most_sequences"):
        found["most_sequences"] = asked.quantity("most_sequences", unit="count")
    return found


def _flop_share(
    cluster: Cursor[Cluster], share: Term, hardware: Hardware, precision: ServingPrecision
) -> Term:
    """The share of the peak, with what the device's generation and the format make of it."""
    at = cluster.under(f"accelerators/{hardware.device.id}/{precision}")
    effects = cluster.argument.catalog.engine.constants.effects
    device = hardware.device
    effect = sum(effects.get(f"gemm_share/{of}", 0.0) for of in (device.generation, device.id))
    formats: dict[str, Any] = {}
    if precision in NARROW and hardware.precision not in {"bf16", "fp16"}:
        formats["format_ratio"] = cluster.assume(f"serving.format_ratio.{precision}")
    return at.derive_once(
        serving_flop_share,
        share=share,
        device_ratio=Fixed(
            math.exp(effect),
            f"{hardware.peak_flop_per_s.name}: what products of its generation reach of a peak",
        ),
        **formats,
    )
