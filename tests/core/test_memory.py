"""What does a device hold, and does more sharding or recompute ever need more?"""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.model.parameters import params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import LatentAttention, MixtureOfExperts, Transformer
from service.core.training.formats import FORMAT_BYTES, OPTIMIZER_BYTES, STACK_BYTES, MemoryRecipe
from service.core.training.memory import (
    DeviceMemory,
    activation_bytes_per_token_layer,
    bytes_per_device,
    in_flight_first_stage,
    in_flight_last_stage,
    memory_per_device,
)
from service.core.training.parallelism import Layout

approx = pytest.approx
LLAMA_70B = Transformer(
    layers=80, hidden_size=8192, heads=64, kv_heads=8, ffn_size=28672, vocab_size=128256
)
DEEPSEEK_V2 = Transformer(
    layers=4,
    hidden_size=5120,
    heads=128,
    ffn_size=12288,
    vocab_size=102400,
    moe=MixtureOfExperts(
        experts=160,
        experts_per_token=6,
        moe_ffn_size=1536,
        shared_experts=2,
        first_dense_layers=1,
    ),
    mla=LatentAttention(
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
    ),
)
DEEPSEEK_V3 = Transformer(
    layers=4,
    hidden_size=7168,
    heads=128,
    ffn_size=18432,
    vocab_size=129280,
    moe=MixtureOfExperts(
        experts=256,
        experts_per_token=8,
        moe_ffn_size=2048,
        shared_experts=1,
        first_dense_layers=1,
    ),
    mla=DEEPSEEK_V2.mla,
)
GPT = Transformer(
    layers=96,
    hidden_size=12288,
    heads=96,
    vocab_size=51200,
    gated_ffn=False,
    tied_embeddings=True,
    norm="layernorm",
)


def trimmed(layers: int, hidden: int, heads: int, kv_heads: int, ffn: int) -> Transformer:
    return Transformer(
        layers=layers,
        hidden_size=hidden,
        heads=heads,
        kv_heads=kv_heads,
        ffn_size=ffn,
        vocab_size=128256,
    )


LLAMA_70B_12 = trimmed(12, 8192, 64, 8, 28672)
LLAMA_405B_4 = trimmed(4, 16384, 128, 16, 53248)

# Peak allocated memory in GiB on B200, bf16, micro-batch 1, distributed optimizer. Source:
# MooreThreads/SimuMax, docs/b200/b200_release_v1.2_summary.json at commit 4dcaae513b.
# (model, (tp, pp, dp, cp, ep), global batch, sequence, GiB)
MEASURED_PEAKS = [
    (LLAMA_70B_12, (2, 1, 4, 1, 1), 16, 4096, 60.68),
    (LLAMA_70B_12, (4, 1, 2, 1, 1), 8, 4096, 39.07),
    (LLAMA_70B_12, (8, 1, 1, 1, 1), 4, 4096, 28.29),
    (DEEPSEEK_V2, (1, 1, 8, 1, 8), 32, 4096, 45.63),
    (DEEPSEEK_V2, (1, 2, 4, 1, 4), 16, 4096, 44.70),
    (DEEPSEEK_V3, (1, 1, 8, 1, 8), 32, 4096, 104.3),
    (DEEPSEEK_V3, (1, 2, 4, 1, 4), 16, 4096, 114.0),
    (LLAMA_405B_4, (1, 2, 4, 1, 1), 16, 4096, 87.08),
    (LLAMA_405B_4, (2, 1, 4, 1, 1), 16, 4096, 81.59),
    (LLAMA_405B_4, (4, 1, 2, 1, 1), 8, 4096, 52.89),
    (LLAMA_405B_4, (8, 1, 1, 1, 1), 4, 4096, 38.57),
    (LLAMA_70B_12, (2, 1, 1, 4, 1), 4, 32768, 68.43),
    (LLAMA_405B_4, (2, 1, 1, 4, 1), 4, 32768, 87.03),
    (LLAMA_405B_4, (1, 1, 1, 8, 1), 4, 32768, 139.22),
    (LLAMA_70B_12, (2, 1, 1, 4, 1), 4, 131072, 112.67),
    (LLAMA_405B_4, (2, 1, 1, 4, 1), 4, 131072, 118.13),
]


def held(
    transformer: Transformer,
    layout: Layout,
    *,
    sequence_length: float = 4096.0,
    global_batch: float = 1024.0,
    **recipe: Any,
) -> DeviceMemory:
    return memory_per_device(
        architecture=architecture_of(transformer),
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        recipe=MemoryRecipe(**recipe),
    )


Peak = tuple[Transformer, tuple[float, ...], float, float, float]


def ratio_to_measured(peak: Peak) -> float:
    model, (tp, pp, dp, cp, ep), batch, sequence, gib = peak
    layout = Layout(
        tensor_parallel=tp,
        pipeline_parallel=pp,
        data_parallel=dp,
        context_parallel=cp,
        expert_parallel=ep,
    )
    memory = held(model, layout, sequence_length=sequence, global_batch=batch)
    return float((memory.total - memory.reserve) / 2**30 / gib)


@pytest.mark.parametrize("peak", MEASURED_PEAKS)
def test_measured_peaks_are_met_within_seven_percent(peak: Peak) -> None:
    assert ratio_to_measured(peak) == approx(1, abs=0.07)


def test_measured_peaks_are_met_without_bias() -> None:
    assert np.median([ratio_to_measured(peak) for peak in MEASURED_PEAKS]) == approx(1, abs=0.02)


def test_a_replica_keeps_eighteen_bytes_per_parameter_and_zero_shards_twelve_of_them() -> None:
    model = Transformer(layers=8, hidden_size=1024, heads=8, vocab_size=32000)
    params = params_total(architecture=architecture_of(model))
    final_norm = 1024
    counted = params - final_norm
    alone = held(model, Layout(zero_stage=1.0))
    assert alone.weights == approx(2 * counted)
    assert alone.gradients == approx(4 * counted)
    assert alone.optimizer_states == approx(12 * counted)
    shared = held(model, Layout(data_parallel=64.0, zero_stage=1.0))
    assert shared.weights == approx(2 * counted)
    assert shared.optimizer_states == approx(12 * counted / 64)
    sharded = held(model, Layout(data_parallel=64.0, zero_stage=3.0))
    states = sharded.weights + sharded.gradients + sharded.optimizer_states
    assert states == approx(18 * counted / 64)


def test_a_gpt_layer_keeps_what_korthikanti_counts_less_dropout_masks() -> None:
    """Equation 1 of arXiv 2205.05198: s b h (34 + 5 a s / h); 2 of the 34 are masks."""
    hidden, heads, sequence = 12288, 96, 2048
    kept = activation_bytes_per_token_layer(
        architecture=architecture_of(GPT),
        layout=Layout(),
        format_bytes=FORMAT_BYTES["bf16"],
        score_bytes=5 * heads * sequence,
    ).kept
    assert kept == approx(hidden * (32 + 5 * heads * sequence / hidden))


def test_sequence_parallelism_divides_all_of_a_gpt_layer() -> None:
    def kept(**layout: float) -> Any:
        return activation_bytes_per_token_layer(
            architecture=architecture_of(GPT),
            layout=Layout(**layout),
            format_bytes=FORMAT_BYTES["bf16"],
        ).kept

    whole = kept(tensor_parallel=1.0)
    assert kept(tensor_parallel=8.0, sequence_parallel=1.0) == approx(whole / 8)
    residual = 8 * 12288
    assert kept(tensor_parallel=8.0, sequence_parallel=0.0) == approx(
        residual + (whole - residual) / 8
    )


def test_the_first_stage_holds_as_many_micro_batches_as_there_are_stages() -> None:
    layout = Layout(pipeline_parallel=8.0)
    assert in_flight_first_stage(layout=layout, micro_batches=64.0) == 8
    assert in_flight_first_stage(layout=layout, micro_batches=4.0) == 4
    assert in_flight_last_stage(layout=layout, micro_batches=64.0) == 1
    interleaved = layout._replace(virtual_stages=4.0)
    assert in_flight_first_stage(layout=interleaved, micro_batches=64.0) == 8 + 7 / 4
    assert in_flight_last_stage(layout=interleaved, micro_batches=64.0) == (3 * 8 + 1) / 4


def test_dualpipe_holds_a_stage_from_either_end_and_shares_both_with_another_device() -> None:
    plain = Layout(pipeline_parallel=4.0, data_parallel=8.0)
    dual = plain._replace(pipeline_schedule=2.0)
    assert in_flight_first_stage(layout=dual, micro_batches=64.0) == 4 + 1
    one, both = held(LLAMA_70B, plain), held(LLAMA_70B, dual)
    assert both.weights == approx(2 * one.weights)  # the last stage has a head as large
    assert both.optimizer_states == approx(one.optimizer_states)
    assert both.logits == 4096 * 6 * 128256
    layer = activation_bytes_per_token_layer(
        architecture=architecture_of(LLAMA_70B), layout=dual, format_bytes=FORMAT_BYTES["bf16"]
    )
    assert both.activations - one.activations == approx(4096 * 20 * layer.kept)


def test_fused_kernels_keep_what_enters_the_activation_of_experts_in_8_bits() -> None:
    layout = Layout(data_parallel=8.0, expert_parallel=8.0, recompute=1.0)
    plain, fused = (
        held(DEEPSEEK_V3, layout, precision="fp8", fused_experts=fused).activations
        for fused in (False, True)
    )
    moe_layers, per_layer = 3, 2 * (8 + 1) * 2048  # gate and up of eight experts and the shared one
    assert plain - fused == approx(4096 * moe_layers * per_layer * 5 / 4)  # one more at work
    for model in (LLAMA_70B, DEEPSEEK_V3):
        bf16 = [held(model, layout, fused_experts=fused).total for fused in (False, True)]
        assert bf16[0] == bf16[1]


def test_logits_stand_on_the_last_stage_only() -> None:
    whole = held(LLAMA_70B, Layout(tensor_parallel=8.0))
    assert whole.logits == 4096 * 6 * 128256 / 8
    staged = held(LLAMA_70B, Layout(tensor_parallel=8.0, pipeline_parallel=8.0))
    assert staged.logits == 0


def test_the_parts_add_up() -> None:
    memory = held(LLAMA_70B, Layout(tensor_parallel=8.0, pipeline_parallel=4.0))
    assert memory.total == sum(memory)
    stack = STACK_BYTES["megatron_core"]
    assert memory.reserve == stack.context + stack.collective


degrees = st.sampled_from([1.0, 2.0, 4.0, 8.0])
models = st.sampled_from([LLAMA_70B, DEEPSEEK_V2, DEEPSEEK_V3, GPT, LLAMA_405B_4])
layouts = st.fixed_dictionaries(
    {
        "tensor_parallel": degrees,
        "pipeline_parallel": st.sampled_from([1.0, 2.0, 4.0]),
        "data_parallel": degrees,
        "context_parallel": degrees,
        "expert_parallel": st.sampled_from([1.0, 2.0]),
        "micro_batch": degrees,
        "zero_stage": st.sampled_from([0.0, 1.0, 2.0, 3.0]),
        "sequence_parallel": st.sampled_from([0.0, 1.0]),
        "recompute": st.sampled_from([0.0, 1.0, 2.0]),
        "recompute_share": st.floats(0, 1),
        "offload_share": st.floats(0, 1),
    }
).map(lambda fields: Layout(**fields))
recipes = st.fixed_dictionaries(
    {
        "precision": st.sampled_from(sorted(FORMAT_BYTES)),
        "optimizer": st.sampled_from(sorted(OPTIMIZER_BYTES)).map(OPTIMIZER_BYTES.__getitem__),
        "stack": st.sampled_from(sorted(STACK_BYTES)).map(STACK_BYTES.__getitem__),
    }
)
SLACK = 1 + 1e-9


@settings(max_examples=100)
@given(model=models, layout=layouts, recipe=recipes)
def test_more_recompute_never_needs_more_memory(
    model: Transformer, layout: Layout, recipe: dict[str, Any]
) -> None:
    none, selective, full = (
        held(model, layout._replace(recompute=code), **recipe).total for code in (0.0, 1.0, 2.0)
    )
    assert full <= selective * SLACK
    assert selective <= none * SLACK


@settings(max_examples=100)
@given(model=models, layout=layouts, recipe=recipes)
def test_a_higher_zero_stage_never_needs_more_memory(
    model: Transformer, layout: Layout, recipe: dict[str, Any]
) -> None:
    """PyTorch's own sharding fragments what it gathers, and can cost a small model more."""
    if recipe["stack"].sharded_fragmentation:
        recipe = recipe | {"stack": STACK_BYTES["megatron_core"]}
    totals = [held(model, layout._replace(zero_stage=z), **recipe).total for z in (0, 1, 2, 3)]
    assert all(b <= a * SLACK for a, b in itertools.pairwise(totals))


@settings(max_examples=100)
@given(model=models, layout=layouts, recipe=recipes)
def test_a_bigger_micro_batch_never_needs_less_memory(
    model: Transformer, layout: Layout, recipe: dict[str, Any]
) -> None:
    smaller = held(model, layout, **recipe).total
    doubled = layout._replace(micro_batch=2 * layout.micro_batch)
    batch = {"global_batch": 2048.0}  # as many micro-batches
    assert held(model, doubled, **batch, **recipe).total >= smaller / SLACK


@settings(max_examples=100)
@given(model=models, layout=layouts, recipe=recipes)
def test_sequence_parallelism_and_offloading_never_need_more(
    model: Transformer, layout: Layout, recipe: dict[str, Any]
) -> None:
    base = held(model, layout._replace(sequence_parallel=0.0, offload_share=0.0), **recipe).total
    assert held(model, layout._replace(sequence_parallel=1.0), **recipe).total <= base * SLACK


@settings(max_examples=50)
@given(model=models, layout=layouts, recipe=recipes)
def test_interleaving_never_needs_less(
    model: Transformer, layout: Layout, recipe: dict[str, Any]
) -> None:
    plain = held(model, layout, **recipe).total
    staged = layout.pipeline_parallel > 1
    interleaved = layout._replace(virtual_stages=2.0 if staged else 1.0)
    assert held(model, interleaved, **recipe).total >= plain / SLACK


@settings(max_examples=25)
@given(model=models, several=st.lists(layouts, min_size=1, max_size=8), recipe=recipes)
def test_many_layouts_at_once_are_each_counted_as_alone(
    model: Transformer, several: list[Layout], recipe: dict[str, Any]
) -> None:
    columns = Layout(*(np.array(column, dtype=float) for column in zip(*several, strict=True)))
    together = held(model, columns, **recipe)
    for place, layout in enumerate(several):
        alone = held(model, layout, **recipe)
        for part, whole in zip(alone, together, strict=True):
            assert np.broadcast_to(whole, len(several))[place] == approx(part)
    totals = bytes_per_device(
        architecture=architecture_of(model),
        layout=columns,
        sequence_length=4096.0,
        global_batch=1024.0,
        recipe=MemoryRecipe(**recipe),
    )
    assert totals == approx(np.broadcast_to(together.total, len(several)))


def test_lighter_states_and_formats_need_less() -> None:
    layout = Layout(tensor_parallel=8.0, pipeline_parallel=4.0, data_parallel=2.0)
    whole = held(LLAMA_70B, layout).total
    for recipe in (
        {"optimizer": OPTIMIZER_BYTES["adamw_bf16_states"]},
        {"optimizer": OPTIMIZER_BYTES["adamw_8bit"]},
        {"optimizer": OPTIMIZER_BYTES["muon"]},
        {"precision": "fp8"},
        {"stack": STACK_BYTES["megatron_bridge"]},
    ):
        assert held(LLAMA_70B, layout, **recipe).total < whole
    assert held(LLAMA_70B, layout, precision="fp32").total > whole
