"""The devices and links of a cluster as figures, from which time is predicted."""

from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Cursor, Fixed, Unknown
from service.core.catalog.catalog import Accelerator
from service.core.cluster.formulas import bytes_per_s, capacity_bytes
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum
from service.core.figures.units import BYTES_PER_GIGABIT
from service.core.request.request import Cluster

STAND_IN_PRECISION: Final = {
    "nvfp4": "fp4",
    "fp4": "mxfp8",
    "mxfp8": "fp8",
    "fp8": "bf16",
    "int8": "fp8",
    "bf16": "fp16",
    "fp16": "bf16",
    "tf32": "fp32",
}
"""Where a device has no peak at a precision, what a run on it would use instead.

Nothing stands in for fp32 on a GPU: PyTorch multiplies fp32 in fp32 unless told otherwise.
Source: PyTorch documentation, `torch.set_float32_matmul_precision`, default "highest".
"""
STAND_IN_PRECISION_ON_TPU: Final = STAND_IN_PRECISION | {"fp32": "bf16", "tf32": "bf16"}
"""XLA multiplies fp32 in bf16 on TPUs. Source: JAX documentation, "Matmul precision"."""
EMULATED: Final = {"bf16": "fp32"}
"""What work at a precision computes in, on a device that stores the format and cannot multiply it.

GPUs before Ampere lack bf16: inputs are shifted to fp32 and multiplied there. Eight bits are not
emulated so; what stands in for them is fp16.
Source: PyTorch, pull request 148322 (2025-03).
"""
SAME_RATE: Final = {("nvfp4", "fp4"), ("bf16", "fp16"), ("fp16", "bf16")}
"""Formats that a matrix unit runs at the same rate. Only their names differ."""


class Hardware(Struct, frozen=True, kw_only=True):
    """One device and its links. `scale_up_domain` is structure, the others are figures."""

    device: Accelerator
    peak_flop_per_s: Term
    bf16_peak_flop_per_s: Term
    memory_bandwidth_byte_per_s: Term
    memory_bytes: Term
    scale_up_byte_per_s: Term
    scale_up_domain: float
    scale_out_byte_per_s: Term
    precision: str  # of the peak


class Peak(Struct, frozen=True, kw_only=True):
    """The dense peak of a device, and the precision that it is printed for."""

    flop_per_s: Term
    precision: str


def device_of(cluster: Cursor[Cluster]) -> Accelerator:
    """The row of the cluster's accelerator, in the catalog or as the request describes it."""
    return cluster.row("accelerator", cluster.argument.catalog.accelerator)


def hardware_of(cluster: Cursor[Cluster], precision: Fixed) -> Hardware | Unknown:
    """The figures of a cluster's devices for work at a precision, or what the catalog lacks."""
    peak = peak_of(cluster, precision)
    if isinstance(peak, Unknown):
        return peak
    device, take = device_of(cluster), cluster.argument.ledger.take
    bf16 = _sixteen_bit_datum(device, precision.value)
    bandwidth, link = device.memory_bandwidth_byte_per_s, device.scale_up
    if bf16 is None:
        return _unsuited(cluster, device, "bf16 peak")
    if bandwidth is UNSET:
        return _unsuited(cluster, device, "memory bandwidth")
    if link is UNSET:
        return _unsuited(cluster, device, "link between devices")
    return Hardware(
        device=device,
        peak_flop_per_s=peak.flop_per_s,
        bf16_peak_flop_per_s=take(bf16),
        memory_bandwidth_byte_per_s=take(bandwidth),
        memory_bytes=take(device.memory_bytes),
        scale_up_byte_per_s=take(link.unidirectional_byte_per_s),
        scale_up_domain=cluster.said.devices_per_domain or float(link.domain_devices),
        scale_out_byte_per_s=_network(cluster, device),
        precision=peak.precision,
    )


def capacity_of(cluster: Cursor[Cluster], hardware: Hardware) -> Term:
    """Bytes that a device offers to a program: as programs find them, or a share of its memory.

    It is one figure for all places that ask for it.
    """
    device = hardware.device
    if device.usable_memory_bytes is not UNSET:
        return cluster.argument.ledger.take(device.usable_memory_bytes)
    at = cluster.under(f"accelerators/{device.id}")
    kind = "gddr" if device.memory_type.startswith("GDDR") else "hbm"
    share = cluster.assume(f"hardware.usable_memory_share.{kind}")
    return at.derive_once(capacity_bytes, memory_bytes=hardware.memory_bytes, usable_share=share)


def peak_of(cluster: Cursor[Cluster], precision: Fixed) -> Peak | Unknown:
    """The dense peak of a cluster's device at a precision, or at the one that stands in for it.

    `precision.stands` is the member of the request that asks for it, which the warning of a
    stand-in points at.
    """
    device, argument = device_of(cluster), cluster.argument
    datum, used = _peak_datum(device, precision.value)
    if datum is None:
        return _unsuited(cluster, device, f"{precision.value} peak")
    if _emulates(device, precision.value):
        argument.warn(
            "precision_emulated",
            f"{device.label} cannot multiply in {precision.value}; its {used} peak was taken, in "
            "which software emulates it",
            pointer=precision.stands,
        )
    elif used != precision.value and (precision.value, used) not in SAME_RATE:
        argument.warn(
            "precision_substituted",
            f"{device.label} has no {precision.value} peak; its {used} peak was taken",
            pointer=precision.stands,
        )
    return Peak(flop_per_s=argument.ledger.take(datum), precision=used)


def _unsuited(cluster: Cursor[Cluster], device: Accelerator, lacking: str) -> Unknown:
    """Nothing is predicted on a device without a number that the catalog does not have."""
    return cluster.unknown("unsuited", device.lacks(lacking), member="accelerator")


def _peak_datum(device: Accelerator, precision: str) -> tuple[Datum | None, str]:
    """The peak and its format: the asked one, or the first that stands in for it."""
    stands_in = STAND_IN_PRECISION_ON_TPU if device.kind == "tpu" else STAND_IN_PRECISION
    peaks, tried = device.peak_dense_flop_per_s, set[str]()
    if _emulates(device, precision):
        precision = EMULATED[precision]
    while precision not in peaks:
        tried.add(precision)
        stand_in = stands_in.get(precision)
        if stand_in is None or stand_in in tried:
            return None, precision
        precision = stand_in
    return peaks[precision], precision


def _emulates(device: Accelerator, precision: str) -> bool:
    """Whether software emulates the precision on the device, which has a peak to do so."""
    peaks = device.peak_dense_flop_per_s
    return precision not in peaks and EMULATED.get(precision) in peaks


def _sixteen_bit_datum(device: Accelerator, precision: str) -> Datum | None:
    """The peak of what work at a precision computes in 16 bits, such as attention."""
    emulates = _emulates(device, "bf16") and precision != "bf16"
    return _peak_datum(device, "fp16" if emulates else "bf16")[0]


def _network(cluster: Cursor[Cluster], device: Accelerator) -> Term:
    """Bytes per second of one device on the cluster network: the caller's rate, or a usual one."""
    member = "network_gbit_per_s_per_device"
    if cluster.states(member):
        place = cluster.pointer.removeprefix("/").replace("/", ".")
        rate = cluster.quantity(member, unit="gigabit/s")
        return cluster.under(f"network/{place}").derive_once(
            bytes_per_s, "byte_per_s_per_device", gbit_per_s=rate
        )
    usual = cluster.assume(f"network.byte_per_s_per_device.{device.network_class}", member=member)
    cluster.warn(
        "assumed_network",
        f"the network is not given; {usual.central / BYTES_PER_GIGABIT:g} Gb/s a device was taken",
        member=member,
    )
    return usual
