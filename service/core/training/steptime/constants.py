"""The constants of the step-time engine, and their values for one machine and recipe.

Each constant has a meaning, a physical range, a prior and a fitted value, which stand in the data
files. A device that was never measured takes the effects of its generation. A generation that was
never measured has no effects, and takes the constants of its kind.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from service.core.figures.arrays import Real, exp, log, maximum, minimum, where
from service.core.figures.constants import Constants
from service.core.figures.vocabulary import AttentionKernel
from service.core.training.frameworks import FRAMEWORKS, HostPace
from service.core.training.steptime.eras import (
    EAGER_ATTENTION,
    FIRST_FLASH_ATTENTION,
    PORTED_ATTENTION,
    QUANTISED_APART,
    UNEVEN_STAGES,
    UNFUSED_ATTENTION,
    mixed,
)
from service.core.training.steptime.machine import Machine, Recipe

NATIVE_KERNEL: Mapping[str, int] = MappingProxyType(
    {
        "hopper": 1,
        "blackwell": 2,
        "blackwell-ultra": 2,
        "grace-blackwell": 2,
        "grace-blackwell-ultra": 2,
    }
)
"""Generations with tensor cores that older attention kernels do not drive, in their order."""
WRITTEN_FOR: Mapping[AttentionKernel, int] = MappingProxyType(
    {"unfused": 2, "flash_1": 0, "flash_2": 0, "flash_3": 1, "flash_4": 2}
)
"""The latest of those generations that a kernel was written for."""
PORTED_GENERATIONS = ("cdna",)
"""Beginnings of generations that frameworks reach by kernels written for others and translated."""
GATHERED_SHARE = 4.0 / 7.0
"""Of the bytes that ZeRO-3 moves for a trained parameter, those of the two gathers of its weight.

The prior of `shard_bytes` counts two gathers of 2 bytes, and 3 bytes of gradient.
"""


LEAST_EAGER_RATIO = 1.1
"""Of the host time of eager kernels to that of captured ones, wherever constants are tried."""


class Traits(NamedTuple):
    """Traits that constants depend on, as numbers: 1 for yes and 0 for no, or one per row."""

    tpu: Real
    fp8: Real
    fp8_rowwise: Real
    mxfp8: Real
    nvfp4: Real
    int8: Real
    experts_fuse: Real  # since the kernels for it exist
    experts_fused: Real  # in any year
    xla: Real
    compiled: Real
    eager: Real
    expert_loop: Real
    hooked: Real
    unfused_kernels: Real  # norms and rotary embedding in several kernels each
    unfused_adapters: Real
    unfused_loss: Real
    open_framework: Real  # the three before follow the pace of the host
    leaves_kernels: Real  # kernels and loss are op by op as far as `eager_kernels`
    eager_kernels: Real
    loss_stated: Real
    quantised_base: Real
    unpacking_ratio: Real
    kernel_stated: Real
    kernel_unfused: Real
    kernel_first: Real
    kernel_behind: Real  # generations of devices since the attention kernel was written
    kernel_newest: Real  # the device has such kernels, and the framework takes them
    young: Real  # the framework has not caught up with the device
    software_year: Real
    host_ratio: Real
    frozen_weights: Real
    trained_share: Real
    gathered_bytes: Real
    gemm_effect: Real  # logs of the ratio to the kind
    attention_effect: Real


class Coefficients(NamedTuple):
    """The constants for one machine and recipe. Rates are shares of the device's peaks."""

    gemm_share: Real  # of the peak of the linear layers' precision
    gemm_share_16_bit: Real
    gemm_launch_s: Real
    tile_width: Real
    memory_share: Real
    attention_share: Real
    attention_keys: Real  # at which half of the share is reached
    attention_backward: Real
    narrow_head_ratio: Real
    unfused_attention: (
        Real  # 1 if scores are computed for the whole square, else 0; between in part
    )
    score_bytes: Real  # moved by an attention score that stands in memory
    hidden_passes: Real
    ffn_passes: Real
    unpacked_bytes: Real  # moved to unpack one quantised weight
    layer_host_s: Real
    shard_host_ratio: Real  # under ZeRO-3
    hooked: Real  # 1 if that ratio holds without it
    expert_host_s: Real  # of each expert that the host starts by itself
    step_host_s: Real
    logit_bytes: Real
    stage_imbalance: Real
    selective_share: Real
    weight_gradient: Real  # backward products over forward ones
    trained_share: Real  # of the parameters
    scale_up_share: Real
    scale_out_share: Real
    tensor_exposed: Real
    collective_s: Real
    transfer_exposed: Real
    context_exposed: Real
    data_exposed: Real
    data_bytes: Real
    shard_bytes: Real
    shard_sum: Real
    shard_slowdown: Real
    shard_layer_s: Real  # fixed time of a layer's gathers and reductions
    expert_share: Real  # of the 16-bit peak
    odd_width_ratio: Real
    expert_tile_width: Real
    expert_exposed: Real
    expert_exposed_out: Real
    expert_dedupes: Real  # share of stacks in which a token crosses to each other domain once
    mixer_share: Real
    scale_per_doubling: Real


def effect_names(of: str, machine: Machine) -> tuple[str, str]:
    """The names of the effects of a machine's generation and of the device itself.

    What a device has over its generation comes from its power, and moves products and attention
    alike.
    """
    return f"{of}/{machine.generation}", f"gemm_share/{machine.device}"


def traits_of(*, machine: Machine, recipe: Recipe, constants: Constants) -> Traits:
    """The traits of one machine and recipe."""

    def effect(of: str) -> float:
        known = constants.effects
        generation, device = effect_names(of, machine)
        return known.get(generation, 0.0) + machine.likeness * known.get(device, 0.0)

    precision, pace = recipe.precision, _pace(recipe)
    return Traits(
        tpu=float(machine.kind == "tpu"),
        fp8=float(precision == "fp8" and not recipe.rowwise_scales),
        fp8_rowwise=float(precision == "fp8" and recipe.rowwise_scales),
        mxfp8=float(precision == "mxfp8"),
        nvfp4=float(precision == "nvfp4"),
        int8=float(precision == "int8"),
        experts_fuse=float(_experts_fuse(recipe)),
        experts_fused=float(recipe.expert_kernels == "fused"),
        xla=float(recipe.framework == "xla"),
        compiled=float(pace == "compiled"),
        eager=float(pace == "eager"),
        hooked=float(recipe.framework == "deepspeed"),
        expert_loop=float(FRAMEWORKS[recipe.framework].expert_loop),
        unfused_kernels=float(pace == "eager" and not FRAMEWORKS[recipe.framework].fused),
        unfused_adapters=float(not FRAMEWORKS[recipe.framework].fused_adapters),
        unfused_loss=float(_has_unfused_loss(recipe)),
        open_framework=recipe.open_framework,
        leaves_kernels=float(recipe.leaves_kernels and pace == "eager"),
        eager_kernels=recipe.eager_kernels,
        loss_stated=float(recipe.loss_kernel is not None),
        quantised_base=float(recipe.quantised_base),
        unpacking_ratio=recipe.unpacking_ratio,
        kernel_stated=float(recipe.attention_kernel is not None),
        kernel_unfused=float(recipe.attention_kernel == "unfused"),
        kernel_first=float(recipe.attention_kernel == "flash_1"),
        kernel_behind=_kernel_behind(machine, recipe),
        kernel_newest=float(_has_newest_kernel(machine, recipe)),
        young=float(_is_young(machine, recipe)),
        software_year=recipe.software_year,
        host_ratio=recipe.host_ratio,
        frozen_weights=float(recipe.frozen_weights),
        trained_share=recipe.trained_share,
        gathered_bytes=recipe.gathered_bytes,
        gemm_effect=effect("gemm_share"),
        attention_effect=effect("attention_share"),
    )


def _pace(recipe: Recipe) -> HostPace:
    """How the host issues kernels: as the framework does, unless it is said whether it compiles."""
    usual = FRAMEWORKS[recipe.framework].host
    if recipe.compiled is None or usual == "captured":
        return usual
    return "compiled" if recipe.compiled else "eager"


def _has_unfused_loss(recipe: Recipe) -> bool:
    """Whether softmax and loss are several kernels, each of which moves every logit."""
    if recipe.loss_kernel is not None:
        return recipe.loss_kernel == "unfused"
    return _pace(recipe) == "eager" and not FRAMEWORKS[recipe.framework].fused


def _kernel_behind(machine: Machine, recipe: Recipe) -> float:
    """Generations of devices between the attention kernel and the device, where they are known.

    Kernels of a framework that has its own for every generation are never behind.
    """
    kernel = recipe.attention_kernel
    if kernel is None:
        kernel = None if FRAMEWORKS[recipe.framework].own_kernels else "flash_2"
    if kernel is None or machine.generation not in NATIVE_KERNEL:
        return 0.0
    return float(max(NATIVE_KERNEL[machine.generation] - WRITTEN_FOR[kernel], 0))


def _has_newest_kernel(machine: Machine, recipe: Recipe) -> bool:
    """Whether attention runs, once frameworks took it up, on the kernel for the generation."""
    kernel, native = recipe.attention_kernel, NATIVE_KERNEL.get(machine.generation, 0)
    if kernel is None:
        return native > 0 and not FRAMEWORKS[recipe.framework].own_kernels
    return native > 0 and kernel != "unfused" and WRITTEN_FOR[kernel] == native


def _is_young(machine: Machine, recipe: Recipe) -> bool:
    """Whether only its maker's own frameworks have kernels for the device's generation."""
    newest = NATIVE_KERNEL.get(machine.generation, 0) == max(NATIVE_KERNEL.values())
    ported = machine.generation.startswith(PORTED_GENERATIONS)
    return (newest or ported) and not FRAMEWORKS[recipe.framework].own_kernels


def _experts_fuse(recipe: Recipe) -> bool:
    """Whether products of experts are fused once there are kernels for it."""
    scaled = recipe.precision in ("mxfp8", "nvfp4")
    return recipe.expert_kernels is None and scaled and recipe.gated_experts


def coefficients_of(*, traits: Traits, values: Mapping[str, float]) -> Coefficients:
    """The constants for these traits.

        share of peak = share of the kind * exp(effects of generation and device) * ratio of the
        format

    Effects add in logarithms, so that a constant with few measurements stays near that of its kind.
    Constants of two eras are mixed by how much of the older one remains.
    """
    v, tpu, year = values, traits.tpu > 0, traits.software_year
    old, uneven = UNFUSED_ATTENTION.remains(year), UNEVEN_STAGES.remains(year)
    gemm = where(tpu, v["gemm_share_tpu"], v["gemm_share_gpu"]) * exp(traits.gemm_effect)
    gemm = gemm * mixed(v["gemm_ratio_2022"], 1.0, remains=old)
    gemm = gemm * mixed(v["young_gemm_ratio"], 1.0, remains=traits.young)
    low = traits.fp8 + traits.fp8_rowwise + traits.mxfp8 + traits.nvfp4 + traits.int8
    fused = traits.experts_fused + traits.experts_fuse * (1.0 - QUANTISED_APART.remains(year))
    eight_bit = 2 * mixed(v["expert_ratio_fused"], v["expert_ratio_8_bit"], remains=fused)
    traits = _with_kernels_of_model(_with_kernels_of_host(traits, v, old=old))
    apart = traits.unfused_kernels
    lasting = maximum(old, apart * EAGER_ATTENTION.remains(year))
    unfused = where(traits.kernel_stated > 0, traits.kernel_unfused, lasting)
    return Coefficients(
        gemm_share=gemm * _format_ratio(traits, v),
        gemm_share_16_bit=gemm,
        gemm_launch_s=where(tpu, 0.0, v["gemm_launch_s"]),
        tile_width=v["tile_width"],
        memory_share=v["memory_share"],
        attention_share=_attention_share(traits, v),
        attention_keys=v["attention_keys"]
        * where(traits.kernel_stated > 0, 1.0, 1.0 - PORTED_ATTENTION.remains(year))
        * traits.kernel_newest,
        attention_backward=mixed(2.0, v["attention_backward"], remains=unfused),
        narrow_head_ratio=where(tpu, v["narrow_head_ratio_tpu"], 1.0),
        unfused_attention=unfused,
        score_bytes=mixed(v["score_bytes_eager"], v["score_bytes"], remains=apart),
        hidden_passes=v["hidden_passes"] * _passes(traits, v) + traits.nvfp4 * v["nvfp4_passes"],
        ffn_passes=v["ffn_passes"] * _passes(traits, v),
        unpacked_bytes=traits.quantised_base * traits.unpacking_ratio * v["unpacked_bytes"],
        layer_host_s=where(tpu, 0.0, _layer_host_s(traits, v, old=old)),
        shard_host_ratio=1.0 + traits.eager * (v["shard_host_ratio"] - 1.0),
        hooked=traits.hooked,
        expert_host_s=traits.expert_loop * v["expert_host_s"],
        step_host_s=v["step_host_s"],
        logit_bytes=mixed(v["logit_bytes_eager"], v["logit_bytes"], remains=traits.unfused_loss),
        stage_imbalance=v["stage_imbalance"] * mixed(1.0, 0.5, remains=uneven),
        selective_share=where(traits.xla > 0, v["selective_share_xla"], v["selective_share"]),
        weight_gradient=2.0 - traits.frozen_weights,
        trained_share=traits.trained_share,
        scale_up_share=v["scale_up_share"],
        scale_out_share=v["scale_out_share"],
        tensor_exposed=mixed(v["tensor_exposed_2022"], v["tensor_exposed"], remains=old),
        collective_s=v["collective_s"],
        transfer_exposed=v["transfer_exposed"],
        context_exposed=v["context_exposed"],
        data_exposed=mixed(v["data_exposed_2022"], v["data_exposed"], remains=old),
        data_bytes=4.0 + 2.0 * uneven * (1.0 - old),
        shard_bytes=v["shard_bytes"] * _sharded(traits),
        shard_sum=v["shard_sum"],
        shard_slowdown=mixed(v["shard_slowdown_2022"], 1.0, remains=old),
        shard_layer_s=where(tpu, 0.0, v["shard_layer_s"] * traits.eager),
        expert_share=gemm
        * where(low > 0, eight_bit, v["expert_ratio_16_bit"])
        * mixed(v["young_expert_ratio"], 1.0, remains=traits.young),
        odd_width_ratio=v["odd_width_ratio"],
        expert_tile_width=v["expert_tile_width"],
        expert_exposed=v["expert_exposed"],
        expert_exposed_out=v["expert_exposed_out"],
        expert_dedupes=1.0 - uneven,
        mixer_share=v["mixer_ratio"],
        scale_per_doubling=v["scale_per_doubling"],
    )


def _attention_share(traits: Traits, v: Mapping[str, float]) -> Real:
    """Share of the 16-bit peak of fused attention, by the kernel as said or that of the year."""
    share = where(traits.tpu > 0, v["attention_share_tpu"], v["attention_share_gpu"])
    year = traits.software_year
    first = FIRST_FLASH_ATTENTION.remains(year) * (1.0 - traits.tpu)
    first = where(traits.kernel_stated > 0, traits.kernel_first, first)
    share = share * mixed(v["attention_ratio_2023"], 1.0, remains=first)
    old = exp(traits.kernel_behind * log(v["attention_ratio_ported"]))
    new = mixed(v["attention_ratio_newest"], 1.0, remains=traits.kernel_newest)
    taken_up = mixed(old, new, remains=PORTED_ATTENTION.remains(year))
    ratio = where(traits.kernel_stated > 0, old * new, taken_up)
    return share * ratio * exp(traits.attention_effect)


def _passes(traits: Traits, v: Mapping[str, float]) -> Real:
    """Passes of activations through memory over those of fused kernels without adapters."""
    eager = 1.0 + traits.unfused_kernels * (v["eager_pass_ratio"] - 1.0)
    adapters = mixed(
        v["adapter_pass_ratio_eager"], v["adapter_pass_ratio"], remains=traits.unfused_adapters
    )
    return eager * (1.0 + traits.frozen_weights * (adapters - 1.0))


def _layer_host_s(traits: Traits, v: Mapping[str, float], *, old: Real) -> Real:
    """Seconds, forward, that the host needs to issue a layer's kernels."""
    captured = mixed(v["layer_host_s_2022"], v["layer_host_s"], remains=old)
    compiled, eager = v["layer_host_s_compiled"], v["layer_host_s_eager"]
    host = captured + traits.compiled * (compiled - captured) + traits.eager * (eager - captured)
    adapters = 1.0 + traits.frozen_weights * (v["adapter_host_ratio"] - 1.0)
    return host * adapters * traits.host_ratio


def _with_kernels_of_host(traits: Traits, v: Mapping[str, float], *, old: Real) -> Traits:
    """Traits of kernels where another framework may run them: the more eager, the slower the host.

    log(host time / that of captured kernels) / log(that of eager ones / that of captured ones)
    """
    captured = mixed(v["layer_host_s_2022"], v["layer_host_s"], remains=old)
    usual = captured + traits.eager * (v["layer_host_s_eager"] - captured)
    between = log(maximum(v["layer_host_s_eager"] / captured, LEAST_EAGER_RATIO))
    share = log(usual * traits.host_ratio / captured) / between
    eager = minimum(1.0, maximum(0.0, share))
    may = traits.open_framework
    return traits._replace(
        unfused_kernels=mixed(eager, traits.unfused_kernels, remains=may),
        unfused_adapters=mixed(eager, traits.unfused_adapters, remains=may),
        unfused_loss=mixed(eager, traits.unfused_loss, remains=may * (1.0 - traits.loss_stated)),
    )


def _with_kernels_of_model(traits: Traits) -> Traits:
    """Traits of kernels where the framework leaves them to a model that nobody described."""
    eager, left = traits.eager_kernels, traits.leaves_kernels
    return traits._replace(
        unfused_kernels=mixed(eager, traits.unfused_kernels, remains=left),
        unfused_loss=mixed(eager, traits.unfused_loss, remains=left * (1.0 - traits.loss_stated)),
    )


def _sharded(traits: Traits) -> Real:
    """Bytes that ZeRO-3 moves for a parameter over those of training every 16-bit weight.

        4/7 * gathered bytes / 2 + 3/7 * trained share

    Weights are gathered twice, in their own format. Gradients are reduced where there are any.
    """
    gathered = GATHERED_SHARE * traits.gathered_bytes / 2.0
    return gathered + (1.0 - GATHERED_SHARE) * traits.trained_share


def _format_ratio(traits: Traits, v: Mapping[str, float]) -> Real:
    """Share of a low precision's own peak over that of 16 bits on the same device."""
    return (
        1.0
        + traits.fp8_rowwise * (v["fp8_rowwise_ratio"] - 1)
        + traits.nvfp4 * (v["nvfp4_ratio"] - 1)
        + traits.int8 * (v["int8_ratio"] - 1)
    )
