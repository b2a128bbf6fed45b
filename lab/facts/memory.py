"""Constants of memory, fitted anew without each source, and what that is worth on the source.

The constants stand in `service/core/training/formats.py` at what is known of frameworks. A factor
on each, the same for all stacks, is fitted to peaks of all sources but one and judged on that one.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from lab.files import MEMORY_FACTS
from service.core.argument import Argument, Fixed, Unknown
from service.core.catalog.catalog import Catalog
from service.core.cluster.hardware import hardware_of
from service.core.request.request import Cluster
from service.core.training.formats import StackBytes
from service.core.training.memory import memory_per_device
from service.core.training.step import Step
from service.core.training.step_spec import sequences_of
from service.core.training.timing import step_inputs
from service.scoring.devices import accelerator_named
from service.scoring.lines import rows_of
from service.scoring.memory.estimates import step_of_fact
from service.scoring.memory.facts import MemoryFact

GIB: Final = 2.0**30


class Constant(NamedTuple):
    """One constant of `StackBytes`: what it means, and within which factors it may move."""

    name: str
    meaning: str
    known: str  # where its value comes from
    low: float
    high: float
    log_sd: float  # of the prior, around a factor of 1


CONSTANTS: Final = (
    Constant("logit", "bytes that a loss keeps for each logit",
             "14: 16-bit product, fp32 copy, softmax and gradients; 8 in place", 0.6, 1.4, 0.15),
    Constant("logit_blocks", "further bytes for each logit, in blocks no later tensor fits",
             "together 16 were reserved by every loss that is not chunked", 0.3, 2.0, 0.3),
    Constant("layer_at_work", "activations of the layer that runs backward",
             "2: its activations and their gradients", 0.6, 1.5, 0.15),
    Constant("eager_copies", "fp32 inputs of norms and activated gates that eager kernels keep",
             "1 of each", 0.5, 2.0, 0.3),
    Constant("dispatch_copies", "copies of tokens sent to experts in the layer at work",
             "7: routed, gathered, weighted in fp32, and the gradients of each", 0.4, 1.8, 0.3),
    Constant("adapter_gradients", "gradients of inputs kept under sharding, for each layer",
             "1: frozen units hold them until the backward pass ends", 0.5, 1.5, 0.3),
    Constant("step_copies", "copies of all trained parameters while the optimizer runs",
             "1: the square roots of second moments, in one list", 0.5, 1.5, 0.2),
    Constant("block_share", "of what only the less full phase needs, that the allocator keeps",
             "0.9: blocks hardly fit another phase", 0.5, 1.1, 0.2),
    Constant("fragmentation", "of what comes and goes, that no block fits", "0.06", 0.3, 2.5, 0.4),
    Constant("sharded_fragmentation", "the same on top where weights are gathered",
             "0.10", 0.3, 2.5, 0.4),
    Constant("context", "bytes of context, kernels and workspaces", "0.8 GB", 0.5, 1.6, 0.2),
    Constant("collective", "bytes of communicators", "1.2 GB", 0.3, 2.0, 0.3),
)  # fmt: skip
FACTORS: Final = (0.8, 1.25, 0.9, 1.1)
WORST_COUNTED: Final = 0.4
"""An error of a logarithm beyond this counts as this: such a row says something else."""
PENALTY: Final = 0.002

Theta = Mapping[str, float]


class Peak(NamedTuple):
    """A measured peak in the terms of the formula."""

    fact: MemoryFact
    inputs: dict[str, Any]

    def error(self, theta: Theta) -> float:
        """ln(predicted / measured) with these factors on the constants."""
        recipe = self.inputs["recipe"]
        inputs = self.inputs | {"recipe": recipe._replace(stack=scaled(recipe.stack, theta))}
        memory = memory_per_device(**inputs)
        reserved = self.fact.peak_reserved_gib
        found = memory.total if reserved else memory.total - memory.reserve
        return math.log(float(found) / GIB / (reserved or self.fact.peak_allocated_gib or 1.0))


def scaled(stack: StackBytes, theta: Theta) -> StackBytes:
    """A stack with its constants times the factors."""
    return stack._replace(**{name: getattr(stack, name) * each for name, each in theta.items()})


def peaks_of(catalog: Catalog) -> tuple[Peak, ...]:
    """The trained rows that have a peak and can be said."""
    found = []
    for fact in rows_of(MEMORY_FACTS, MemoryFact):
        has_peak = fact.peak_reserved_gib or fact.peak_allocated_gib
        if not fact.is_scored or fact.serves or not fact.ran or not has_peak:
            continue
        step = step_of_fact(fact, catalog)
        if isinstance(step, Step) and step.placement.layout is not None:
            found.append(Peak(fact, _inputs(step, fact, catalog)))
    return tuple(found)


def _inputs(step: Step, fact: MemoryFact, catalog: Catalog) -> dict[str, Any]:
    spec = step.spec
    cluster = Argument(catalog).at(
        Cluster(device=step_device(fact, catalog), devices=fact.devices or 1.0),
        pointer="/cluster",
        prefix="cluster",
    )
    hardware = hardware_of(cluster, Fixed(spec.precision.value, "/precision"))
    assert not isinstance(hardware, Unknown)
    return {
        "architecture": spec.model.architecture,
        "layout": step.placement.layout,
        "sequence_length": spec.sequence_length.value,
        "global_batch": sequences_of(spec),
        "recipe": step_inputs(spec, hardware, devices=fact.devices or 1.0).memory_recipe,
        "capacity_bytes": step.capacity.central,
    }


def step_device(fact: MemoryFact, catalog: Catalog) -> str:
    """The id of the device of a row that could be said."""

    device = accelerator_named(fact.accelerator or "", catalog)
    assert device is not None
    return device.id


def source_of(peak: Peak) -> str:
    """The source of a peak."""
    return peak.fact.printed_in


def by_source(peaks: Iterable[Peak]) -> dict[str, list[Peak]]:
    """Peaks of each source."""
    groups: dict[str, list[Peak]] = defaultdict(list)
    for peak in peaks:
        groups[source_of(peak)].append(peak)
    return dict(sorted(groups.items()))


def loss(theta: Theta, peaks: Sequence[Peak]) -> float:
    """The mean size of errors, each source weighing the root of its rows, and the prior's part."""
    weights = {source: math.sqrt(len(rows)) for source, rows in by_source(peaks).items()}
    errors = {
        source: sum(min(abs(peak.error(theta)), WORST_COUNTED) for peak in rows) / len(rows)
        for source, rows in by_source(peaks).items()
    }
    mean = sum(weights[source] * each for source, each in errors.items()) / sum(weights.values())
    prior = sum((math.log(theta[each.name]) / each.log_sd) ** 2 for each in CONSTANTS)
    return mean + PENALTY * prior


def fitted(peaks: Sequence[Peak]) -> dict[str, float]:
    """The factors that fit these peaks best, one constant after another."""
    theta = {constant.name: 1.0 for constant in CONSTANTS}
    best = loss(theta, peaks)
    for constant in CONSTANTS:
        for factor in FACTORS:
            if constant.low <= factor <= constant.high:
                tried = theta | {constant.name: factor}
                found = loss(tried, peaks)
                if found < best:
                    theta, best = tried, found
    return theta


def left_out(peaks: Sequence[Peak]) -> dict[str, list[float]]:
    """Errors on each source of constants that were fitted to all others."""
    groups = by_source(peaks)
    return {
        source: [
            peak.error(theta)
            for theta in [fitted([each for each in peaks if source_of(each) != source])]
            for peak in rows
        ]
        for source, rows in groups.items()
    }


def size(errors: Iterable[float]) -> float:
    """The median size of relative errors."""
    return median(abs(math.expm1(error)) for error in errors)
