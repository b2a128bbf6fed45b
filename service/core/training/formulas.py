"""Formulas of a training step: from its time to MFU, throughput and device-hours, and back.

MFU counts model FLOP with causal attention over the dense peak of all devices held.
"""

from typing import Final

from service.core.figures.arrays import Real, ceil, maximum, where
from service.core.figures.constants import Constants
from service.core.figures.formulas import formula
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.model.architecture import Architecture
from service.core.model.flop import forward_flop_per_token_causal
from service.core.training.parallelism import (
    RECOMPUTE_FULL,
    RECOMPUTE_SELECTIVE,
    Layout,
    whole_batch,
)
from service.core.training.steptime import Machine, Recipe, StepParts, step_parts

ROUNDING: Final = 1e-9
"""Relative error that divisions of tokens may have. It must not become a step of its own."""


@formula("whole_batch_tokens", unit="token")
def whole_batch_tokens(*, global_batch_tokens: float, sequence_length: float) -> float:
    """Tokens of a step in whole sequences.

        sequences * sequence_length

    `sequences` is global_batch_tokens / sequence_length. If that is not a whole number, it is
    rounded to the multiple of the largest power of two that moves it by at most 5%.

    Source: the rounding is chosen here: data parallelism divides a batch into whole sequences.
    """
    sequences = whole_batch(
        global_batch_tokens=global_batch_tokens, sequence_length=sequence_length
    )
    return sequences * sequence_length


@formula("step_parts", parts=dict.fromkeys(StepParts._fields, "second"))
def timed_parts(
    *,
    peak_flop_per_s: Real,
    bf16_peak_flop_per_s: Real,
    memory_bandwidth_byte_per_s: Real,
    scale_up_byte_per_s: Real,
    scale_out_byte_per_s: Real,
    software_year: Real,
    host_ratio: Real,
    unpacking_ratio: Real = 1.0,
    eager_kernels: Real = 0.0,
    architecture: Architecture,
    layout: Layout,
    sequence_length: float,
    global_batch: float,
    machine: Machine,
    recipe: Recipe,
    constants: Constants,
) -> StepParts:
    """Seconds of one step by part, from the figures of devices, links and software.

        (m * longest stage + bubble + replicas + optimizer + host) * stragglers

    m is the number of micro-batches. Only the time that is not hidden by other work counts, so
    that the parts add up to the step. Each has its formula in
    service/core/training/steptime/parts.py.

    Source: this service's own model; its constants are fitted to measured steps
    (service/data/engine/report.md).
    """
    return step_parts(
        architecture=architecture,
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        machine=machine._replace(
            peak_flop_per_s=peak_flop_per_s,
            bf16_peak_flop_per_s=bf16_peak_flop_per_s,
            memory_bandwidth_byte_per_s=memory_bandwidth_byte_per_s,
            scale_up_byte_per_s=scale_up_byte_per_s,
            scale_out_byte_per_s=scale_out_byte_per_s,
        ),
        recipe=recipe._replace(
            software_year=software_year,
            host_ratio=host_ratio,
            unpacking_ratio=unpacking_ratio,
            eager_kernels=eager_kernels,
        ),
        constants=constants,
    )


@formula("step_seconds_of_parts", unit="second")
def sum_of_parts_s(**parts: Real) -> Real:
    """Seconds of a step: the sum of its parts, each without the time that other work hides.

        gemm + attention + ... + stragglers

    Source: definition; the parts are those of `step_parts`.
    """
    return sum(parts.values(), start=0.0)


@formula("step_seconds_with_error", unit="second")
def scaled_s(
    *,
    predicted_s: Real,
    measured_over_predicted: Real,
    unsaid_framework: Real = 1.0,
    unmeasured_device: Real = 1.0,
    unmeasured_model: Real = 1.0,
    flop_ratio: Real = 1.0,
) -> Real:
    """Seconds of a step, corrected by the error of the engine on measured steps.

        unknowns = unsaid_framework * unmeasured_device * unmeasured_model
        predicted_s * measured_over_predicted * unknowns * flop_ratio

    `unsaid_framework` is the time on the frameworks of published runs over that on the usual one,
    and `unmeasured_device` what a device adds on which no step was measured. `unmeasured_model` is
    the error beside it for a kind of model that no measured step is of. `flop_ratio` is the FLOP of
    a method of tuning over those of the step that the engine times.

    Source: the ratios are read off measured steps (service/data/engine/report.md) and published
    runs (docs/accuracy-runs.md).
    """
    unknowns = unsaid_framework * unmeasured_device * unmeasured_model
    return predicted_s * measured_over_predicted * unknowns * flop_ratio


@formula("step_seconds_anchored", unit="second")
def anchored_s(
    *,
    predicted_s: Real,
    anchor_predicted_s: Real,
    anchor_tokens_per_step: Real,
    anchor_tokens_per_s_per_device: Real,
    anchor_devices: Real,
    measured_over_predicted: Real,
    flop_ratio: Real = 1.0,
    anchor_flop_ratio: Real = 1.0,
) -> Real:
    """Seconds of a step, corrected by the error of the engine at a measured speed (the anchor).

        measured_s = anchor_tokens_per_step / (anchor_tokens_per_s_per_device * anchor_devices)
        expected_s = anchor_predicted_s * anchor_flop_ratio
        predicted_s * flop_ratio * measured_s / expected_s * measured_over_predicted

    The ratios are the FLOP of a method of tuning over those of the step that the engine times, for
    this step and for the anchor's.

    Source: this service's own. The engine is taken to err here as it errs at the anchor.
    """
    measured_s = anchor_tokens_per_step / (anchor_tokens_per_s_per_device * anchor_devices)
    expected_s = anchor_predicted_s * anchor_flop_ratio
    return predicted_s * flop_ratio * measured_s / expected_s * measured_over_predicted


@formula("step_seconds_at_mfu", unit="second")
def seconds_at_mfu(
    *, flop_per_token: Real, tokens_per_step: Real, devices: Real, peak_flop_per_s: Real, mfu: Real
) -> Real:
    """Seconds of a step at a stated utilisation.

        flop_per_token * tokens_per_step / (devices * peak_flop_per_s * mfu)

    Source: MFU as defined in PaLM (arXiv 2204.02311, appendix B).
    """
    return flop_per_token * tokens_per_step / (devices * peak_flop_per_s * mfu)


@formula("mfu", unit="share")
def mfu_of_step(
    *,
    flop_per_token: Real,
    tokens_per_step: Real,
    devices: Real,
    peak_flop_per_s: Real,
    seconds: Real,
) -> Real:
    """Model FLOP with causal attention, as a share of the dense peak of all devices held.

        flop_per_token * tokens_per_step / (devices * peak_flop_per_s * seconds)

    Source: PaLM (arXiv 2204.02311, appendix B).
    """
    return flop_per_token * tokens_per_step / (devices * peak_flop_per_s * seconds)


@formula("mfu_at_speed", unit="share")
def mfu_at_speed(
    *, flop_per_token: Real, tokens_per_s_per_device: Real, peak_flop_per_s: Real
) -> Real:
    """The utilisation that a speed makes: model FLOP as a share of a device's dense peak.

        flop_per_token * tokens_per_s_per_device / peak_flop_per_s

    Source: PaLM (arXiv 2204.02311, appendix B).
    """
    return flop_per_token * tokens_per_s_per_device / peak_flop_per_s


@formula("hfu", unit="share")
def hfu_of_mfu(*, mfu: Real, executed_over_model_flop: Real) -> Real:
    """MFU with the FLOP that are computed again for the backward pass.

        mfu * executed_over_model_flop

    Source: HFU as defined in PaLM (arXiv 2204.02311, appendix B).
    """
    return mfu * executed_over_model_flop


@formula("executed_over_model_flop", unit="ratio")
def executed_over_model_flop(
    *, architecture: Architecture, layout: Layout, sequence_length: Real
) -> Real:
    """FLOP that a step executes over those of the model, with recomputation.

        1 + recompute_share * again / (3 * forward), where `again` is
        full         all layers forward once more, without the logits
        selective    the attention core once more

    Source: Korthikanti et al. 2022 (arXiv 2205.05198, section 4).
    """
    forward = forward_flop_per_token_causal(
        architecture=architecture, sequence_length=sequence_length
    )
    again = where(
        layout.recompute >= RECOMPUTE_FULL,
        forward.total - forward.logits,
        where(layout.recompute >= RECOMPUTE_SELECTIVE, forward.attention_core, 0.0),
    )
    return 1.0 + layout.recompute_share * again / (3.0 * forward.total)


@formula("tokens_per_s_per_device", unit="token/s")
def tokens_per_s_per_device(*, tokens_per_step: Real, seconds: Real, devices: Real) -> Real:
    """Throughput of a device.

        tokens_per_step / (seconds * devices)

    Source: definition.
    """
    return tokens_per_step / (seconds * devices)


@formula("steps", unit="count")
def steps_of(*, tokens: Real, tokens_per_step: Real) -> Real:
    """Optimizer steps that tokens take: whole steps, and at least one.

        max(1, ceil(tokens / tokens_per_step))

    A last step that is not full takes as long as a full one: its batch is padded, or its devices
    wait. Less than a billionth of a step is what floating point leaves over, and is no step.

    Source: definition.
    """
    return maximum(1.0, ceil(tokens / tokens_per_step * (1.0 - ROUNDING)))


@formula("device_hours_of_steps", unit="device_hour")
def device_hours_of_steps(
    *, steps: Real, seconds: Real, devices: Real, goodput: Real = 1.0
) -> Real:
    """Device-hours of a run of steps, including the time that failures take back.

        steps * seconds * devices / goodput / 3600

    Source: definition.
    """
    return steps * seconds * devices / goodput / SECONDS_PER_HOUR
