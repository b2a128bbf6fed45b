"""Formulas of a device's memory and links, from printed units to bytes."""

from typing import Final

from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.units import BYTES_PER_GIGABIT

BYTES_PER_GB: Final = 1e9
BYTES_PER_GB_OF_MEMORY: Final = 2.0**30
"""Makers of memory print binary gigabytes as GB: a device of "80 GB" offers 80 * 2^30 bytes."""


@formula("byte_per_s", unit="byte/s")
def bytes_per_s(*, gbit_per_s: Real) -> Real:
    """Bytes per second of a link whose rate is printed in gigabit per second.

        gbit_per_s * 1e9 / 8

    Source: decimal prefixes, as in the rates of IEEE 802.3.
    """
    return gbit_per_s * BYTES_PER_GIGABIT


@formula("capacity_bytes", unit="byte")
def capacity_bytes(*, memory_bytes: Real, usable_share: Real) -> Real:
    """Bytes that a device offers to a program.

        memory_bytes / 1e9 * 2**30 * usable_share

    Makers of memory print binary gigabytes as GB: a device of "80 GB" has 80 * 2**30 bytes. Error
    correction, firmware and the driver take the rest.

    Source: the binary prefixes for memory of JEDEC JESD100B.01.
    """
    return memory_bytes / BYTES_PER_GB * BYTES_PER_GB_OF_MEMORY * usable_share


@formula("in_base_unit")
def in_base_unit(*, stated: Real, base_units: float) -> Real:
    """A number of a described device in the unit of the formulas: bytes, FLOP and seconds.

        stated * base_units

    `base_units` is 1e9 for gigabytes and 1e12 for TFLOP.

    Source: decimal prefixes of the SI.
    """
    return stated * base_units


@formula("peak_from_another", unit="flop/s")
def peak_from_another(*, peak_flop_per_s: Real, peak_ratio: Real) -> Real:
    """The dense peak of a described device in one format, from its peak in another.

        peak_flop_per_s * peak_ratio

    Source: the matrix units of a generation run each format at a rate of their own; the ratio is
    that of the catalog's devices of the generation.
    """
    return peak_flop_per_s * peak_ratio
