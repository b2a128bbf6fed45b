"""Fine-tuning and generation through whole quotes, and what holds for every kind of work."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import UnpricedBill, UnpricedLine
from service.core.stages.tuning.stage import padding_of_sequences
from tests.post_training import (
    KINDS,
    LARGE,
    LEARNING,
    TUNING,
    WRITING,
    codes,
    hours,
    stage_of,
    total_bytes,
)
from tests.worlds import told


@pytest.mark.parametrize("kind", KINDS)
def test_hours_have_an_interval_around_their_central_value(kind):
    stage, _ = stage_of(KINDS[kind])
    assert stage.device_hours.p10 < stage.device_hours.central < stage.device_hours.p90


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_does_not_fit_is_a_state_and_not_a_price(kind):
    stage, quoted = stage_of(KINDS[kind] | {"model": LARGE}, devices=1)
    assert stage.feasibility.status == "does_not_fit"
    assert not stage.device_hours
    assert "does_not_fit" in codes(quoted)
    (bill,) = (bill for bill in quoted.bases if bill.basis == "rental")
    assert isinstance(bill, UnpricedBill)
    (line,) = bill.lines
    assert isinstance(line, UnpricedLine)
    assert line.reason == "device_hours_unknown"
    assert line.detail == stage.feasibility.detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_contradictory_model_is_a_state(kind):
    model = {
        "kind": "transformer",
        "layers": 4,
        "hidden_size": 64,
        "heads": 4,
        "kv_heads": 3,
        "vocab_size": 100,
    }
    stage, quoted = stage_of(KINDS[kind] | {"model": model})
    assert stage.feasibility.status == "contradictory"
    assert "contradictory" in codes(quoted)


def test_trained_tokens_are_examples_times_length_times_epochs_and_padding_comes_on_top():
    stage, quoted = stage_of(TUNING | {"padding_share": 0.2})
    assert stage.tokens["trained"].central == 10_000 * 1_000 * 3
    assert stage.tokens["padding"].central == pytest.approx(3e7 * 0.2 / 0.8)
    steps = quoted.figures["stages/0/steps"].value
    processed = quoted.figures["stages/0/processed_tokens"].value
    assert processed == pytest.approx(3e7 / 0.8)
    assert steps == math.ceil(3e7 / 0.8 / 262_144) == 144


def test_padded_examples_each_take_a_whole_sequence():
    """1,000 of 4,096 tokens: 10,000 examples in 3 epochs are 30,000 sequences."""
    _, quoted = stage_of(TUNING | {"batching": "padded"})
    assert quoted.figures["stages/0/processed_tokens"].value == pytest.approx(30_000 * 4_096)


@pytest.mark.parametrize("batching", ["packed", "padded"])
def test_what_padding_wastes_is_assumed_where_nothing_says_it(batching):
    work = TUNING | {"data": {"kind": "tokens", "tokens": 1e9}, "batching": batching}
    _, quoted = stage_of(work)
    assert "assumed_padding" in codes(quoted)


def test_adapters_take_less_time_and_memory_than_full_training_in_the_same_layout():
    layout = {"tensor_parallel": 8, "zero_stage": 0, "recompute": "full"}
    full, lora, qlora = (
        TUNING | {"method": {"kind": kind}, "layout": layout} for kind in ("full", "lora", "qlora")
    )
    assert hours(full) > hours(lora)
    assert hours(qlora) >= hours(lora), "a quantised base is expanded again and again"
    assert total_bytes(full) > total_bytes(lora) > total_bytes(qlora)


@settings(max_examples=15, deadline=None)
@given(
    length=st.sampled_from([256, 1024, 4096]),
    sequences=st.integers(1, 4),
    model=st.sampled_from(["llama-3.1-8b", "mistral-7b-v0.1"]),
)
def test_eight_bits_take_longer_to_unpack_than_four_which_take_longer_than_none(
    length, sequences, model
):
    """A weight of 8 bits is read and written in 3 bytes, one of 4 bits in 2.5; memory is the other
    way around. The engine has no step on 8 bits, so that they say so, and are wider.
    """
    work = TUNING | {
        "model": {"kind": "preset", "id": model},
        "sequence_length": length,
        "global_batch_tokens": 64 * sequences * length,
        "layout": {"micro_batch": sequences, "recompute": "full", "zero_stage": 0},
        "framework": "hf_trainer",
    }
    methods = ({"kind": "lora"}, {"kind": "qlora"}, {"kind": "qlora", "base_format": "int8"})
    (none, _), (four, of_four), (eight, of_eight) = (
        stage_of(work | {"method": method}) for method in methods
    )
    assert none.step.predicted_s < four.step.predicted_s < eight.step.predicted_s
    gemm = [one.step.parts["gemm"] for one in (none, four, eight)]
    assert gemm[2] - gemm[0] == pytest.approx(1.2 * (gemm[1] - gemm[0]))
    weights = [one.memory.parts["weights"] for one in (none, four, eight)]
    assert weights[0] > weights[2] > weights[1]
    assert "unmeasured_format" in codes(of_eight) - codes(of_four)
    width_of_four, width_of_eight = (
        one.step.seconds.p90 / one.step.seconds.p10 for one in (four, eight)
    )
    assert width_of_eight > width_of_four


def test_a_layout_that_cuts_the_model_is_tuned_by_a_framework_that_offers_it():
    for degree, framework in ((8, "megatron"), (1, "hf_eager")):
        layout = {"tensor_parallel": degree, "zero_stage": 3, "recompute": "full"}
        work = TUNING | {"layout": layout}
        unsaid, said = (stage_of(one)[0] for one in (work, work | {"framework": framework}))
        assert unsaid.step.predicted_s == said.step.predicted_s


def test_adapters_keep_gradients_and_states_of_themselves_alone():
    """Rank 16 beside all maps of llama-3.1-8b.

    Trained in full, a parameter has 4 bytes of gradient and 12 of master weight and moments; that
    of an adapter has 2 more for its own weight.
    """
    full, lora = (
        stage_of(TUNING | {"method": method, "layout": {"zero_stage": 0}, "framework": "megatron"})[
            0
        ].memory.parts
        for method in ({"kind": "full"}, {"kind": "lora", "rank": 16, "target": "all_linear"})
    )
    queries_and_output, keys_and_values = 2 * (4_096 + 4_096), 2 * (4_096 + 1_024)
    feed_forward = 3 * (4_096 + 14_336)
    adapters = 32 * 16 * (queries_and_output + keys_and_values + feed_forward)
    assert full["gradients"] + full["optimizer_states"] == 8_030_257_152 * (4 + 12)
    assert lora["gradients"] + lora["optimizer_states"] == pytest.approx(adapters * (4 + 12 + 2))
    assert lora["weights"] == full["weights"]


@settings(max_examples=25, deadline=None)
@given(
    rank=st.integers(1, 65_536),
    target=st.sampled_from(["attention", "query_value", "mlp", "all_linear"]),
    tp=st.sampled_from([1, 2, 8]),
    zero=st.sampled_from([0, 1, 3]),
    kind=st.sampled_from(["lora", "qlora"]),
)
def test_adapters_never_need_more_memory_or_flop_than_full_training(rank, target, tp, zero, kind):
    layout = {"tensor_parallel": tp, "zero_stage": zero, "recompute": "full"}
    model = {"kind": "parameters", "total": 1e9}
    full, part = (
        stage_of(TUNING | {"model": model, "layout": layout, "method": method})[1]
        for method in ({"kind": "full"}, {"kind": kind, "rank": rank, "target": target})
    )
    for figure in ("stages/0/memory/total", "stages/0/flop_per_token"):
        assert part.figures[figure].value <= full.figures[figure].value * (1 + 1e-9)


def test_freezing_everything_leaves_a_forward_pass():
    all_of_it = TUNING | {"method": {"kind": "frozen", "frozen_share": 1.0}}
    none_of_it = TUNING | {"method": {"kind": "frozen", "frozen_share": 0.0}}
    layout = {"layout": {"tensor_parallel": 2, "recompute": "full"}, "startup_hours": 0}
    assert hours(all_of_it | layout) == pytest.approx(hours(none_of_it | layout) / 3)
    assert hours(none_of_it | layout) == pytest.approx(hours(TUNING | layout))


def test_a_rank_beyond_its_matrix_is_counted_as_the_matrix_and_said():
    _, quoted = stage_of(TUNING | {"method": {"kind": "lora", "rank": 4_096}})
    assert "rank_above_matrix" in codes(quoted)


def test_tokens_of_a_generation_are_those_of_its_requests():
    stage, _ = stage_of(WRITING | {"samples_per_prompt": 4, "kept_share": 0.5})
    assert stage.tokens["prompt"].central == 10_000 * 500 / 0.5
    assert stage.tokens["response"].central == 10_000 * 4 * 1_000 / 0.5


def test_speed_times_time_is_what_was_written():
    no_losses = {"goodput": 1.0, "evaluation_share": 0.0, "idle_share": 0.0, "startup_hours": 0}
    stage, _ = stage_of(WRITING | no_losses)
    speed = stage.generation.tokens_per_s_per_device.central
    written = speed * stage.device_hours.central * 3600
    assert written == pytest.approx(stage.tokens["response"].central)


@settings(max_examples=25, deadline=None)
@given(few=st.integers(1, 1_000_000), factor=st.integers(2, 10))
def test_more_samples_never_take_fewer_hours(few, factor):
    less, more = (hours(WRITING | {"requests": n}) for n in (few, few * factor))
    assert less <= more * (1 + 1e-3)


def test_a_lone_request_is_bound_by_memory_or_by_what_comes_beside_it():
    stage, _ = stage_of(WRITING | {"requests": 1, "prompt_tokens": 1}, devices=1)
    assert stage.generation.binding == "memory_bandwidth"


def test_a_serving_layout_as_asked_for_is_the_one_that_is_used():
    serving = {"tensor_parallel": 4, "devices_per_replica": 4}
    stage, quoted = stage_of(WRITING | {"serving": serving})
    assert (stage.generation.tensor_parallel, stage.generation.replicas) == (4, 16)
    assert "assumed_serving" not in codes(quoted)


@pytest.mark.parametrize(
    "serving",
    [
        {"tensor_parallel": 128, "devices_per_replica": 128},
        {"tensor_parallel": 4, "devices_per_replica": 6},
        {"tensor_parallel": 2, "devices_per_replica": 4},
        {"tensor_parallel": 3, "devices_per_replica": 3},
    ],
)
def test_an_impossible_serving_layout_is_a_contradiction(serving):
    stage, _ = stage_of(WRITING | {"serving": serving})
    assert stage.feasibility.status == "contradictory"


def test_the_mean_length_is_assumed_with_a_warning_and_moves_the_answer_most():
    responses = {"most_tokens": 32_768}
    _, quoted = stage_of(LEARNING | {"responses": responses})
    assert "assumed_response_length" in codes(quoted)
    assert quoted.bases[0].drivers[0].figure == "assumptions/inference.response_tokens"


def test_a_mean_above_the_cap_is_cut_to_it_and_said():
    responses = {"mean_tokens": 9_000, "most_tokens": 8_192}
    stage, quoted = stage_of(WRITING | {"responses": responses})
    assert "mean_above_cap" in codes(quoted)
    assert stage.tokens["response"].central == pytest.approx(10_000 * 0.98 * 8_192)


def test_lengths_may_be_given_by_where_nine_in_ten_lie():
    responses = {"between_tokens": {"low": 500, "high": 2_000}}
    stage, quoted = stage_of(WRITING | {"responses": responses})
    assert "assumed_response_length" not in codes(quoted)
    assert 1_000 < stage.tokens["response"].central / 10_000 < 1_200


def test_every_kind_is_answered_the_same_twice():
    for work in KINDS.values():
        once, again = (msgspec.json.encode(stage_of(work)[1]) for _ in range(2))
        assert once == again


@pytest.mark.parametrize(
    ("work", "member", "middle"),
    [
        (LEARNING, "steps", 100),
        (LEARNING, "epochs_per_step", 2),
        (WRITING, "requests", 10_000),
        (WRITING, "samples_per_prompt", 4),
    ],
)
def test_counts_that_are_no_structure_may_be_intervals(work, member, middle):
    certain, _ = stage_of(work | {member: middle})
    unsure = {"low": middle / 2, "central": middle, "high": middle * 2}
    uncertain, quoted = stage_of(work | {member: unsure})
    assert uncertain.device_hours.central == pytest.approx(certain.device_hours.central, rel=1e-9)
    (driver,) = [each for each in quoted.bases[0].drivers if each.figure.endswith(f"/{member}")]
    assert float(driver.total_if_low) < float(quoted.bases[0].total.amount)
    for end, times in ((driver.total_if_low, 0.5), (driver.total_if_high, 2.0)):
        alone, _ = stage_of(work | {member: middle * times})
        best = 2.0 * alone.device_hours.central  # on the layout that is best for so many
        assert best - 0.01 <= float(end) <= 1.1 * best


def test_an_example_fills_a_sequence_of_its_own_as_far_as_it_is_long():
    assert padding_of_sequences(mean_tokens=1_000.0, sequence_length=4_000.0) == 0.75
    assert padding_of_sequences(mean_tokens=5_000.0, sequence_length=4_000.0) == 0.0
    assert padding_of_sequences(mean_tokens=1.0, sequence_length=4_000.0) == 0.99


def test_frozen_weights_have_no_gradients():
    some, all_of_them = (
        stage_of(
            TUNING
            | {
                "method": {"kind": "frozen", "frozen_share": share},
                "layout": {"tensor_parallel": 8, "zero_stage": 0, "recompute": "full"},
            }
        )[0].memory.parts
        for share in (0.75, 0.0)
    )
    assert some["weights"] == all_of_them["weights"]
    for part in ("gradients", "optimizer_states"):
        assert some[part] == pytest.approx(all_of_them[part] / 4)


def test_an_update_learns_from_sequences_of_a_mean_prompt_and_response():
    """64 prompts with 8 responses each, in two updates."""
    _, quoted = stage_of(LEARNING | {"updates_per_step": 2})
    (tokens,) = (
        figure for name, figure in quoted.figures.items() if name.endswith("/tokens_per_update")
    )
    assert tokens.value == 64 * 8 / 2 * (200 + 1_000)


@pytest.mark.parametrize("kind", KINDS)
def test_more_active_parameters_than_there_are_is_a_state(kind):
    model = {"kind": "parameters", "total": 7e9, "active": 8e9}
    stage, quoted = stage_of(KINDS[kind] | {"model": model})
    assert stage.feasibility.status == "contradictory"
    (warning,) = (w for w in told(quoted) if w.code == "contradictory")
    assert warning.pointer == "/run/stages/0/work/model/active"
    model["active"] = 6e9
    assert stage_of(KINDS[kind] | {"model": model})[0].feasibility.status == "fits"


def test_devices_that_a_layout_leaves_out_are_said_to_be_idle():
    layout = {"tensor_parallel": 2, "data_parallel": 16}
    _, some = stage_of(TUNING | {"layout": layout}, devices=64)
    assert "devices_idle" in codes(some)
    _, none = stage_of(TUNING | {"layout": layout}, devices=32)
    assert "devices_idle" not in codes(none)
