"""Software that trains: a few kinds of framework, and the named stacks that are of each kind.

Kinds differ in how the host issues kernels, in which kernels are fused, and in what layouts a user
of the framework can ask for.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from service.core.figures.vocabulary import Framework, FrameworkName

HostPace = Literal["captured", "compiled", "eager"]
"""How kernels reach the device: as captured graphs, compiled, or one by one."""


class FrameworkTraits(NamedTuple):
    """What a kind of framework does and offers."""

    host: HostPace
    model_parallel: bool  # tensor and pipeline degrees can be asked for
    context_parallel: bool
    own_kernels: bool = False  # has kernels of its own for each generation of devices
    fused: bool = False  # norms, rotary embedding and loss are fused kernels, though issued eagerly
    fused_adapters: bool = False
    expert_loop: bool = False  # routed experts run one after another, in a loop of the host


FRAMEWORKS: Final[Mapping[Framework, FrameworkTraits]] = MappingProxyType(
    {
        "megatron": FrameworkTraits(
            "captured",
            model_parallel=True,
            context_parallel=True,
            own_kernels=True,
            fused_adapters=True,
        ),
        "xla": FrameworkTraits(
            "captured",
            model_parallel=True,
            context_parallel=True,
            own_kernels=True,
            fused_adapters=True,
        ),
        "torch_compile": FrameworkTraits(
            "compiled", model_parallel=True, context_parallel=True, fused_adapters=True
        ),
        "fsdp_eager": FrameworkTraits(
            "eager", model_parallel=False, context_parallel=True, fused=True
        ),
        "hf_eager": FrameworkTraits(
            "eager", model_parallel=False, context_parallel=False, expert_loop=True
        ),
        "hf_fused": FrameworkTraits(
            "eager", model_parallel=False, context_parallel=False, fused=True, fused_adapters=True
        ),
        "deepspeed": FrameworkTraits(
            "eager", model_parallel=False, context_parallel=True, expert_loop=True
        ),
    }
)


def has_unfused_kernels(framework: Framework) -> bool:
    """Whether norms, attention and loss are what the code of the model makes of them, op by op."""
    traits = FRAMEWORKS[framework]
    return traits.host == "eager" and not traits.fused


FRAMEWORK_OF_STACK: Final[Mapping[FrameworkName, Framework]] = MappingProxyType(
    {
        "megatron": "megatron",
        "megatron_lm": "megatron",
        "megatron_bridge": "megatron",
        "megatron_deepspeed": "megatron",
        "nemo": "megatron",
        "xla": "xla",
        "maxtext": "xla",
        "jax": "xla",
        "torch_compile": "torch_compile",
        "torchtitan": "torch_compile",
        "torchtune": "torch_compile",
        "prime_rl": "torch_compile",
        "fsdp_eager": "fsdp_eager",
        "llm_foundry": "fsdp_eager",
        "litgpt": "fsdp_eager",
        "lightning": "fsdp_eager",
        "hf_eager": "hf_eager",
        "hf_trainer": "hf_eager",
        "trl": "hf_eager",
        "axolotl": "hf_eager",
        "llama_factory": "hf_eager",
        "deepspeed": "deepspeed",
        "hf_fused": "hf_fused",
        "unsloth": "hf_fused",
        "liger": "hf_fused",
    }
)
"""The kind of every name that a request may say. Kinds stand for themselves."""

WRAPPERS: Final[frozenset[FrameworkName]] = frozenset(("deepspeed", "fsdp_eager", "lightning"))
"""Names that say how a model is spread and stepped, and leave its kernels to the model's code.

Source: their documentation: `deepspeed.initialize`, PyTorch's `fully_shard` and Lightning's
`Trainer` take any module. Others of their kinds train models of their own.
"""
