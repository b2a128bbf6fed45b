"""The framework that trains: what is taken where none is said, what it offers, and its host."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.figures.vocabulary import Framework, FrameworkName
from service.core.training.frameworks import FRAMEWORK_OF_STACK, FRAMEWORKS
from tests.worlds import answer, embedded, run_of

PRESET = {"kind": "preset", "id": "llama-3.1-8b"}
TUNING = {
    "kind": "finetuning",
    "model": PRESET,
    "data": {"kind": "tokens", "tokens": 1e7},
    "method": {"kind": "lora"},
    "sequence_length": 2048,
    "global_batch_tokens": 131_072,
}
PRETRAINING = {
    "kind": "pretraining",
    "model": {"kind": "preset", "id": "gpt2-small"},
    "tokens": 1e9,
    "sequence_length": 1024,
    "global_batch_tokens": 8_192,
    "layout": {"micro_batch": 1, "zero_stage": 0, "recompute": "none"},
}


def stage(work, *, accelerator="nvidia-h100-sxm-80gb", devices=8, **cluster):
    cluster = {"accelerator": accelerator, "devices": devices, **cluster}
    return answer(run_of({"work": work}, cluster=cluster), embedded()).stages[0]


def test_every_name_is_of_a_kind_and_every_kind_stands_for_itself():
    assert set(FRAMEWORK_OF_STACK) == set(get_args(FrameworkName))
    kinds = set(get_args(Framework))
    assert set(FRAMEWORKS) == kinds
    assert all(FRAMEWORK_OF_STACK[kind] == kind for kind in kinds)


@pytest.mark.parametrize(
    ("work", "cluster", "framework"),
    [
        (TUNING, {}, "hf_eager"),
        (TUNING | {"framework": "nemo"}, {}, "megatron"),
        (TUNING, {"devices": 128}, "megatron"),  # twice as many as sequences
        (TUNING, {"accelerator": "google-tpu-v5p"}, "xla"),
        (PRETRAINING, {"devices": 1}, "megatron"),
        (PRETRAINING | {"framework": "torchtitan"}, {"devices": 1}, "torch_compile"),
    ],
)
def test_a_step_says_the_framework_that_is_usual_for_the_work_or_was_said(work, cluster, framework):
    assert stage(work, **cluster).step.framework == framework


def test_a_lora_on_one_node_is_replicated_and_not_cut_into_stages():
    layout = stage(TUNING).layout
    cuts = (layout.tensor_parallel, layout.pipeline_parallel, layout.context_parallel)
    assert cuts == (1, 1, 1)
    assert layout.virtual_stages == 1


TUNED_ON_A_NODE = st.fixed_dictionaries(
    {
        "model": st.sampled_from(
            ["llama-3.2-1b", "llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b"]
        ),
        "devices": st.integers(1, 8),
        "sequences": st.sampled_from([1, 3, 4, 7, 16, 64]),
        "length": st.sampled_from([512, 4096, 32_768]),
        "method": st.sampled_from(["full", "lora", "qlora"]),
        "framework": st.sampled_from([None, "megatron", "torchtune", "hf_trainer", "deepspeed"]),
    }
)


def tuned_on_a_node(drawn, **more):
    length = drawn["length"]
    return stage(
        {
            "kind": "finetuning", "model": {"kind": "preset", "id": drawn["model"]},
            "data": {"kind": "tokens", "tokens": 1e8}, "method": {"kind": drawn["method"]},
            "sequence_length": length, "global_batch_tokens": length * drawn["sequences"],
        }
        | ({"framework": drawn["framework"]} if drawn["framework"] else {})
        | more,
        devices=drawn["devices"],
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(drawn=TUNED_ON_A_NODE)
def test_tuning_on_a_node_has_no_chunks_of_stages_and_seven_devices_no_seven_stages(drawn):
    found = tuned_on_a_node(drawn)
    if found.feasibility.status != "does_not_fit":
        assert found.layout.virtual_stages == 1
        assert found.layout.pipeline_parallel != 7


@settings(max_examples=10, deadline=None)
@given(drawn=TUNED_ON_A_NODE, each=st.sampled_from([1, 4]))
def test_the_search_prefers_what_the_framework_offers(drawn, each):
    """A trainer that cuts no models has replicas as long as sharded ones surely fit."""
    drawn |= {"framework": "hf_trainer", "sequences": each * drawn["devices"]}
    layout = tuned_on_a_node(drawn).layout
    cuts = layout.tensor_parallel * layout.pipeline_parallel
    if cuts * layout.context_parallel * layout.expert_parallel > 1:
        uncut = {"zero_stage": 3, "micro_batch": 1, "recompute": "full"}
        assert tuned_on_a_node(drawn, layout=uncut).feasibility.status != "fits"


def test_what_fits_in_no_layout_of_the_framework_is_searched_for_in_all():
    long = {"sequence_length": 131_072, "global_batch_tokens": 1_048_576}
    found = stage(TUNING | long | {"method": {"kind": "full"}})
    assert found.step.framework == "hf_eager"
    assert found.feasibility.status == "fits"
    cuts = found.layout.tensor_parallel * found.layout.pipeline_parallel
    assert cuts * found.layout.context_parallel > 1


def test_seven_devices_do_not_make_seven_stages():
    found = stage(TUNING | {"framework": "megatron", "method": {"kind": "full"}}, devices=7)
    assert found.layout.pipeline_parallel != 7


def test_small_micro_batches_wait_for_the_host_of_eager_stacks():
    captured, compiled, eager = (
        stage(PRETRAINING | {"framework": name}, devices=1).step.seconds.central
        for name in ("megatron", "torchtitan", "hf_trainer")
    )
    assert captured < compiled < eager
    forced = stage(PRETRAINING | {"framework": "hf_trainer", "compile": True}, devices=1)
    assert forced.step.seconds.central < eager


def test_devices_that_share_a_link_can_be_said():
    work = PRETRAINING | {
        "model": PRESET,
        "global_batch_tokens": 65_536,
        "layout": {"tensor_parallel": 4, "micro_batch": 1},
    }
    cluster = {"accelerator": "nvidia-gh200-96gb", "devices": 4}
    apart, together = (
        stage(work, **cluster, **said).step.parts["tensor_parallel"]
        for said in ({}, {"devices_per_domain": 4})
    )
    assert together < apart / 3
