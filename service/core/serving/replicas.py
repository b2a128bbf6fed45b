"""Generation as figures: what a cluster and its inference engine do, and the layout that serves."""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from msgspec import Struct

from service.core.argument import Cursor, Fixed, Unknown
from service.core.cluster.hardware import Hardware, capacity_of
from service.core.figures.arrays import Array
from service.core.figures.ledger import Term
from service.core.model.architecture import Architecture
from service.core.model.named import NamedModel
from service.core.request.request import Cluster
from service.core.request.work import Generation, Reinforcement, ServingPrecision, ServingTerms
from service.core.serving.decoding import (
    DecodeStep,
    Formats,
    Replica,
    Serving,
    ServingDevice,
    ServingSpeed,
    batch_of_figures,
    decode_step,
    most_concurrent,
)
from service.core.serving.lengths import TokenLengths

# Bytes per weight; four-bit weights carry their scales. Caches stay in 16 bits.
FORMATS: Final[dict[ServingPrecision, Formats]] = {
    "bf16": Formats(),
    "fp16": Formats(),
    "fp8": Formats(weight_bytes=1.0),
    "int8": Formats(weight_bytes=1.0),
    "int4": Formats(weight_bytes=0.53),
}
PEAK_PRECISION: Final[dict[ServingPrecision, str]] = {
    "bf16": "bf16",
    "fp16": "fp16",
    "fp8": "fp8",
    "int8": "int8",
    "int4": "bf16",
}
"""Products of four-bit weights run in 16 bits."""
Bound: TypeAlias = Literal["memory_bandwidth", "flop", "exchange", "overhead"]
SPEEDS: Final = ServingSpeed._fields
MOST_TENSOR_PARALLEL: Final = 64.0
MOST_DEVICES: Final = 512.0


class Served(Struct, frozen=True, kw_only=True):
    """A batch on the replicas of a cluster: the serving layout and the batch's figures."""

    serving: Serving
    replicas: float
    batch: Mapping[str, Term]
    bound: Bound


class RequestBatch(Struct, frozen=True, kw_only=True):
    """A batch to be written. `batches` and `times` multiply the samples and the prompts."""

    samples: Term
    prompts: Term
    lengths: TokenLengths
    batches: float = 1.0
    times: Term | None = None

    @property
    def inputs(self) -> dict[str, Term]:
        """The inputs of formulas."""
        counted = {"samples": self.samples, "prompts": self.prompts}
        return counted | self.lengths.inputs | ({} if self.times is None else {"times": self.times})


class Server(Struct, frozen=True, kw_only=True):
    """A model, the devices that serve it, and their inference engine."""

    model: NamedModel
    hardware: Hardware
    precision: ServingPrecision
    figures: Mapping[str, Term]


def server_of(
    cluster: Cursor[Cluster], model: NamedModel, hardware: Hardware, precision: ServingPrecision
) -> Server:
    """All that serving depends on, except the batch and the layout."""
    return Server(
        model=model,
        hardware=hardware,
        precision=precision,
        figures={
            "peak_flop_per_s": hardware.peak_flop_per_s,
            "memory_bytes": capacity_of(cluster, hardware),
            "memory_byte_per_s": hardware.memory_bandwidth_byte_per_s,
            "link_byte_per_s": hardware.scale_up_byte_per_s,
            "network_byte_per_s": hardware.scale_out_byte_per_s,
            **{name: cluster.assume(f"inference.{name}") for name in SPEEDS},
        },
    )


def served(
    work: Cursor[Generation] | Cursor[Reinforcement],
    server: Server,
    requests: RequestBatch,
    *,
    devices: float,
) -> Served | Unknown:
    """A batch on this many devices, served as asked or in the fastest way that fits."""
    serving = _serving_of(work, server, requests, devices=devices)
    if isinstance(serving, Unknown):
        return serving
    replicas = math.floor(devices / float(serving.devices))
    fixed = _fixed(server, requests, serving, replicas)
    asked = work.states("serving")
    batch = work.derive_parts(
        batch_of_figures,
        "generation",
        **server.figures,
        **requests.inputs,
        **fixed
        | {
            "architecture": server.model.fixed,
            "serving": Fixed(serving, work.pointer_of("serving") if asked else "inference.served"),
        },
    )
    return Served(
        serving=serving,
        replicas=float(replicas),
        batch=batch,
        bound=_bound(server, requests, serving, batch),
    )


def _fixed(
    server: Server, requests: RequestBatch, serving: Serving, replicas: float | Array
) -> dict[str, Any]:
    return {
        "architecture": server.model.architecture,
        "serving": serving,
        "formats": FORMATS[server.precision],
        "domain_devices": server.hardware.scale_up_domain,
        "replicas": replicas,
        "batches": requests.batches,
    }


def _central(terms: Mapping[str, Term]) -> dict[str, float]:
    return {name: term.central for name, term in terms.items()}


def replica_of(server: Server, serving: Serving) -> Replica:
    """One replica with every figure at its central value."""
    numbers = _central(server.figures)
    return Replica(
        architecture=server.model.architecture,
        server=ServingDevice(
            **{name: numbers[name] for name in ServingDevice._fields if name != "domain_devices"},
            domain_devices=server.hardware.scale_up_domain,
        ),
        speed=ServingSpeed(**{name: numbers[name] for name in SPEEDS}),
        serving=serving,
        formats=FORMATS[server.precision],
    )


def _room(server: Server, requests: RequestBatch, serving: Serving) -> Array:
    lengths = requests.lengths
    context = lengths.prompt_tokens.central + lengths.mean_tokens.central
    room = most_concurrent(replica=replica_of(server, serving), context_tokens=context)
    return np.asarray(room, dtype=np.float64)


def servings(architecture: Architecture, *, devices: float) -> Serving:
    """Layouts of one replica on at most this many devices, as arrays: powers of two.

    Tensor parallelism divides the heads. Only experts are spread over more devices.
    """
    tensor = 2.0 ** np.arange(0, math.floor(math.log2(MOST_TENSOR_PARALLEL)) + 1)
    tensor = tensor[(architecture.heads % tensor == 0) & (tensor <= devices)]
    most = min(devices, MOST_DEVICES, max(architecture.experts, MOST_TENSOR_PARALLEL))
    spread = 2.0 ** np.arange(0, math.floor(math.log2(most)) + 1)
    t, n = (grid.ravel() for grid in np.meshgrid(tensor, spread))
    legal = (n >= t) & ((n == t) | (architecture.moe_layers > 0))
    return Serving(tensor_parallel=t[legal], devices=n[legal])


def _serving_of(
    work: Cursor[Generation] | Cursor[Reinforcement],
    server: Server,
    requests: RequestBatch,
    *,
    devices: float,
) -> Serving | Unknown:
    if work.states("serving"):
        return _as_asked(work.at("serving"), server, requests, devices=devices)
    every = servings(server.model.architecture, devices=devices)
    fits = _room(server, requests, every) >= 1.0
    if not fits.any():
        return work.unknown(
            "does_not_fit",
            f"no replica of the model with one sequence fits {devices:g} devices",
            member="serving",
        )
    t, n = (np.asarray(field)[fits] for field in every)
    fitting = Serving(tensor_parallel=t, devices=n)
    numbers: dict[str, Any] = _central(server.figures) | _central(requests.inputs)
    fixed = _fixed(server, requests, fitting, np.floor(devices / n))
    batch = batch_of_figures(**(numbers | fixed))
    best = int(np.argmin(np.broadcast_to(np.asarray(batch.seconds), n.shape)))
    return Serving(tensor_parallel=float(t[best]), devices=float(n[best]))


def _as_asked(
    asked: Cursor[ServingTerms], server: Server, requests: RequestBatch, *, devices: float
) -> Serving | Unknown:
    t, n = asked.said.tensor_parallel, asked.said.devices_per_replica
    architecture = server.model.architecture
    faults = (
        ("devices_per_replica", "needs more devices than there are", n > devices),
        ("devices_per_replica", "must be a multiple of tensor_parallel", n % t != 0),
        ("devices_per_replica", "only experts spread beyond tensor_parallel",
         n > t and not architecture.moe_layers),
        ("tensor_parallel", "must divide the heads", architecture.heads % t != 0),
    )  # fmt: skip
    for member, why, broken in faults:
        if broken:
            return asked.unknown("contradictory", f"{member} {why}", member=member)
    serving = Serving(tensor_parallel=t, devices=n)
    if float(_room(server, requests, serving)) < 1.0:
        return asked.unknown(
            "does_not_fit", "weights and one sequence do not fit the devices of a replica"
        )
    return serving


def _bound(
    server: Server, requests: RequestBatch, serving: Serving, batch: Mapping[str, Term]
) -> Bound:
    """What bounds most of the time, with every figure at its central value."""
    decoding = batch["queue_seconds"].central + batch["drain_seconds"].central
    if batch["prefill_seconds"].central > decoding:
        return "flop"
    mean = requests.lengths.mean_tokens.central
    active = batch["concurrent"].central
    if batch["drain_seconds"].central > batch["queue_seconds"].central:
        active = max(1.0, active * min(1.0, mean / batch["longest_tokens"].central))
    context = requests.lengths.prompt_tokens.central + mean / 2.0
    step = decode_step(replica=replica_of(server, serving), active=active, context_tokens=context)
    return bound_of(step)


def bound_of(step: DecodeStep) -> Bound:
    """The largest of memory bandwidth, FLOP, exchange and overhead in one decoding step."""
    by_flop = step.weights * step.weights_bound_by_flop
    by_flop = by_flop + step.attention * step.attention_bound_by_flop
    sides: dict[Bound, float] = {
        "memory_bandwidth": float(step.weights + step.attention - by_flop),
        "flop": float(by_flop),
        "exchange": float(step.exchange),
        "overhead": float(step.overhead),
    }
    return max(sides, key=lambda side: sides[side])
