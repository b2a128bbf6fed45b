"""The inputs of a step's time: figures of devices, links and software, and structure."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from service.core.cluster.hardware import Hardware
from service.core.figures.constants import Constants
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import (
    AttentionKernel,
    Framework,
    LossKernel,
    TrainingPrecision,
)
from service.core.request.work import Tuning
from service.core.training.formats import (
    LOSS_BYTES,
    LOSS_OF_FRAMEWORK,
    OPTIMIZER_BYTES,
    STACK_BYTES,
    STACK_OF_FRAMEWORK,
    STACK_OF_NAME,
    MemoryRecipe,
    MemoryStack,
    StackBytes,
)
from service.core.training.frameworks import (
    FRAMEWORK_OF_STACK,
    FRAMEWORKS,
    WRAPPERS,
    has_unfused_kernels,
)
from service.core.training.step_spec import StepSpec
from service.core.training.steptime import Machine, Recipe
from service.core.training.steptime.eras import EAGER_ATTENTION, UNFUSED_ATTENTION

RECIPE_OF_PEAK: Final[dict[str, TrainingPrecision]] = {
    "fp32": "fp32",
    "tf32": "fp32",
    "bf16": "bf16",
    "fp16": "fp16",
    "fp8": "fp8",
    "mxfp8": "mxfp8",
    "fp4": "nvfp4",
    "nvfp4": "nvfp4",
    "int8": "int8",
}
"""The recipe of a step by the precision of the peak that it uses, which may be a stand-in."""
SIXTEEN_BIT_BYTES: Final = 2.0
DEVICES_WITHOUT_TUNING: Final = 64.0
"""Up to which any framework is as likely. Judged: who holds more has tuned the software."""
MEASURED_BASE: Final = "nf4"
"""The format of quantised bases that the engine's constants were fitted to."""
ADAPTER_WEIGHT_BYTES: Final = SIXTEEN_BIT_BYTES
"""Bytes of an adapter's weight: 16 bits, whatever the size of the model's weights."""


class StepInputs(Struct, frozen=True, kw_only=True):
    """What the engine computes a step from: figures, which are drawn, and structure."""

    figures: Mapping[str, Term]
    machine: Machine
    recipe: Recipe
    memory_recipe: MemoryRecipe
    fused_memory_recipe: MemoryRecipe | None
    constants: Constants


def step_inputs(spec: StepSpec, hardware: Hardware, *, devices: float) -> StepInputs:
    """The figures that a step is timed by on this hardware, with the software that is asked for."""
    framework = framework_of(spec, hardware, devices=devices)
    is_open = _open_framework(spec, framework, devices=devices)
    year = spec.work.assumed("software_year", unit="year", default="engine.software_year")
    memory = _memory_recipe(spec, framework, year.central)
    return StepInputs(
        figures={
            "peak_flop_per_s": hardware.peak_flop_per_s,
            "bf16_peak_flop_per_s": hardware.bf16_peak_flop_per_s,
            "memory_bandwidth_byte_per_s": hardware.memory_bandwidth_byte_per_s,
            "scale_up_byte_per_s": hardware.scale_up_byte_per_s,
            "scale_out_byte_per_s": hardware.scale_out_byte_per_s,
            "software_year": year,
            "host_ratio": spec.work.assume(_host_ratio_of(spec, framework), member="framework"),
            **_unpacking(spec),
            **_kernels_left(spec),
        },
        machine=machine_of(hardware),
        recipe=_recipe(hardware, spec, framework)._replace(open_framework=is_open),
        memory_recipe=memory,
        fused_memory_recipe=_with_fused_kernels(memory, spec),
        constants=spec.at.argument.catalog.engine.constants,
    )


def machine_of(hardware: Hardware) -> Machine:
    """The device and its links with central values, and the names that constants are found by.

    Quotes are timed on it, and the engine's constants are fitted on it.
    """
    return Machine(
        peak_flop_per_s=hardware.peak_flop_per_s.central,
        bf16_peak_flop_per_s=hardware.bf16_peak_flop_per_s.central,
        memory_bandwidth_byte_per_s=hardware.memory_bandwidth_byte_per_s.central,
        scale_up_byte_per_s=hardware.scale_up_byte_per_s.central,
        scale_up_domain=hardware.scale_up_domain,
        scale_out_byte_per_s=hardware.scale_out_byte_per_s.central,
        kind=hardware.device.kind,
        generation=hardware.device.generation,
        device=hardware.device.timed_as,
        likeness=hardware.device.timed_alike,
    )


def framework_of(spec: StepSpec, hardware: Hardware, *, devices: float) -> Framework:
    """The kind of framework that trains: the one that is said, or what is usual for the work.

    Fine-tuning runs on the Trainer of Hugging Face, unless more devices than sequences of a batch,
    or a layout that is said, need a framework that cuts models.
    """
    said = spec.work.said
    if said.framework is not UNSET:
        return FRAMEWORK_OF_STACK[said.framework]
    if hardware.device.kind == "tpu":
        return "xla"
    sequences = spec.global_batch_tokens.value / spec.sequence_length.value
    small = isinstance(said, Tuning) and devices <= max(1.0, sequences)
    return "hf_eager" if small and not spec.cuts_model else "megatron"


def _open_framework(spec: StepSpec, framework: Framework, *, devices: float) -> float:
    """How far another framework may train than the one that is taken: the less, the more devices.

    min(1, 64 / devices)
    """
    if spec.work.said.framework is not UNSET or framework == "xla":
        return 0.0
    return min(1.0, DEVICES_WITHOUT_TUNING / devices)


def _host_ratio_of(spec: StepSpec, framework: Framework) -> str:
    """The spread of the time of the host: of one framework that is said, or of all.

    Around an eager framework others are faster, around one that captures kernels slower.
    """
    if spec.work.said.framework is not UNSET:
        return "engine.host_ratio.stated"
    eager = FRAMEWORKS[framework].host == "eager"
    return f"engine.host_ratio.{'finetuning' if eager else 'training'}"


def _unpacking(spec: StepSpec) -> dict[str, Term]:
    """How much longer unpacking takes than of the format that steps were measured of."""
    base = spec.trainable.base_format
    if base is None or base == MEASURED_BASE:
        return {}
    return {"unpacking_ratio": spec.at.assume(f"engine.unpacking_ratio.{base}")}


def _leaves_kernels(spec: StepSpec) -> bool:
    """Whether the framework takes any model, and steps of its kind were measured of fused ones.

    Those of DeepSpeed were measured of models of Transformers, as most that it trains are. Whoever
    says the attention kernel has looked: the others are then those of measured steps.
    """
    said = spec.work.said
    if said.compile is True or said.attention_kernel or said.framework not in WRAPPERS:
        return False
    return not has_unfused_kernels(FRAMEWORK_OF_STACK[said.framework])


def _kernels_left(spec: StepSpec) -> dict[str, Term]:
    """How far the kernels are op by op that a framework leaves to the code of the model."""
    if not _leaves_kernels(spec):
        return {}
    return {"eager_kernels": spec.work.assume("engine.eager_kernels", member="framework")}


def _recipe(hardware: Hardware, spec: StepSpec, framework: Framework) -> Recipe:
    """The recipe of the step, on the framework that is said or usual for the device."""
    said = spec.work.said
    return Recipe(
        precision=RECIPE_OF_PEAK[hardware.precision],
        framework=framework,
        leaves_kernels=_leaves_kernels(spec),
        gated_experts=spec.model.architecture.ffn_matrices > 2,
        expert_kernels=spec.expert_kernels,
        frozen_weights=spec.trainable.adapters,
        trained_share=spec.trainable.params_share if spec.trainable.adapters else 1.0,
        gathered_bytes=spec.trainable.weight_bytes or SIXTEEN_BIT_BYTES,
        quantised_base=bool(spec.trainable.weight_bytes),
        compiled=None if said.compile is UNSET else said.compile,
        attention_kernel=said.attention_kernel or None,
        loss_kernel=_loss_kernel(spec) or None,
    )


def _memory_recipe(spec: StepSpec, framework: Framework, year: float) -> MemoryRecipe:
    """What memory depends on besides the layout, on the framework that is said or usual."""
    trainable, said = spec.trainable, spec.work.said
    optimizer = OPTIMIZER_BYTES[said.optimizer]
    if trainable.adapters:
        optimizer = optimizer._replace(master=optimizer.master + ADAPTER_WEIGHT_BYTES)
    return MemoryRecipe(
        precision=spec.precision.value,
        optimizer=optimizer,
        stack=_memory_stack(spec, framework),
        trained_share=trainable.params_share,
        adapters=trainable.adapters,
        weight_bytes=trainable.weight_bytes,
        frozen_models=trainable.frozen_models,
        fused_experts=spec.expert_kernels == "fused",
        unfused_attention=_unfused_attention(said, framework, year),
    )


def _with_fused_kernels(recipe: MemoryRecipe, spec: StepSpec) -> MemoryRecipe | None:
    """The same with every kernel fused that the framework leaves to the model, if it leaves any."""
    said = spec.work.said
    if said.framework not in WRAPPERS:
        return None
    fused = recipe._replace(stack=recipe.stack._replace(eager_copies=0.0))
    if said.loss_kernel is UNSET:
        fused = fused._replace(stack=fused.stack._replace(**LOSS_BYTES["fused"]._asdict()))
    return fused if said.attention_kernel else fused._replace(unfused_attention=0.0)


def _unfused_attention(said: Any, framework: Framework, year: float) -> float:
    """The share of attention scores that stand in memory: as is said, or usual in the year."""
    kernel: AttentionKernel | UnsetType = said.attention_kernel
    if kernel is not UNSET:
        return float(kernel == "unfused")
    eager = said.framework is not UNSET and has_unfused_kernels(framework)
    return float((EAGER_ATTENTION if eager else UNFUSED_ATTENTION).remains(year))


def _loss_kernel(spec: StepSpec) -> LossKernel | UnsetType:
    """The kernel of the loss that is said, or that the named stack has."""
    said = spec.work.said
    if said.loss_kernel is UNSET and said.framework is not UNSET:
        return LOSS_OF_FRAMEWORK.get(said.framework, UNSET)
    return said.loss_kernel


def _memory_stack(spec: StepSpec, framework: Framework) -> StackBytes:
    """What the framework keeps. Fine-tuning by a framework that is not said runs on PyTorch."""
    said = spec.work.said
    name: MemoryStack = STACK_OF_FRAMEWORK[framework]
    if said.framework is not UNSET:
        name = STACK_OF_NAME.get(said.framework, name)
    elif name != "xla" and isinstance(said, Tuning):
        name = "pytorch"
    kernel, stack = _loss_kernel(spec), STACK_BYTES[name]
    return stack if kernel is UNSET else stack._replace(**LOSS_BYTES[kernel]._asdict())
