"""Generation as figures: what a cluster and its inference engine do, and the layout that serves."""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from msgspec import UNSET, Struct
from numpy.typing import NDArray

from service.core.argument import Cursor, Fixed, Unknown
from service.core.cluster.hardware import Hardware, capacity_of
from service.core.figures.arrays import Array, Real
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import ServingPrecision
from service.core.model.architecture import Architecture
from service.core.model.named import NamedModel
from service.core.request.request import Cluster
from service.core.request.work import Generation, Reinforcement, ServingTerms
from service.core.serving.decoding import (
    Batch,
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
from service.core.serving.engines import SPEEDS, engine_speed_of, formats_of, serving_terms
from service.core.serving.lengths import TokenLengths

PEAK_PRECISION: Final[dict[ServingPrecision, str]] = {
    "bf16": "bf16",
    "fp16": "fp16",
    "fp8": "fp8",
    "int8": "int8",
    "int4": "bf16",
    "nvfp4": "nvfp4",
}
"""Products of int4 weights run in 16 bits, those of nvfp4 in nvfp4 where the device has it."""
Bound: TypeAlias = Literal["memory_bandwidth", "flop", "exchange", "overhead", "environment"]
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
    formats: Formats
    figures: Mapping[str, Term]


def server_of(
    cluster: Cursor[Cluster],
    work: Cursor[Generation] | Cursor[Reinforcement],
    model: NamedModel,
    hardware: Hardware,
    precision: ServingPrecision,
) -> Server:
    """All that serving depends on, except the batch and the layout."""
    return Server(
        model=model,
        hardware=hardware,
        formats=formats_of(serving_terms(work), precision),
        figures={
            "peak_flop_per_s": hardware.peak_flop_per_s,
            "memory_bytes": capacity_of(cluster, hardware),
            "memory_byte_per_s": hardware.memory_bandwidth_byte_per_s,
            "link_byte_per_s": hardware.scale_up_byte_per_s,
            "network_byte_per_s": hardware.scale_out_byte_per_s,
            **engine_speed_of(cluster, work, hardware, precision),
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
    asked = serving_terms(work).states_layout
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


class Servings(NamedTuple):
    """The fastest layout on each of some numbers of devices, and the batch that it writes.

    All are arrays of one number per number of devices. Where none serves, the others mean nothing.
    """

    serves: NDArray[np.bool_]
    serving: Serving
    batch: Batch


def servings_on_each(
    work: Cursor[Generation] | Cursor[Reinforcement],
    server: Server,
    requests: RequestBatch,
    *,
    devices: Array,
    times: Real,
) -> Servings | None:
    """A batch on each of some numbers of devices, every figure at its central value.

    `times` is as in `RequestBatch`, one number for each number of devices or one for all. None if
    none serves.
    """
    asked = serving_terms(work)
    if asked.states_layout:
        stated = layout_of(asked)
        kept = 0 if _faults(asked, server, devices=float(devices.max())) else 1
        every = Serving(*(np.full(kept, field) for field in stated))
    else:
        every = servings(server.model.architecture, devices=float(devices.max()))
    return _fastest(server, requests, _that_fit(server, requests, every), devices, times)


def _that_fit(server: Server, requests: RequestBatch, every: Serving) -> Serving:
    """The layouts of a replica, of these, that hold one sequence."""
    fits = _room(server, requests, every) >= 1.0
    return Serving(*(np.broadcast_to(field, fits.shape)[fits] for field in every))


def _fastest(
    server: Server, requests: RequestBatch, every: Serving, devices: Array, times: Real
) -> Servings | None:
    """The fastest of some layouts on each number of devices. All pairs are timed together."""
    place, row = np.nonzero(np.asarray(every.devices) <= devices[:, np.newaxis])
    if not place.size:
        return None
    pairs = Serving(*(np.asarray(field)[row] for field in every))
    numbers: dict[str, Any] = _central(server.figures) | _central(requests.inputs)
    numbers |= _fixed(server, requests, pairs, np.floor(devices[place] / pairs.devices))
    numbers["times"] = np.broadcast_to(times, devices.shape)[place]
    batch = batch_of_figures(**numbers)
    seconds = np.broadcast_to(np.asarray(batch.seconds), place.shape)
    order = np.lexsort((seconds, place))
    found, first = np.unique(place[order], return_index=True)
    best = np.zeros(devices.shape, dtype=np.intp)
    best[found] = order[first]

    def of_best(field: Real) -> Array:
        return np.broadcast_to(np.asarray(field), place.shape)[best]

    return Servings(
        serves=np.isin(np.arange(devices.size), found),
        serving=Serving(*(of_best(field) for field in pairs)),
        batch=Batch(*(of_best(field) for field in batch)),
    )


def _fixed(
    server: Server, requests: RequestBatch, serving: Serving, replicas: float | Array
) -> dict[str, Any]:
    return {
        "architecture": server.model.architecture,
        "serving": serving,
        "formats": server.formats,
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
        formats=server.formats,
    )


def _room(server: Server, requests: RequestBatch, serving: Serving) -> Array:
    lengths = requests.lengths
    context = lengths.prompt_tokens.central + lengths.kept_tokens.central
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
    return Serving(t[legal], n[legal], np.ones(int(np.count_nonzero(legal))))


def layout_of(asked: ServingTerms) -> Serving:
    """The stated layout of a replica. What it leaves open follows from the rest."""
    stages, tensor = asked.pipeline_parallel, asked.tensor_parallel
    devices = asked.devices_per_replica
    if tensor is UNSET:
        tensor = 1.0
    if devices is UNSET:
        devices = tensor * stages
    return Serving(tensor_parallel=tensor, devices=devices, pipeline_parallel=stages)


def _serving_of(
    work: Cursor[Generation] | Cursor[Reinforcement],
    server: Server,
    requests: RequestBatch,
    *,
    devices: float,
) -> Serving | Unknown:
    if serving_terms(work).states_layout:
        return _as_asked(work.at("serving"), server, requests, devices=devices)
    every = servings(server.model.architecture, devices=devices)
    times = 1.0 if requests.times is None else requests.times.central
    fitting = _that_fit(server, requests, every)
    found = _fastest(server, requests, fitting, np.array([devices]), times)
    if found is None:
        return work.unknown(
            "does_not_fit",
            f"no replica of the model with one sequence fits {devices:g} devices",
            member="serving",
        )
    return Serving(*(float(np.asarray(field)[0]) for field in found.serving))


def _as_asked(
    asked: Cursor[ServingTerms], server: Server, requests: RequestBatch, *, devices: float
) -> Serving | Unknown:
    for member, why in _faults(asked.said, server, devices=devices):
        return asked.unknown("contradictory", f"{member} {why}", member=member)
    serving = layout_of(asked.said)
    if float(_room(server, requests, serving)) < 1.0:
        return asked.unknown(
            "does_not_fit", "weights and one sequence do not fit the devices of a replica"
        )
    return serving


def _faults(asked: ServingTerms, server: Server, *, devices: float) -> tuple[tuple[str, str], ...]:
    """Why a stated layout of a replica cannot be, as (member, why). Empty for one that can."""
    t, n, stages = (float(field) for field in layout_of(asked))
    architecture = server.model.architecture
    checks = (
        ("devices_per_replica", "needs more devices than there are", n > devices),
        ("devices_per_replica",
         "must be a multiple of tensor_parallel x pipeline_parallel", n % (t * stages) != 0),
        ("devices_per_replica", "only experts spread beyond tensor_parallel x pipeline_parallel",
         n > t * stages and not architecture.moe_layers),
        ("tensor_parallel", "must divide the heads", architecture.heads % t != 0),
        ("pipeline_parallel", "must not exceed the layers", stages > architecture.layers),
    )  # fmt: skip
    return tuple((member, why) for member, why, broken in checks if broken)


def _bound(
    server: Server, requests: RequestBatch, serving: Serving, batch: Mapping[str, Term]
) -> Bound:
    """What bounds most of the time, with every figure at its central value."""
    agent = requests.lengths.agent
    decoding = batch["queue_seconds"].central + batch["drain_seconds"].central
    if batch["prefill_seconds"].central > decoding:
        return "flop"
    mean = requests.lengths.mean_tokens.central
    active = batch["concurrent"].central
    if batch["drain_seconds"].central > batch["queue_seconds"].central:
        active = max(1.0, active * min(1.0, mean / batch["longest_tokens"].central))
    kept = requests.lengths.kept_tokens.central
    context = requests.lengths.prompt_tokens.central + kept / 2.0
    step = decode_step(replica=replica_of(server, serving), active=active, context_tokens=context)
    if agent is not None and agent.pause_seconds.central > float(step.seconds):
        return "environment"
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
