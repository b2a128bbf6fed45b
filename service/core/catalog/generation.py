"""What the devices of one generation have in common, for a device that a request describes."""

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType, field

from service.core.figures.sources import Datum
from service.core.figures.vocabulary import DeviceKind


class DeviceGeneration(Struct, frozen=True, kw_only=True):
    """The catalog's devices of one generation: their ids, and the median of each number.

    `peak_ratios` has the peak in one format over that in another, by both. `memory_bandwidth`,
    `tdp`, `scale_up` and peaks are as in an `Accelerator`. A generation without devices stands for
    all devices of its kind of which nothing else is known.
    """

    name: str
    kind: DeviceKind
    devices: tuple[str, ...] = ()
    memory_bandwidth_byte_per_s: Datum | UnsetType = UNSET
    peak_dense_flop_per_s: Mapping[str, Datum] = field(default_factory=dict)
    peak_ratios: Mapping[tuple[str, str], Datum] = field(default_factory=dict)
    tdp_w: Datum | UnsetType = UNSET
    scale_up_byte_per_s: Datum | UnsetType = UNSET
    usd_per_device: Datum | UnsetType = UNSET
    price_includes_server: bool = True
