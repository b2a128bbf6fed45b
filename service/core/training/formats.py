"""Bytes per parameter and per activation that precisions, optimizers and software stacks keep."""

from typing import Literal, NamedTuple

from service.core.figures.vocabulary import OptimizerName, TrainingPrecision


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


# Source: ZeRO (arXiv 1910.02054, section 3.1) for Adam in mixed precision; bf16 states as in
# DeepSeek-V3 (arXiv 2412.19437, section 3.3.3); 8-bit states in arXiv 2110.02861; Adafactor keeps
# row and column means only (arXiv 1804.04235); Muon one momentum.
OPTIMIZER_BYTES: dict[OptimizerName, OptimizerBytes] = {
    "adamw": OptimizerBytes(),
    "adamw_bf16_states": OptimizerBytes(states=4.0),
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
    gathered_layers: float = 2.0  # that ZeRO-3 holds whole: the one at work, one prefetched
    casts_weights: bool = False  # sharded weights are kept once, in fp32, and cast where used
    flash_attention: bool = True  # otherwise the scores of every head are stored


MemoryStack = Literal["megatron_core", "megatron_bridge", "xla", "megatron_2021"]

# Megatron-Core and PyTorch's FSDP accumulate gradients in fp32 and have an unfused loss. The
# performance recipes of Megatron-Bridge and XLA reduce gradients in bf16 and fuse the loss. XLA and
# DeepSpeed's first ZeRO-3 gather one matrix at a time: about half a layer. Stacks before flash
# attention (2022) kept 5 bytes per score and head.
# Source: Megatron-Bridge's documentation; Korthikanti et al. 2022 (arXiv 2205.05198).
STACK_BYTES: dict[MemoryStack, StackBytes] = {
    "megatron_core": StackBytes(),
    "megatron_bridge": StackBytes(gradient=2.0, logit=4.0),
    "xla": StackBytes(gradient=2.0, logit=2.0, gathered_layers=0.5, casts_weights=True),
    "megatron_2021": StackBytes(gathered_layers=0.5, flash_attention=False),
}
SCORE_BYTES = 5.0  # softmax output, its dropout mask and dropped-out copy, per score


class MemoryRecipe(NamedTuple):
    """What memory depends on besides the layout: formats, optimizer, stack, what is trained."""

    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerBytes = OPTIMIZER_BYTES["adamw"]
    stack: StackBytes = STACK_BYTES["megatron_core"]
    trained_share: float = 1.0  # of the parameters; only these have gradients and states
    weight_bytes: float = 0.0  # of frozen weights that are kept narrower; 0: as the precision says
    fused_experts: bool = False  # experts keep what enters their activation in the product's format
