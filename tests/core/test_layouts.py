"""Is every layout found legal and fitting, and is none passed over that is faster?"""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.figures.arrays import Real
from service.core.model.flop import train_flop_per_token_causal
from service.core.model.shape import architecture_of
from service.core.request.transformer import LatentAttention, MixtureOfExperts, Transformer
from service.core.training.memory import bytes_per_device
from service.core.training.parallelism import (
    Layout,
    devices_of,
    illegalities,
    layers_per_stage,
    micro_batches,
)
from service.core.training.search import (
    CHUNK_LAYERS,
    MICRO_BATCHES,
    Problem,
    Search,
    StepTime,
    search,
    search_range,
)

GIB = 2.0**30
LLAMA_405B = Problem(
    architecture=architecture_of(
        Transformer(
            layers=126,
            hidden_size=16384,
            heads=128,
            kv_heads=8,
            ffn_size=53248,
            vocab_size=128256,
        )
    ),
    sequence_length=8192.0,
    global_batch=2048.0,
    scale_up_domain=8.0,
    memory_bytes=80 * GIB,
)
DEEPSEEK_V3 = Problem(
    architecture=architecture_of(
        Transformer(
            layers=61,
            hidden_size=7168,
            heads=128,
            ffn_size=18432,
            vocab_size=129280,
            moe=MixtureOfExperts(
                experts=256,
                experts_per_token=8,
                moe_ffn_size=2048,
                shared_experts=1,
                first_dense_layers=3,
            ),
            mla=LatentAttention(
                q_lora_rank=1536,
                kv_lora_rank=512,
                qk_nope_head_dim=128,
                qk_rope_head_dim=64,
                v_head_dim=128,
            ),
        )
    ),
    sequence_length=4096.0,
    global_batch=15360.0,
    scale_up_domain=8.0,
    memory_bytes=80 * GIB,
)
SMALL = Problem(
    architecture=architecture_of(
        Transformer(layers=12, hidden_size=1024, heads=8, kv_heads=4, vocab_size=32000)
    ),
    sequence_length=4096.0,
    global_batch=64.0,
    scale_up_domain=8.0,
    memory_bytes=16 * GIB,
)


def made_up_time(problem: Problem) -> StepTime:
    """A step time with a price on everything: work, bubble, recompute and each kind of traffic."""
    flop = train_flop_per_token_causal(
        architecture=problem.architecture, sequence_length=problem.sequence_length
    )
    tokens = problem.global_batch * problem.sequence_length

    def step_time(layout: Layout) -> Real:
        batches = micro_batches(layout=layout, global_batch=problem.global_batch)
        bubble = (layout.pipeline_parallel - 1) / layout.virtual_stages / batches
        extra = 0.03 * layout.tensor_parallel + 0.02 * layout.context_parallel
        extra = extra + 0.001 * layout.virtual_stages + 0.01 * layout.expert_parallel**0.5
        extra = extra + 0.1 * (layout.zero_stage - 1) + 0.2 * layout.recompute
        extra = extra + 0.2 / layout.micro_batch
        work = tokens * flop / devices_of(layout) / 4e14
        return work * (1 + bubble + extra) + 1e-3 * layout.data_parallel**0.5

    return step_time


def found(problem: Problem, devices: float, **options: Any) -> Search:
    return search(problem=problem, devices=devices, step_time=made_up_time(problem), **options)


def assert_legal_and_fitting(problem: Problem, result: Search) -> None:
    for candidate in result.ranked:
        assert (
            illegalities(
                layout=candidate.layout,
                architecture=problem.architecture,
                devices=result.devices,
                global_batch=problem.global_batch,
                sequence_length=problem.sequence_length,
            )
            == ()
        )
        assert candidate.memory.total <= problem.memory_bytes
        assert candidate.devices_used == devices_of(candidate.layout) <= result.devices
        assert candidate.layout.tensor_parallel <= problem.scale_up_domain


def test_llama_405b_finds_layouts_on_16384_devices() -> None:
    result = found(LLAMA_405B, 16384.0, reasons=True)
    assert len(result.ranked) == 10
    assert_legal_and_fitting(LLAMA_405B, result)
    times = [candidate.step_time_s or 0.0 for candidate in result.ranked]
    assert times == sorted(times)
    assert result.best is result.ranked[0]
    assert result.considered == result.fitting + sum(result.rejected.values())
    assert result.rejected["states"] > 0


def test_runners_up_have_other_degrees() -> None:
    ranked = found(LLAMA_405B, 16384.0).ranked
    degrees = {(*candidate.layout[:5], candidate.layout.zero_stage) for candidate in ranked}
    assert len(degrees) == len(ranked)


def test_experts_are_spread_and_divide_the_ranks() -> None:
    result = found(DEEPSEEK_V3, 2048.0)
    assert_legal_and_fitting(DEEPSEEK_V3, result)
    assert all(candidate.layout.expert_parallel > 1 for candidate in result.ranked)


def test_what_fits_nowhere_says_how_much_it_lacks() -> None:
    result = found(LLAMA_405B, 8.0, reasons=True)
    assert result.best is None
    assert result.fitting == 0
    assert result.rejected["states"] == result.considered
    assert result.closest is not None
    assert result.closest.memory.total > LLAMA_405B.memory_bytes
    assert result.closest.step_time_s is None


def test_an_odd_number_of_devices_leaves_some_idle() -> None:
    result = found(SMALL, 37.0)
    assert_legal_and_fitting(SMALL, result)
    assert result.best is not None
    assert 18 < result.best.devices_used <= 37


def test_a_range_of_device_counts_finds_what_each_finds_alone() -> None:
    counts = (1.0, 3.0, 8.0, 64.0, 100.0)
    together = search_range(problem=SMALL, devices=counts, step_time=made_up_time(SMALL))
    alone = [found(SMALL, count) for count in counts]
    for one, other in zip(together, alone, strict=True):
        assert [c.layout for c in one.ranked] == [c.layout for c in other.ranked]
        assert (one.considered, one.fitting) == (other.considered, other.fitting)


@pytest.mark.parametrize(("problem", "devices"), [(SMALL, 96.0), (DEEPSEEK_V3, 2048.0)])
def test_a_search_in_small_blocks_finds_what_one_in_large_blocks_finds(
    problem: Problem, devices: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = found(problem, devices, reasons=True)
    monkeypatch.setattr("service.core.training.search.TRIED_AT_ONCE", 5)
    monkeypatch.setattr("service.core.training.search.WEIGHED_AT_ONCE", 7)
    assert found(problem, devices, reasons=True) == whole
    for gib in (0.5, 4.0):
        tight = problem._replace(memory_bytes=gib * GIB)
        monkeypatch.undo()
        whole = found(tight, devices)
        monkeypatch.setattr("service.core.training.search.WEIGHED_AT_ONCE", 7)
        assert found(tight, devices) == whole


@settings(max_examples=25)
@given(devices=st.integers(1, 600), gib=st.floats(4, 200))
def test_more_devices_are_never_slower(devices: int, gib: float) -> None:
    problem = SMALL._replace(memory_bytes=gib * GIB)
    fewer, more = search_range(
        problem=problem, devices=(float(devices), 2.0 * devices), step_time=made_up_time(problem)
    )
    assert_legal_and_fitting(problem, fewer)
    assert_legal_and_fitting(problem, more)
    if fewer.best is not None:
        assert more.best is not None
        assert (more.best.step_time_s or 0) <= (fewer.best.step_time_s or 0) * (1 + 1e-9)


def every_layout(problem: Problem, devices: int) -> Layout:
    """All layouts of a small problem that use every device, one by one as a reader would."""
    rows = []
    degrees = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
    for tp, pp, cp, mb in itertools.product(
        (1.0, 2.0, 4.0, 8.0), degrees, (1.0, 2.0), MICRO_BATCHES
    ):
        dp = devices / (tp * pp * cp)
        if dp % 1 or problem.global_batch % (dp * mb):
            continue
        stage = layers_per_stage(layers=problem.architecture.layers, pipeline_parallel=pp)
        chunks = [stage / c for c in CHUNK_LAYERS if pp > 1 and stage % c == 0 and stage > c]
        piped = (problem.global_batch / dp / mb) % pp == 0
        for vp, zero, code in itertools.product(
            [1.0, *(chunks if piped else [])], (1.0, 2.0, 3.0), (0.0, 1.0, 2.0)
        ):
            if zero == 3 and pp > 1:
                continue
            sp = float(tp > 1)
            rows.append((tp, pp, dp, cp, 1.0, mb, vp, zero, sp, code))
    return Layout(*(np.array(column) for column in zip(*rows, strict=True)))


@settings(max_examples=20)
@given(devices=st.sampled_from([1, 2, 4, 8, 16, 32]), gib=st.floats(3, 60))
def test_nothing_faster_is_passed_over(devices: int, gib: float) -> None:
    problem = SMALL._replace(memory_bytes=gib * GIB)
    layouts = every_layout(problem, devices)
    total = np.asarray(
        bytes_per_device(
            architecture=problem.architecture,
            layout=layouts,
            sequence_length=problem.sequence_length,
            global_batch=problem.global_batch,
            recipe=problem.recipe,
        )
    )
    every = np.asarray(made_up_time(problem)(layouts))
    safe = total <= problem.safe_bytes
    fits = safe if safe.any() else total <= problem.memory_bytes
    seconds = np.where(fits, every, np.inf)
    best = found(problem, float(devices)).best
    if best is None:
        assert np.isinf(seconds.min())
    else:
        assert (best.step_time_s or 0) <= seconds.min() * (1 + 1e-9)


def test_sharded_weights_are_offered_but_not_under_a_pipeline_that_gathers_for_each_batch() -> None:
    for problem, devices in ((LLAMA_405B, 16384.0), (SMALL, 32.0)):
        ranked = found(problem, devices, runners_up=10_000).ranked
        stages = {
            candidate.layout.pipeline_parallel
            for candidate in ranked
            if candidate.layout.zero_stage == 3
        }
        assert stages == {1.0}
