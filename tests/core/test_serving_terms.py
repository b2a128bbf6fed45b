"""What a request may say of its servers, and what a quote makes of it."""

from typing import Any

import pytest

from tests.worlds import answer, embedded, told

WORK: dict[str, Any] = {
    "kind": "generation",
    "model": {"kind": "preset", "id": "llama-3.1-70b"},
    "requests": 512,
    "prompt_tokens": 500,
    "responses": {"mean_tokens": 500, "most_tokens": 1024},
}


def stage_of(devices: int = 2, accelerator: str = "nvidia-h100-sxm-80gb", **work: Any) -> Any:
    quoted = answer(
        {
            "run": {"name": "served", "stages": [{"name": "stage", "work": WORK | work}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        embedded(),
    )
    return quoted.stages[0], quoted


def concurrent(**serving: Any) -> float:
    stage, _ = stage_of(serving={"tensor_parallel": 2} | serving)
    return float(stage.generation.concurrent_sequences.central)


def test_seventy_billion_parameters_in_16_bits_are_served_on_two_devices_of_80_gb():
    """141 GB of weights: 65.7 GiB on each device, of 71.3 that a server takes."""
    stage, _ = stage_of(serving={"tensor_parallel": 2})
    assert stage.feasibility.status == "fits"
    assert stage.memory.parts["weights"] == pytest.approx(70.55e9, rel=0.01)
    assert stage.memory.total_bytes <= 0.92 * stage.memory.capacity_bytes


def test_what_a_server_may_take_of_memory_bounds_its_sequences():
    assert concurrent(memory_share=0.88) < concurrent(memory_share=0.95)
    stage, quoted = stage_of(serving={"tensor_parallel": 2, "memory_share": 0.75})
    assert stage.feasibility.status == "does_not_fit"
    assert "does_not_fit" in {each.code for each in told(quoted)}


def test_a_cache_in_eight_bits_holds_twice_the_sequences():
    assert concurrent(cache_precision="fp8") == pytest.approx(2 * concurrent(), rel=1e-9)


def test_the_most_sequences_that_are_said_hold():
    assert concurrent(cache_precision="fp8", most_sequences=3) == 3


def test_weights_of_four_bits_leave_embedding_and_head_in_sixteen():
    """4.5 bits for each weight between them: 8.03 billion less 2 x 128,256 x 4,096."""
    ends = 2 * 128_256 * 4_096
    stage, _ = stage_of(
        devices=1,
        accelerator="nvidia-b200-sxm",
        model={"kind": "preset", "id": "llama-3.1-8b"},
        precision="nvfp4",
    )
    assert stage.memory.parts["weights"] == pytest.approx(
        0.5625 * (8_030_261_248 - ends) + 2 * ends, rel=1e-3
    )


def test_terms_without_a_layout_leave_the_layout_to_the_service():
    stage, quoted = stage_of(devices=4, serving={"memory_share": 0.93, "engine": "vllm"})
    assert stage.feasibility.status == "fits"
    assert "assumed_serving" in {each.code for each in told(quoted)}


@pytest.mark.parametrize(
    ("serving", "member"),
    [
        ({"tensor_parallel": 1, "pipeline_parallel": 4}, "devices_per_replica"),
        ({"tensor_parallel": 1, "devices_per_replica": 2}, "devices_per_replica"),
        ({"tensor_parallel": 3}, "tensor_parallel"),
    ],
)
def test_a_layout_that_cannot_be_points_at_its_member(serving: dict[str, int], member: str):
    _, quoted = stage_of(devices=3, serving=serving)
    (warning,) = [each for each in told(quoted) if each.code == "contradictory"]
    assert warning.pointer == f"/run/stages/0/work/serving/{member}"


def test_layers_may_be_split_over_devices():
    stage, _ = stage_of(serving={"tensor_parallel": 1, "pipeline_parallel": 2})
    assert stage.feasibility.status == "fits"
    assert (stage.generation.replicas, stage.generation.devices_per_replica) == (1, 2)


def test_a_known_engine_has_a_narrower_interval():
    def width(**serving: str) -> float:
        stage, _ = stage_of(serving={"tensor_parallel": 2} | serving)
        rate = stage.generation.tokens_per_s_per_device
        return float(rate.p90 / rate.p10)

    assert width(engine="tensorrt_llm") < width()
    assert width(engine="tensorrt_llm") <= 3.0
