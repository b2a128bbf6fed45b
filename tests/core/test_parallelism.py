"""Which layouts are legal, and what do their degrees mean?"""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.figures.vocabulary import PipelineSchedule
from service.core.model.shape import architecture_of
from service.core.request.layout import LayoutRequest
from service.core.request.transformer import MixtureOfExperts, Transformer
from service.core.training.parallelism import (
    SCHEDULE_CODE,
    Layout,
    context_degrees,
    devices_of,
    divisors_of,
    expert_data_parallel,
    expert_degrees,
    illegalities,
    layers_per_stage,
    micro_batches,
    pipeline_degrees,
    stages_waited,
    tensor_degrees,
    tokens_per_device,
    whole_batch,
)
from service.core.training.placement import layouts_of

LLAMA_405B = architecture_of(
    Transformer(
        layers=126, hidden_size=16384, heads=128, kv_heads=8, ffn_size=53248, vocab_size=128256
    )
)
QWEN_30B = architecture_of(
    Transformer(
        layers=48,
        hidden_size=2048,
        heads=32,
        kv_heads=4,
        head_dim=128,
        vocab_size=151936,
        moe=MixtureOfExperts(experts=128, experts_per_token=8, moe_ffn_size=768),
    )
)
# What Meta ran (arXiv 2407.21783, table 4, second row).
LLAMA_LAYOUT = Layout(tensor_parallel=8.0, pipeline_parallel=16.0, data_parallel=128.0)


def test_the_layout_of_llama_405b_is_legal_on_its_16384_devices() -> None:
    assert devices_of(LLAMA_LAYOUT) == 16384
    assert micro_batches(layout=LLAMA_LAYOUT, global_batch=2048.0) == 16
    assert tokens_per_device(layout=LLAMA_LAYOUT, sequence_length=8192.0) == 8192
    assert layers_per_stage(layers=126.0, pipeline_parallel=16.0) == 8
    assert (
        illegalities(
            layout=LLAMA_LAYOUT,
            architecture=LLAMA_405B,
            devices=16384.0,
            global_batch=2048.0,
            sequence_length=8192.0,
        )
        == ()
    )


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"data_parallel": 256.0}, "data_parallel"),
        ({"tensor_parallel": 3.0}, "tensor_parallel"),
        ({"pipeline_parallel": 127.0}, "pipeline_parallel"),
        ({"pipeline_parallel": 100.0}, "pipeline_parallel"),
        ({"pipeline_parallel": 1.0, "virtual_stages": 2.0}, "virtual_stages"),
        ({"virtual_stages": 9.0}, "virtual_stages"),
        ({"context_parallel": 3.0}, "context_parallel"),
        ({"expert_parallel": 2.0}, "expert_parallel"),
        ({"data_parallel": 100.0}, "data_parallel"),
        ({"micro_batch": 3.0}, "micro_batch"),
        ({"pipeline_parallel": 1.0, "pipeline_schedule": 1.0}, "pipeline_schedule"),
        ({"virtual_stages": 2.0, "pipeline_schedule": 1.0}, "pipeline_schedule"),
        ({"pipeline_parallel": 9.0, "pipeline_schedule": 2.0}, "pipeline_schedule"),
        ({"pipeline_schedule": 2.0}, "pipeline_schedule"),  # 16 micro-batches in 16 stages
    ],
)
def test_an_illegal_layout_is_told_where(changes: dict[str, float], member: str) -> None:
    found = illegalities(
        layout=LLAMA_LAYOUT._replace(**changes),
        architecture=LLAMA_405B,
        devices=16384.0,
        global_batch=2048.0,
        sequence_length=8192.0,
    )
    assert member in [where for where, _ in found]


def test_key_value_heads_may_be_repeated_but_not_cut() -> None:
    assert list(tensor_degrees(LLAMA_405B, limit=64.0)) == [1, 2, 4, 8, 16, 32, 64]
    assert list(tensor_degrees(QWEN_30B, limit=16.0)) == [1, 2, 4, 8, 16]
    six = architecture_of(
        Transformer(layers=2, hidden_size=768, heads=12, kv_heads=6, ffn_size=768, vocab_size=64)
    )
    assert list(tensor_degrees(six, limit=12.0)) == [1, 2, 3, 6, 12]


def test_stages_may_be_uneven_but_never_empty() -> None:
    degrees = pipeline_degrees(126.0, largest=16384.0)
    assert {1, 2, 4, 8, 16, 18, 32} <= set(degrees)
    assert not {7, 14, 21, 42, 63, 126} & set(degrees)
    assert all((pp - 1) * math.ceil(126 / pp) < 126 for pp in degrees)


def test_sequences_are_cut_into_long_pieces_only() -> None:
    assert list(context_degrees(8192.0)) == [1, 2, 4]
    assert list(context_degrees(2048.0)) == [1]
    assert list(context_degrees(1000.0)) == [1]


def test_expert_degrees_divide_the_experts() -> None:
    assert list(expert_degrees(LLAMA_405B)) == [1]
    assert list(expert_degrees(QWEN_30B)) == [1, 2, 4, 8, 16, 32, 64, 128]


@pytest.mark.parametrize(
    ("schedule", "waited"), [("1f1b", 7.0), ("zero_bubble", 7 / 3), ("dualpipe", 3 * 2 / 3)]
)
def test_pipelines_wait_as_deepseek_counts_it(schedule: PipelineSchedule, waited: float) -> None:
    layout = Layout(pipeline_parallel=8.0, pipeline_schedule=SCHEDULE_CODE[schedule])
    assert stages_waited(layout) == pytest.approx(waited)


def test_experts_take_their_ranks_from_the_other_degrees() -> None:
    layout = Layout(
        tensor_parallel=2.0, data_parallel=8.0, context_parallel=2.0, expert_parallel=16.0
    )
    assert expert_data_parallel(layout) == 2 * 8 * 2 / 16


@settings(max_examples=50)
@given(number=st.integers(1, 1_000_000))
def test_divisors_divide_and_come_in_order(number: int) -> None:
    divisors = divisors_of(float(number))
    assert divisors[0] == 1
    assert divisors[-1] == number
    assert np.all(number % divisors == 0)
    assert np.all(np.diff(divisors) > 0)
    assert len(divisors) == sum(
        1 + (number // i != i) for i in range(1, math.isqrt(number) + 1) if number % i == 0
    )


def test_sixteen_million_tokens_of_8192_are_2048_sequences() -> None:
    assert whole_batch(global_batch_tokens=16e6, sequence_length=8192.0) == 2048
    assert whole_batch(global_batch_tokens=16_777_216, sequence_length=8192.0) == 2048
    assert whole_batch(global_batch_tokens=15_360 * 4096, sequence_length=4096.0) == 15_360
    assert whole_batch(global_batch_tokens=100.0, sequence_length=4096.0) == 1


@settings(max_examples=100)
@given(tokens=st.floats(1, 1e9), length=st.integers(1, 1_000_000))
def test_a_batch_moves_by_at_most_five_percent_or_half_a_sequence(
    tokens: float, length: int
) -> None:
    asked = max(1.0, tokens / length)
    got = whole_batch(global_batch_tokens=tokens, sequence_length=float(length))
    assert got == math.floor(got) >= 1
    assert abs(got - asked) <= max(0.5, 0.05 * asked) * (1 + 1e-9)


def test_a_request_is_filled_in_from_the_devices() -> None:
    text = b'{"tensor_parallel": 8, "pipeline_parallel": 1.6e1, "recompute": "selective"}'
    request = msgspec.json.decode(text, type=LayoutRequest)
    (layout,) = layouts_of(request, devices=16384.0)
    assert layout == LLAMA_LAYOUT._replace(recompute=1.0)
    assert all(isinstance(field, float) for field in layout)


def test_recompute_that_is_left_open_is_tried_from_the_least() -> None:
    request = msgspec.json.decode(b'{"tensor_parallel": 8}', type=LayoutRequest)
    assert [layout.recompute for layout in layouts_of(request, devices=8.0)] == [0.0, 1.0, 2.0]


def test_dualpipe_hides_what_experts_exchange_unless_told_otherwise() -> None:
    for text, overlapped in (
        (b'{"pipeline_schedule": "dualpipe"}', 1.0),
        (b'{"pipeline_schedule": "dualpipe", "expert_overlap": false}', 0.0),
        (b'{"pipeline_schedule": "zero_bubble"}', 0.0),
        (b'{"expert_overlap": true}', 1.0),
    ):
        (layout, *_) = layouts_of(msgspec.json.decode(text, type=LayoutRequest), devices=8.0)
        assert layout.expert_overlap == overlapped


def test_a_request_for_what_does_not_exist_is_refused() -> None:
    for text in (b'{"zero_stage": 4}', b'{"tensor_parallel": 0}', b'{"recompute": "some"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(text, type=LayoutRequest)
