"""Hybrids, encoders and two stacks: measured steps and published runs, from the presets."""

import pytest

from tests.worlds import answer, embedded


def stage_of(model, *, accelerator, devices, **work):
    quoted = answer(
        {
            "run": {
                "name": "published",
                "stages": [
                    {
                        "name": "published",
                        "work": {"kind": "pretraining", "model": model, "tokens": 1e11} | work,
                    }
                ],
            },
            "cluster": {"accelerator": accelerator, "devices": devices},
        },
        embedded(),
    )
    return quoted.stages[0]


@pytest.mark.parametrize(
    ("cluster", "precision", "batch", "measured"),
    [
        (("nvidia-gb200", 8), "mxfp8", (2, 512), 34_816.0),
        (("nvidia-h100-sxm-80gb", 16), "fp8", (1, 1_024), 14_719.0),
    ],
    ids=["gb200", "h100"],
)
def test_steps_of_a_hybrid_are_those_that_were_measured(cluster, precision, batch, measured):
    """Nemotron 3 Nano in Megatron-Bridge 26.06: 23 Mamba-2 layers, 6 of attention, 23 of experts.

    Source: performance summary of Megatron-Bridge, containers 26.06 and 26.06.01. The engine was
    fitted to these rows by the FLOP that they print; here they follow from the preset.
    """
    (accelerator, devices), (micro_batch, sequences) = cluster, batch
    found = stage_of(
        {"kind": "preset", "id": "nemotron-3-nano-30b-a3b"},
        accelerator=accelerator,
        devices=devices,
        precision=precision,
        sequence_length=8192,
        global_batch_tokens=sequences * 8192,
        framework="megatron",
        software_year=2026.5,
        layout={"expert_parallel": 8, "micro_batch": micro_batch, "recompute": "none"},
    ).tokens_per_s_per_device
    assert found.central == pytest.approx(measured, rel=0.2)


BERT_LARGE = {
    "kind": "transformer",
    "layers": 24,
    "hidden_size": 1024,
    "heads": 16,
    "ffn_size": 4096,
    "gated_ffn": False,
    "vocab_size": 30528,
    "tied_embeddings": True,
    "norm": "layernorm",
    "bidirectional": True,
    "head_share": 0.15,
}


def test_steps_of_an_encoder_are_those_that_were_measured():
    """BERT-large, sequences of 128, on one A100: 74,240 tokens a second.

    Source: NVIDIA's BERT for PyTorch, container 21.11: fp16, micro-batches of 256, fused kernels.
    """
    found = stage_of(
        BERT_LARGE,
        accelerator="nvidia-a100-sxm-80gb",
        devices=1,
        precision="fp16",
        sequence_length=128,
        global_batch_tokens=8192 * 128,
        software_year=2021.9,
        framework="megatron",
        layout={"micro_batch": 256, "recompute": "none"},
    ).tokens_per_s_per_device
    assert found.central == pytest.approx(74_240, rel=0.25)


def test_the_published_run_of_two_stacks_lies_inside():
    """T5-11B: 245,760 TPU v3 hours for 2^20 steps of 2,048 inputs of 512 tokens, 114 written each.

    Source: Patterson et al. 2021 (arXiv 2104.10350, table 4), 512 TPU v3 for 20 days.
    """
    inputs, targets = 512, 114
    found = stage_of(
        {
            "kind": "transformer",
            "layers": 48,
            "hidden_size": 1024,
            "heads": 128,
            "head_dim": 128,
            "ffn_size": 65_536,
            "gated_ffn": False,
            "vocab_size": 32_128,
            "tied_embeddings": True,
            "encoder": {"layers": 24, "input_share": inputs / (inputs + targets)},
        },
        accelerator="google-tpu-v3",
        devices=512,
        tokens=1e12 * (inputs + targets) / inputs,
        sequence_length=inputs + targets,
        global_batch_tokens=2048 * (inputs + targets),
        software_year=2019.8,
    ).device_hours
    assert found.p10 <= 245_760 <= found.p90
