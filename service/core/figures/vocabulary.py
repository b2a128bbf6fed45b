"""Words of the contract that formulas, the catalog and the request share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

BasisName: TypeAlias = Literal["rental", "owned", "fully_loaded"]
BASES: tuple[BasisName, ...] = ("rental", "owned", "fully_loaded")
"""All ways of accounting, in the order in which a quote shows them."""
ClaimScope: TypeAlias = Literal[
    "final_run", "with_base_model", "with_experiments", "with_staff", "capital"
]
"""What a published figure may cover. Each of the first four holds the one before it."""
ClaimBasis: TypeAlias = Literal[
    "rental_stated", "rental_market", "owned_straight_line", "owned_epoch_2024", "purchase"
]
"""The ways of accounting by which a published figure is read."""
Currency: TypeAlias = Literal["USD", "EUR", "GBP", "JPY", "CNY", "INR"]
"""The currencies that a quote can be asked in, by their codes in ISO 4217."""
MINOR_PLACES: Final[Mapping[Currency, int]] = MappingProxyType(
    {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "CNY": 2, "INR": 2}
)
"""Decimal places of the smallest unit of each currency (ISO 4217)."""
DeviceKind: TypeAlias = Literal["gpu", "tpu"]
TrainingPrecision: TypeAlias = Literal["fp32", "bf16", "fp16", "fp8", "mxfp8", "nvfp4", "int8"]
"""The format of the matrix products of a training step."""
OptimizerName: TypeAlias = Literal[
    "adamw",
    "adamw_bf16_states",
    "adamw_pure_bf16",
    "adamw_8bit",
    "adafactor",
    "muon",
    "sgd_momentum",
]
ExpertKernels: TypeAlias = Literal["grouped", "fused"]
"""How the products of routed experts run in scaled formats."""
Framework: TypeAlias = Literal[
    "megatron", "xla", "torch_compile", "fsdp_eager", "hf_eager", "hf_fused", "deepspeed"
]
"""The kinds of software that train, each with constants of its own."""
FrameworkName: TypeAlias = Literal[
    "megatron",
    "megatron_lm",
    "megatron_bridge",
    "megatron_deepspeed",
    "nemo",
    "xla",
    "maxtext",
    "jax",
    "torch_compile",
    "torchtitan",
    "torchtune",
    "prime_rl",
    "fsdp_eager",
    "llm_foundry",
    "litgpt",
    "lightning",
    "hf_eager",
    "hf_trainer",
    "trl",
    "axolotl",
    "llama_factory",
    "hf_fused",
    "unsloth",
    "liger",
    "deepspeed",
]
"""Kinds of frameworks, and stacks that are each of one kind."""
AttentionKernel: TypeAlias = Literal["unfused", "flash_1", "flash_2", "flash_3", "flash_4"]
"""How attention scores are computed: through memory, or by a generation of fused kernels."""
LossKernel: TypeAlias = Literal["unfused", "fused", "chunked"]
"""How the loss is computed: on logits with copies of them, in their place, or slice by slice."""
PreferenceLoss: TypeAlias = Literal["dpo", "ipo", "orpo", "simpo", "kto"]
"""How a model learns from answers that are preferred."""
ServingPrecision: TypeAlias = Literal["bf16", "fp16", "fp8", "int8", "int4", "nvfp4"]
"""The format of the weights of a model that generates."""
CachePrecision: TypeAlias = Literal["bf16", "fp16", "fp8", "int8"]
"""The format of cached keys and values."""
ServingEngine: TypeAlias = Literal["tensorrt_llm", "vllm", "sglang", "gpt_fast", "transformers"]
"""The software that generates."""
Recompute: TypeAlias = Literal["none", "selective", "full"]
"""Which activations are computed again for the backward pass."""
PipelineSchedule: TypeAlias = Literal["1f1b", "zero_bubble", "dualpipe"]
AdapterTarget: TypeAlias = Literal["attention", "query_value", "mlp", "all_linear"]
"""The linear maps that low-rank adapters stand beside."""
