"""Seconds that a device waits for others: within a layer, between stages, between replicas.

Symbols: t tokens of a micro-batch on the device, d hidden_size, tp, cp, ep degrees. All payloads of
activations are 2 bytes per element.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real, maximum, minimum, where
from service.core.training.parallelism import Layout, devices_of
from service.core.training.steptime.constants import Coefficients
from service.core.training.steptime.machine import Machine
from service.core.training.steptime.work import StepWork

PAYLOAD_BYTES = 2.0
# Kernels that exchange beside compute take 20 of an H800's 132 multiprocessors from it.
# Source: DeepSeek-V3 (arXiv 2412.19437, section 3.2.2).
EXCHANGING_SHARE = 20 / 132


class MicroBatch(NamedTuple):
    """One micro-batch at one device of a layout."""

    work: StepWork
    layout: Layout
    tokens: Real
    machine: Machine
    coefficients: Coefficients

    @property
    def moe_share(self) -> Real:
        """Share of the layers that are mixtures of experts."""
        return self.work.moe_layers / self.work.layers

    @property
    def memory_rate(self) -> Real:
        """Bytes per second that kernels reach from memory."""
        return self.machine.memory_bandwidth_byte_per_s * self.coefficients.memory_share

    @property
    def scale_up_rate(self) -> Real:
        """Bytes per second that collectives reach inside a domain."""
        return self.machine.scale_up_byte_per_s * self.coefficients.scale_up_share

    @property
    def scale_out_rate(self) -> Real:
        """Bytes per second and device that collectives reach between domains."""
        return self.machine.scale_out_byte_per_s * self.coefficients.scale_out_share


def tensor_parallel_s(at: MicroBatch) -> Real:
    """Seconds of a layer's two all-reduces, forward, that are not hidden. Backward takes as many.

        2 * (2 (tp - 1) / tp * t d * 2 bytes / rate + latency) * exposed

    With sequence parallelism each is a reduce-scatter and an all-gather of the same volume. A group
    beyond a domain crosses by the adapters of all of its devices in the domain, in as many rings.
    Source: Narayanan et al. 2021 (arXiv 2104.04473, section 3.2).
    """
    tp = at.layout.tensor_parallel
    domain = at.machine.scale_up_domain
    crossing = minimum(at.scale_up_rate, at.scale_out_rate * domain)
    rate = where(tp <= domain, at.scale_up_rate, crossing)
    volume = 2 * (tp - 1) / tp * at.tokens * at.work.hidden_size * PAYLOAD_BYTES
    each = volume / rate + at.coefficients.collective_s
    return where(tp > 1, 2 * each * at.coefficients.tensor_exposed, 0.0)


def context_parallel_s(at: MicroBatch) -> Real:
    """Seconds of a layer's exchange of keys and values, forward, not hidden. Backward takes twice.

    (cp - 1) t kv / tp * 2 bytes / rate * exposed
    """
    tp, cp = at.layout.tensor_parallel, at.layout.context_parallel
    together = tp * cp <= at.machine.scale_up_domain
    rate = where(together, at.scale_up_rate, at.scale_out_rate)
    volume = (cp - 1) * at.tokens * at.work.key_value_width / tp * PAYLOAD_BYTES
    return volume / rate * at.coefficients.context_exposed


def expert_parallel_s(at: MicroBatch) -> Real:
    """Seconds of dispatch and combine of a layer with experts, forward. Backward takes as many.

        inside a domain    2 t k d / tp * 2 bytes * (ep - 1) / ep * share inside / rate * exposed
        between domains    as many copies as a token has other domains among its experts

    Modern dispatchers send a token once to each of n domains, (n - 1) (1 - (1 - 1/n)^k) copies, but
    to no more domains than its expert groups lie in. Older ones send a copy for each expert:
    k (n - 1) / n.
    """
    c = at.coefficients
    return _exchange_s(at, inside=c.expert_exposed, outside=c.expert_exposed_out)


def expert_parallel_beside_s(at: MicroBatch, *, compute: Real) -> Real:
    """Seconds of `expert_parallel_s` that are not hidden by `compute` seconds of other work.

    exchange - (1 - 20/132) * min(exchange, compute), at most `expert_parallel_s`
    """
    whole = _exchange_s(at, inside=1.0, outside=1.0)
    hidden = minimum(whole, compute)
    return minimum(expert_parallel_s(at), whole - (1 - EXCHANGING_SHARE) * hidden)


def _exchange_s(at: MicroBatch, *, inside: Real, outside: Real) -> Real:
    """Seconds of dispatch and combine, with these shares exposed inside and between domains."""
    k, ep = at.work.experts_per_token, at.layout.expert_parallel
    domains = maximum(1.0, ep * at.layout.tensor_parallel / at.machine.scale_up_domain)
    elsewhere = 1 - 1 / domains
    copies = k * elsewhere
    once = (domains - 1) * (1 - (1 - 1 / domains) ** maximum(k, 1.0))
    groups = at.work.expert_groups
    reached = at.work.groups_per_token * maximum(1.0, domains / groups)
    once = where(groups > 1, minimum(once, reached * elsewhere), once)
    crossing = copies + at.coefficients.expert_dedupes * (once - copies)
    volume = 2 * at.tokens / at.layout.tensor_parallel * at.work.dispatch_width * PAYLOAD_BYTES
    inside = k * (ep - 1) / ep / domains * inside / at.scale_up_rate
    outside = crossing * outside / at.scale_out_rate
    latency = 2 * at.coefficients.collective_s
    return where(ep > 1, volume * (inside + outside) + latency, 0.0)


def stage_transfer_s(at: MicroBatch) -> Real:
    """Seconds per micro-batch of passing on activations and gradients, where not hidden.

    2 vp t d / tp * 2 bytes / rate * exposed

    Stages are the outermost groups: they use the network unless one domain holds all devices.
    """
    wide = 1 + (at.layout.tensor_parallel - 1) * at.layout.sequence_parallel
    elements = 2 * at.layout.virtual_stages * at.tokens * at.work.hidden_size / wide
    together = devices_of(at.layout) <= at.machine.scale_up_domain
    rate = where(together, at.scale_up_rate, at.scale_out_rate)
    seconds = elements * PAYLOAD_BYTES / rate * at.coefficients.transfer_exposed
    return where(at.layout.pipeline_parallel > 1, seconds, 0.0)


def replica_rate(at: MicroBatch) -> Real:
    """Bytes per second at which a device exchanges with its replicas.

    This is the slower of the links inside the domain and of the network, which the replicas in a
    domain share.
    """
    ranks = at.layout.data_parallel * at.layout.context_parallel
    together = maximum(1.0, minimum(ranks, at.machine.scale_up_domain / at.layout.tensor_parallel))
    inside = at.scale_up_rate
    outside = at.scale_out_rate * together
    leaves = ranks * at.layout.tensor_parallel > at.machine.scale_up_domain
    return where(leaves, minimum(inside, outside), inside)
