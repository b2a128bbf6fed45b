"""A device that the catalog does not name, as a request describes it."""

from typing import Annotated, Final, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.request.accounting import UsdPerDevice
from service.core.request.ids import GenerationName
from service.core.request.quantities import (
    DeviceGigabytes,
    DeviceGigabytesPerSecond,
    DeviceTeraflopPerSecond,
    DeviceWatts,
    LinkGigabytesPerSecond,
)
from service.core.request.wire import Interval, Name, Wire

DomainDevices: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e6, multiple_of=1, description="Devices that one scale-up link connects.")
]
NodeDevices: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e5, multiple_of=1, description="Devices of one server or rack.")
]


class DescribedPeaks(Wire, frozen=True, kw_only=True):
    """Dense peaks of one device in TFLOP/s, by the format of the matrix products.

    Data sheets often print rates with sparsity, which are twice as high.
    """

    fp32: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    tf32: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    bf16: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    fp16: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    fp8: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    mxfp8: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    fp4: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    nvfp4: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET
    int8: DeviceTeraflopPerSecond | Interval[DeviceTeraflopPerSecond] | UnsetType = UNSET


PEAK_FORMATS: Final = DescribedPeaks.__struct_fields__
"""The formats that a peak may be stated for."""


class DescribedAccelerator(Wire, frozen=True, kw_only=True):
    """An accelerator of your own description, where the catalog has none.

    `generation` is that of the catalog's devices that are most like it, such as `hopper`,
    `blackwell`, `cdna-3` or `tpu-v6e`. What is not said then comes from them, with a wide range and
    a warning. It is `gpu` or `tpu` for a device of no such generation, and what is not said of it
    is not known. `scale_up_gb_per_s` is one way, from one device to the others of its domain.
    `power_w` is the rated power of one device alone. Nobody in the catalog sells it: to rent it
    takes a rate of your own.
    """

    name: Name
    generation: GenerationName
    memory_gb: DeviceGigabytes | Interval[DeviceGigabytes]
    memory_bandwidth_gb_per_s: (
        DeviceGigabytesPerSecond | Interval[DeviceGigabytesPerSecond] | UnsetType
    ) = UNSET
    peak_dense_tflops: DescribedPeaks = field(default_factory=DescribedPeaks)
    power_w: DeviceWatts | Interval[DeviceWatts] | UnsetType = UNSET
    scale_up_gb_per_s: LinkGigabytesPerSecond | Interval[LinkGigabytesPerSecond] | UnsetType = UNSET
    scale_up_domain_devices: DomainDevices | UnsetType = UNSET
    devices_per_node: NodeDevices | UnsetType = UNSET
    usd_per_device: UsdPerDevice | Interval[UsdPerDevice] | UnsetType = UNSET
    price_includes_server: bool = True
