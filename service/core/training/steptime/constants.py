"""The constants of the step-time engine, and their values for one machine and recipe.

Each constant has a meaning, a physical range, a prior and a fitted value, which stand in the data
files. A device that was never measured takes the effects of its generation. A generation that was
never measured has no effects, and takes the constants of its kind.
"""

from collections.abc import Mapping
from typing import NamedTuple

from service.core.figures.arrays import Real, exp, where
from service.core.figures.constants import Constants
from service.core.training.steptime.machine import Machine, Recipe

# Years of software in which kernels and frameworks changed in kind. They are not fitted.
FLASH_ATTENTION = 2023.0
"""Before this year, attention scores stood in memory, and collectives were not overlapped.

Source: FlashAttention (arXiv 2205.14135, 2022-05); that training stacks had it half a year later
is judged.
"""
FLASH_ATTENTION_2 = 2024.0
"""Before this year, stacks had the first flash kernels.

Source: FlashAttention-2 (arXiv 2307.08691, 2023-07); half a year until stacks had it is judged.
"""
BALANCED_STAGES = 2025.0
"""From this year on, pipeline stages are balanced around embedding and logits. Judged."""
GROUPED_QUANTISED = 2026.4
"""From this year on, one kernel quantises, multiplies and activates grouped products. Judged."""
NEVER_FUSED = 9999.0
"""A year after all software."""


GATHERED_SHARE = 4.0 / 7.0
"""Of the bytes that ZeRO-3 moves for a trained parameter, those of the two gathers of its weight.

The prior of `shard_bytes` counts two gathers of 2 bytes, and 3 bytes of gradient.
"""


class Traits(NamedTuple):
    """Traits that constants depend on, as numbers: 1 for yes and 0 for no, or one per row."""

    tpu: Real
    fp8: Real
    fp8_rowwise: Real
    mxfp8: Real
    nvfp4: Real
    int8: Real
    fused_experts_from: Real  # the year of software from which grouped products are fused
    xla: Real
    software_year: Real
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
    attention_backward: Real
    narrow_head_ratio: Real
    unfused_attention: Real  # 1 if scores are computed for the whole square, else 0
    hidden_passes: Real
    ffn_passes: Real
    layer_host_s: Real
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
    expert_share: Real  # of the 16-bit peak
    odd_width_ratio: Real
    expert_tile_width: Real
    expert_exposed: Real
    expert_exposed_out: Real
    expert_dedupes: Real  # 1 if a token crosses to each other domain once
    mixer_share: Real
    scale_per_doubling: Real


def effect_names(of: str, machine: Machine) -> tuple[str, str]:
    """The names of the effects of a machine's generation and of the device itself."""
    return f"{of}/{machine.generation}", f"{of}/{machine.device}"


def traits_of(*, machine: Machine, recipe: Recipe, constants: Constants) -> Traits:
    """The traits of one machine and recipe."""

    def effect(of: str) -> float:
        return sum(constants.effects.get(name, 0.0) for name in effect_names(of, machine))

    precision = recipe.precision
    return Traits(
        tpu=float(machine.kind == "tpu"),
        fp8=float(precision == "fp8" and not recipe.rowwise_scales),
        fp8_rowwise=float(precision == "fp8" and recipe.rowwise_scales),
        mxfp8=float(precision == "mxfp8"),
        nvfp4=float(precision == "nvfp4"),
        int8=float(precision == "int8"),
        fused_experts_from=_fused_experts_from(recipe),
        xla=float(recipe.stack == "xla"),
        software_year=recipe.software_year,
        frozen_weights=float(recipe.frozen_weights),
        trained_share=recipe.trained_share,
        gathered_bytes=recipe.gathered_bytes,
        gemm_effect=effect("gemm_share"),
        attention_effect=effect("attention_share"),
    )


def _fused_experts_from(recipe: Recipe) -> float:
    """The year from which products of experts are fused, unless the recipe says how they run."""
    if recipe.expert_kernels is not None:
        return 0.0 if recipe.expert_kernels == "fused" else NEVER_FUSED
    scaled = recipe.precision in ("mxfp8", "nvfp4")
    return GROUPED_QUANTISED if scaled and recipe.gated_experts else NEVER_FUSED


def coefficients_of(*, traits: Traits, values: Mapping[str, float]) -> Coefficients:
    """The constants for these traits.

        share of peak = share of the kind * exp(effects of generation and device) * ratio of the
        format

    Effects add in logarithms, so that a constant with few measurements stays near that of its kind.
    """
    v, tpu, year = values, traits.tpu > 0, traits.software_year
    old = year < FLASH_ATTENTION
    gemm = where(tpu, v["gemm_share_tpu"], v["gemm_share_gpu"]) * exp(traits.gemm_effect)
    gemm = gemm * where(old, v["gemm_ratio_2022"], 1.0)
    attention = where(tpu, v["attention_share_tpu"], v["attention_share_gpu"])
    first_kernels = (year < FLASH_ATTENTION_2) & (traits.tpu == 0)
    attention = attention * where(first_kernels, v["attention_ratio_2023"], 1.0)
    low = traits.fp8 + traits.fp8_rowwise + traits.mxfp8 + traits.nvfp4 + traits.int8
    fused = year >= traits.fused_experts_from
    eight_bit = 2 * where(fused, v["expert_ratio_fused"], v["expert_ratio_8_bit"])
    return Coefficients(
        gemm_share=gemm * _format_ratio(traits, v),
        gemm_share_16_bit=gemm,
        gemm_launch_s=where(tpu, 0.0, v["gemm_launch_s"]),
        tile_width=v["tile_width"],
        memory_share=v["memory_share"],
        attention_share=attention * exp(traits.attention_effect),
        attention_backward=where(old, 2.0, v["attention_backward"]),
        narrow_head_ratio=where(tpu, v["narrow_head_ratio_tpu"], 1.0),
        unfused_attention=where(old, 1.0, 0.0),
        hidden_passes=v["hidden_passes"],
        ffn_passes=v["ffn_passes"],
        layer_host_s=where(tpu, 0.0, where(old, v["layer_host_s_2022"], v["layer_host_s"])),
        step_host_s=v["step_host_s"],
        logit_bytes=v["logit_bytes"],
        stage_imbalance=v["stage_imbalance"] * where(year >= BALANCED_STAGES, 0.5, 1.0),
        selective_share=where(traits.xla > 0, v["selective_share_xla"], v["selective_share"]),
        weight_gradient=2.0 - traits.frozen_weights,
        trained_share=traits.trained_share,
        scale_up_share=v["scale_up_share"],
        scale_out_share=v["scale_out_share"],
        tensor_exposed=where(old, v["tensor_exposed_2022"], v["tensor_exposed"]),
        collective_s=v["collective_s"],
        transfer_exposed=v["transfer_exposed"],
        context_exposed=v["context_exposed"],
        data_exposed=where(old, v["data_exposed_2022"], v["data_exposed"]),
        data_bytes=where(old | (year >= BALANCED_STAGES), 4.0, 6.0),
        shard_bytes=v["shard_bytes"] * _sharded(traits),
        shard_sum=v["shard_sum"],
        shard_slowdown=where(old, v["shard_slowdown_2022"], 1.0),
        expert_share=gemm * where(low > 0, eight_bit, v["expert_ratio_16_bit"]),
        odd_width_ratio=v["odd_width_ratio"],
        expert_tile_width=v["expert_tile_width"],
        expert_exposed=v["expert_exposed"],
        expert_exposed_out=v["expert_exposed_out"],
        expert_dedupes=where(year >= BALANCED_STAGES, 1.0, 0.0),
        mixer_share=v["mixer_ratio"],
        scale_per_doubling=v["scale_per_doubling"],
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
