"""What frameworks keep on a device, worked by hand from what each is known to hold."""

import pytest

from service.core.model.parameters import params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.core.training.formats import (
    LOSS_BYTES,
    OPTIMIZER_BYTES,
    STACK_BYTES,
    MemoryRecipe,
    StackBytes,
)
from service.core.training.memory import DeviceMemory, memory_per_device
from service.core.training.parallelism import Layout

GIB = 2.0**30
MISTRAL_7B = Transformer(
    layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn_size=14336, vocab_size=32000
)
PARAMS = params_total(architecture=architecture_of(MISTRAL_7B))
EAGER, FUSED = STACK_BYTES["hf_eager"], STACK_BYTES["hf_fused"]
PURE = OPTIMIZER_BYTES["adamw_pure_bf16"]


def held(
    micro_batch: float = 4.0,
    *,
    devices: float = 1.0,
    micro_batches: float = 1.0,
    capacity_gib: float = 0.0,
    recipe: MemoryRecipe,
) -> DeviceMemory:
    return memory_per_device(
        architecture=architecture_of(MISTRAL_7B),
        layout=Layout(
            data_parallel=devices,
            micro_batch=micro_batch,
            zero_stage=3.0 if devices > 1 else 0.0,
            recompute=2.0,
        ),
        sequence_length=4096.0,
        global_batch=micro_batch * devices * micro_batches,
        recipe=recipe,
        capacity_bytes=capacity_gib * GIB,
    )


def allocated(memory: DeviceMemory) -> float:
    return float(memory.total - memory.reserve)


def lora(stack: StackBytes) -> MemoryRecipe:
    return MemoryRecipe(stack=stack, trained_share=0.0, adapters=True)


def test_an_optimizer_that_copies_is_the_fullest_moment_of_full_tuning():
    """2 weights, 4 states, 2 gradients and a copy of 2 bytes: 67.5 GiB were measured on an A100."""
    memory = held(recipe=MemoryRecipe(stack=EAGER, optimizer=PURE))
    assert allocated(memory) == pytest.approx(10 * PARAMS)
    assert memory.activations == memory.logits == 0
    assert allocated(held(8.0, recipe=MemoryRecipe(stack=EAGER, optimizer=PURE))) == allocated(
        memory
    )


def test_sharded_weights_are_kept_in_fp32_where_a_framework_casts_them():
    """4 of weights, 8 of states, 4 of gradients and 4 of a copy, over the devices."""
    memory = held(devices=4.0, recipe=MemoryRecipe(stack=EAGER))
    assert allocated(memory) == pytest.approx(20 * PARAMS / 4)


def test_the_loss_of_adapters_stands_on_the_inputs_of_all_layers():
    """14 bytes a logit beside one 16-bit vector of every layer; 24.9 GiB were measured."""
    tokens = 4 * 4096
    memory = held(recipe=lora(EAGER))
    assert memory.logits == 14 * tokens * 32000
    assert memory.activations == tokens * 32 * 2 * 4096
    assert allocated(memory) == pytest.approx(24.9 * GIB, rel=0.03)


def test_a_chunked_loss_leaves_the_layer_at_work_as_the_most():
    chunked = FUSED._replace(**LOSS_BYTES["chunked"]._asdict())
    memory = held(recipe=lora(chunked))
    assert memory.logits == 0
    assert allocated(memory) < allocated(held(recipe=lora(EAGER)))
    assert allocated(memory) == pytest.approx(21.9 * GIB, rel=0.03)  # as was measured


def test_a_quantised_base_keeps_both_ends_in_16_bits():
    recipe = lora(FUSED)._replace(weight_bytes=0.5)
    both_ends = 2 * 32000 * 4096
    assert held(recipe=recipe).weights == pytest.approx(0.5 * (PARAMS - both_ends) + 2 * both_ends)


def test_gradients_stand_while_micro_batches_accumulate():
    once, twice = (held(micro_batches=n, recipe=MemoryRecipe(stack=EAGER)) for n in (1.0, 2.0))
    assert allocated(once) == allocated(twice)  # the optimizer's step is the fullest moment of both
    large = [
        held(64.0, micro_batches=n, recipe=MemoryRecipe(stack=EAGER, optimizer=PURE))
        for n in (1.0, 2.0)
    ]
    assert allocated(large[1]) - allocated(large[0]) == pytest.approx(2 * PARAMS)


def test_the_allocator_keeps_blocks_while_there_is_room_for_them():
    """72.5 to 75.4 GiB of 79 were reserved where 67.5 were allocated."""
    recipe = MemoryRecipe(stack=EAGER, optimizer=PURE)
    reserves = [held(capacity_gib=gib, recipe=recipe).reserve for gib in (0.0, 75.0, 79.0, 200.0)]
    assert reserves == sorted(reserves)
    assert reserves[0] < reserves[2] < reserves[3]
    assert held(capacity_gib=79.0, recipe=recipe).total <= 79.0 * GIB


def test_scores_that_no_kernel_fuses_stand_in_memory():
    recipe = lora(EAGER)
    unfused = held(recipe=recipe._replace(unfused_attention=1.0))
    half = held(recipe=recipe._replace(unfused_attention=0.5))
    assert allocated(unfused) > allocated(half) > allocated(held(recipe=recipe))
