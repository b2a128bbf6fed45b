"""What a training step needs to know of a cluster's devices and links, as terms of the ledger."""

from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Argument, Unknown
from service.core.catalog.catalog import Accelerator
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum
from service.core.request.request import Cluster

BYTES_PER_GB: Final = 1e9
BYTES_PER_GB_OF_MEMORY: Final = 2.0**30
"""Makers of memory print binary gigabytes as GB: a device of "80 GB" offers 80 * 2^30 bytes."""
STAND_IN_PRECISION: Final = {
    "nvfp4": "fp4",
    "fp4": "mxfp8",
    "mxfp8": "fp8",
    "fp8": "bf16",
    "int8": "fp8",
    "bf16": "fp16",
    "tf32": "fp32",
}
"""Where a device has no peak at a precision, what a run on it would use instead."""
SAME_RATE: Final = {("mxfp8", "fp8"), ("nvfp4", "fp4"), ("bf16", "fp16")}
"""Formats that one matrix unit runs at one rate: nothing is substituted, only named otherwise."""

BYTES_PER_GIGABIT: Final = 1e9 / 8.0


class Hardware(Struct, frozen=True, kw_only=True):
    """One device and its links; `scale_up_domain` is structure, the others are figures."""

    device: Accelerator
    peak_flop_per_s: Term
    bf16_peak_flop_per_s: Term
    memory_bandwidth_byte_per_s: Term
    memory_bytes: Term
    scale_up_byte_per_s: Term
    scale_up_domain: float
    scale_out_byte_per_s: Term
    precision: str  # of the peak


def hardware_of(
    argument: Argument,
    cluster: Cluster,
    *,
    pointer: str,
    precision: str,
    precision_pointer: str,
) -> Hardware | Unknown:
    """The figures of a cluster's devices for work at a precision."""
    device = argument.catalog.accelerator(cluster.accelerator, pointer=f"{pointer}/accelerator")
    peak, used = peak_of(argument, device, precision, pointer=precision_pointer)
    bf16 = _peak_datum(device, "bf16")[0]
    bandwidth, link = device.memory_bandwidth_byte_per_s, device.scale_up
    if peak is None or bf16 is None:
        return _unsuited(f"the catalog has no {precision} peak of {device.id}", pointer=pointer)
    if bandwidth is UNSET:
        return _unsuited(f"the catalog has no memory bandwidth of {device.id}", pointer=pointer)
    if link is UNSET:
        return _unsuited(f"the catalog has no link between devices of {device.id}", pointer=pointer)
    take = argument.ledger.take
    return Hardware(
        device=device,
        peak_flop_per_s=peak,
        bf16_peak_flop_per_s=take(bf16),
        memory_bandwidth_byte_per_s=take(bandwidth),
        memory_bytes=take(device.memory_bytes),
        scale_up_byte_per_s=take(link.unidirectional_byte_per_s),
        scale_up_domain=float(link.domain_devices),
        scale_out_byte_per_s=_network(argument, cluster, device, pointer=pointer),
        precision=used,
    )


def _unsuited(detail: str, *, pointer: str) -> Unknown:
    """Nothing can be predicted on a device without a number that the catalog does not have."""
    return Unknown(reason="unsuited", detail=detail, pointer=f"{pointer}/accelerator")


def peak_of(
    argument: Argument, device: Accelerator, precision: str, *, pointer: str
) -> tuple[Term | None, str]:
    """The dense peak at the asked precision, or at the one that would stand in for it."""
    datum, used = _peak_datum(device, precision)
    if datum is None:
        return None, precision
    if used != precision and (precision, used) not in SAME_RATE:
        argument.warn(
            "precision_substituted",
            f"{device.id} has no {precision} peak; its {used} peak was taken",
            pointer=pointer,
        )
    return argument.ledger.take(datum), used


def _peak_datum(device: Accelerator, precision: str) -> tuple[Datum | None, str]:
    while precision not in device.peak_dense_flop_per_s:
        if precision not in STAND_IN_PRECISION:
            return None, precision
        precision = STAND_IN_PRECISION[precision]
    return device.peak_dense_flop_per_s[precision], precision


@formula("byte_per_s", unit="byte/s")
def bytes_per_s(*, gbit_per_s: Real) -> Real:
    """Bytes per second of a link whose rate is printed in gigabit per second: 1e9 / 8 each."""
    return gbit_per_s * BYTES_PER_GIGABIT


def _network(argument: Argument, cluster: Cluster, device: Accelerator, *, pointer: str) -> Term:
    """What one device has of the cluster network: the caller's rate, or what is usual."""
    where = f"{pointer}/network_gbit_per_s_per_device"
    stated = cluster.network_gbit_per_s_per_device
    if stated is not UNSET:
        rate = argument.quantity(stated, pointer=where, unit="gigabit/s")
        return argument.ledger.derive_once(
            bytes_per_s,
            name=f"network/{pointer.removeprefix('/').replace('/', '.')}/byte_per_s_per_device",
            inputs={"gbit_per_s": rate},
        )
    term = argument.assume(f"network.byte_per_s_per_device.{device.network_class}", pointer=where)
    argument.warn(
        "assumed_network",
        f"the network is not given; {term.central / BYTES_PER_GIGABIT:g} Gb/s a device was taken",
        pointer=where,
    )
    return term


@formula("capacity_bytes", unit="byte")
def capacity_bytes(*, memory_bytes: Real) -> Real:
    """Bytes that a device offers.

        memory_bytes / 1e9 * 2**30

    Makers of memory print binary gigabytes as GB: a device of "80 GB" has 80 * 2**30 bytes.
    """
    return memory_bytes / BYTES_PER_GB * BYTES_PER_GB_OF_MEMORY
