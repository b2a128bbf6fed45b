"""The device that runs the step, its links, and the software that drives it."""

from typing import NamedTuple

from service.core.figures.arrays import Real
from service.core.figures.vocabulary import (
    AttentionKernel,
    DeviceKind,
    ExpertKernels,
    Framework,
    LossKernel,
    TrainingPrecision,
)


class Machine(NamedTuple):
    """One device and its links. Rates are one way and per device: numbers, or one per row.

    Constants are looked up by `device`, `generation` and `kind`: those of the device if it was
    measured, else those of its generation, else those of its kind.
    """

    peak_flop_per_s: Real  # dense, at the precision of the linear layers
    bf16_peak_flop_per_s: Real
    memory_bandwidth_byte_per_s: Real
    scale_up_byte_per_s: Real
    scale_up_domain: Real  # devices
    scale_out_byte_per_s: Real  # the device's share of the network between domains
    kind: DeviceKind = "gpu"
    generation: str = ""
    device: str = ""
    likeness: float = 1.0  # how far what was measured of the device holds


class Recipe(NamedTuple):
    """How the step is computed. The defaults are those of a current stack."""

    precision: TrainingPrecision = "bf16"
    framework: Framework = "megatron"
    # How far another framework may run it, 0 to 1: kernels are then as eager as the host is slow.
    open_framework: float = 0.0
    leaves_kernels: bool = False  # to the code of the model: nobody said whether they are fused
    eager_kernels: Real = 0.0  # how far they are then op by op, 0 to 1
    software_year: Real = 2026.6  # release of the software, with the fraction of the year
    rowwise_scales: bool = False  # fp8 with one scale per row instead of one per tensor
    gated_experts: bool = True  # the usual kind, for which kernels are written
    expert_kernels: ExpertKernels | None = None  # None: those of the stack in that year
    frozen_weights: bool = False  # only adapters are trained
    trained_share: float = 1.0  # parameters with gradients and an update, over the model's
    gathered_bytes: float = 2.0  # of a weight where ZeRO-3 gathers it
    quantised_base: bool = False  # frozen weights are unpacked to 16 bits wherever they are used
    unpacking_ratio: Real = 1.0  # time to unpack a weight over that of one of four bits
    host_ratio: Real = 1.0  # time of the host over that of the framework as fitted
    compiled: bool | None = None  # None: as is usual for the framework
    attention_kernel: AttentionKernel | None = None  # None: that of stacks in that year
    loss_kernel: LossKernel | None = None  # None: that of the framework
