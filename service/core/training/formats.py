"""Bytes per parameter and per activation that precisions, optimizers and software stacks keep."""

from typing import Final, Literal, NamedTuple

from service.core.figures.vocabulary import (
    Framework,
    FrameworkName,
    LossKernel,
    OptimizerName,
    TrainingPrecision,
)


class FormatBytes(NamedTuple):
    """Bytes per element that a precision recipe keeps."""

    weight: float
    activation: float
    matmul_input: float  # input that a matrix product keeps for the backward pass


# 8-bit recipes keep either a 16-bit weight or an 8-bit one and its transpose: 2 bytes both ways.
# int8 training on TPUs quantises on the fly and keeps 16 bits. 8-bit recipes keep the quantised
# copy of a product's input. Source: NVIDIA Transformer Engine's and AQT's documentation.
FORMAT_BYTES: dict[TrainingPrecision, FormatBytes] = {
    "fp32": FormatBytes(weight=4.0, activation=4.0, matmul_input=4.0),
    "bf16": FormatBytes(weight=2.0, activation=2.0, matmul_input=2.0),
    "fp16": FormatBytes(weight=2.0, activation=2.0, matmul_input=2.0),
    "fp8": FormatBytes(weight=2.0, activation=2.0, matmul_input=1.0),
    "mxfp8": FormatBytes(weight=2.0, activation=2.0, matmul_input=1.03),
    "nvfp4": FormatBytes(weight=2.0, activation=2.0, matmul_input=0.57),
    "int8": FormatBytes(weight=2.0, activation=2.0, matmul_input=2.0),
}


class OptimizerBytes(NamedTuple):
    """Bytes per parameter that the optimizer keeps besides weight and gradient."""

    master: float = 4.0  # none where the weight itself is fp32
    states: float = 8.0
    pure: bool = False  # weights and gradients too are 16-bit, and there is no copy in fp32


# Source: ZeRO (arXiv 1910.02054, section 3.1) for Adam in mixed precision; bf16 states as in
# DeepSeek-V3 (arXiv 2412.19437, section 3.3.3); 8-bit states in arXiv 2110.02861; Adafactor keeps
# row and column means only (arXiv 1804.04235); Muon one momentum.
OPTIMIZER_BYTES: dict[OptimizerName, OptimizerBytes] = {
    "adamw": OptimizerBytes(),
    "adamw_bf16_states": OptimizerBytes(states=4.0),
    "adamw_pure_bf16": OptimizerBytes(master=0.0, states=4.0, pure=True),
    "adamw_8bit": OptimizerBytes(states=2.0),
    "adafactor": OptimizerBytes(states=0.1),
    "muon": OptimizerBytes(states=4.0),
    "sgd_momentum": OptimizerBytes(states=4.0),
}


class StackBytes(NamedTuple):
    """Properties of the software stack that memory depends on."""

    gradient: float = 4.0  # bytes per accumulated gradient
    logit: float = (
        6.0  # bytes per logit: the 16-bit product, and fp32 softmax and gradient in place
    )
    logit_blocks: float = 0.0  # further bytes per logit that the allocator keeps while it can
    gathered_layers: float = 2.0  # that ZeRO-3 holds whole: the one at work, one prefetched
    casts_weights: bool = False  # sharded weights are kept once, in fp32, and cast where used
    casts_frozen: bool = False  # frozen ones too
    flash_attention: bool = True  # otherwise the scores of every head are stored
    standing_gradients: bool = True  # their buffers stand from step to step
    step_copies: float = 0.0  # of all trained parameters, which the optimizer makes at work
    eager_copies: float = 0.0  # 1: norms and gates keep the intermediate results of eager kernels
    layer_at_work: float = 1.0  # over its activations: 2 with the gradients of all of them
    dispatch_copies: float = 0.0  # of the tokens sent to experts, in the layer at work
    block_share: float = 0.0  # of what only the less full phase needs, that the allocator keeps
    loss_apart: bool = False  # logits are gone when the first layer runs backward
    adapter_gradients: float = 0.0  # inputs' gradients kept under ZeRO-3 until the step, per layer
    fragmentation: float = 0.0  # share of what comes and goes that no block fits
    sharded_fragmentation: float = 0.0  # the same on top under ZeRO-3
    context: float = 0.8e9  # bytes of kernels, libraries' workspaces and the device's context
    collective: float = 1.2e9  # bytes of communicators, where there is more than one device
    error: float = 0.08  # of the bytes that must be there; two in three peaks are nearer


MemoryStack = Literal[
    "megatron_core",
    "megatron_bridge",
    "xla",
    "megatron_2021",
    "pytorch",
    "torch_compile",
    "prime_rl",
    "fsdp_eager",
    "hf_eager",
    "hf_fused",
    "deepspeed",
]

_PYTORCH: Final = StackBytes(
    logit=14.0,
    logit_blocks=2.0,
    standing_gradients=False,
    step_copies=1.0,
    layer_at_work=2.0,
    block_share=0.9,
    loss_apart=True,
    fragmentation=0.06,
    sharded_fragmentation=0.10,
    error=0.13,
)
"""What PyTorch does by itself: its allocator, its optimizer, its loss."""
_COMPILED: Final = _PYTORCH._replace(casts_weights=True, dispatch_copies=7.0)
_HUGGING_FACE: Final = _PYTORCH._replace(casts_weights=True, adapter_gradients=1.0)

# Megatron-Core and PyTorch's FSDP accumulate gradients in fp32 and have an unfused loss. The
# performance recipes of Megatron-Bridge and XLA reduce gradients in bf16 and fuse the loss. XLA and
# DeepSpeed's first ZeRO-3 gather one matrix at a time: about half a layer. Stacks before flash
# attention (2022) kept 5 bytes per score and head.
# Source: Megatron-Bridge's documentation; Korthikanti et al. 2022 (arXiv 2205.05198).
STACK_BYTES: dict[MemoryStack, StackBytes] = {
    "megatron_core": StackBytes(),
    "megatron_bridge": StackBytes(gradient=2.0, logit=4.0),
    "xla": StackBytes(
        gradient=2.0,
        logit=2.0,
        gathered_layers=0.5,
        casts_weights=True,
        context=0.3e9,
        collective=0.0,
    ),
    "megatron_2021": StackBytes(gathered_layers=0.5, flash_attention=False),
    "pytorch": _PYTORCH._replace(
        logit=11.0, logit_blocks=5.0, eager_copies=0.5, step_copies=0.5, casts_weights=True
    ),
    "torch_compile": _COMPILED,
    "prime_rl": _COMPILED._replace(casts_frozen=True),
    "fsdp_eager": _PYTORCH._replace(eager_copies=1.0),
    "hf_eager": _HUGGING_FACE._replace(eager_copies=1.0),
    "hf_fused": _HUGGING_FACE._replace(logit=8.0, logit_blocks=8.0),
    "deepspeed": _PYTORCH._replace(eager_copies=1.0, standing_gradients=True),
}


STACK_OF_FRAMEWORK: Final[dict[Framework, MemoryStack]] = {
    "megatron": "megatron_core",
    "xla": "xla",
    "torch_compile": "torch_compile",
    "fsdp_eager": "fsdp_eager",
    "hf_eager": "hf_eager",
    "hf_fused": "hf_fused",
    "deepspeed": "deepspeed",
}


class LossBytes(NamedTuple):
    """What a loss keeps per logit, in place of its stack's."""

    logit: float
    logit_blocks: float


# PyTorch's loss keeps the 16-bit product, a copy in fp32, its softmax and both gradients. A fused
# one works in place. A chunked one never makes more than a slice of the logits.
LOSS_BYTES: dict[LossKernel, LossBytes] = {
    "unfused": LossBytes(logit=14.0, logit_blocks=2.0),
    "fused": LossBytes(logit=8.0, logit_blocks=8.0),
    "chunked": LossBytes(logit=0.25, logit_blocks=0.0),
}
STACK_OF_NAME: Final[dict[FrameworkName, MemoryStack]] = {"prime_rl": "prime_rl"}
"""Named stacks that keep other copies than their kind."""
LOSS_OF_FRAMEWORK: Final[dict[FrameworkName, LossKernel]] = {
    "liger": "chunked",
    "torchtune": "chunked",
}
"""Stacks whose loss is another than that of their kind."""
SCORE_BYTES = 5.0  # softmax output, its dropout mask and dropped-out copy, per score


class MemoryRecipe(NamedTuple):
    """What memory depends on besides the layout: formats, optimizer, stack, what is trained."""

    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerBytes = OPTIMIZER_BYTES["adamw"]
    stack: StackBytes = STACK_BYTES["megatron_core"]
    trained_share: float = 1.0  # of the parameters; only these have gradients and states
    adapters: bool = False  # the trained parameters stand beside those of the model
    weight_bytes: float = 0.0  # of frozen matrices that are kept narrower; 0: as the precision says
    fused_experts: bool = False  # experts keep what enters their activation in the product's format
    frozen_models: float = 0.0  # weights beside the model that only run forward, in times its own
    unfused_attention: float = 0.0  # share of the scores that stand in memory
