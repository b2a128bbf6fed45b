"""Hybrids, encoders, two stacks, images, sparse attention: measured steps and published runs."""

import pytest

from tests.worlds import answer, embedded, told


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


def tuned(model, *, accelerator, devices, **work):
    asked = {"kind": "finetuning", "model": model} | work
    quoted = answer(
        {
            "run": {"name": "published", "stages": [{"name": "published", "work": asked}]},
            "cluster": {"accelerator": accelerator, "devices": devices},
        },
        embedded(),
    )
    assert "unmeasured_model" in {warning.code for warning in told(quoted)}
    return quoted.stages[0]


def test_the_published_run_of_a_model_that_sees_lies_inside():
    """LLaVA-1.5 13B: about 20 hours on 8 A100 for 665,298 conversations, batches of 128.

    A tower of 304M (CLIP ViT-L/14, 336 pixels) is frozen and makes 576 tokens of an image. Text
    beside it is 200 to 700 tokens, cut at 2,048: its mean is not published. DeepSpeed ZeRO-3 by the
    Trainer, with recompute.

    Source: README of haotian-liu/LLaVA, commit 022a105, and scripts/v1_5/finetune.sh.
    """
    hidden = 5120
    projector = 1024 * hidden + hidden * hidden
    found = tuned(
        {
            "kind": "transformer",
            "layers": 40,
            "hidden_size": hidden,
            "heads": 40,
            "ffn_size": 13_824,
            "vocab_size": 32_000,
            "vision": {
                "parameters": 303.5e6 + projector,
                "patches_per_token": 1,
                "frozen": True,
            },
            "image_share": 0.6,
        },
        accelerator="nvidia-a100-sxm-80gb",
        devices=8,
        data={
            "kind": "examples",
            "examples": 665_298,
            "mean_tokens": {"low": 750, "high": 1_300},
        },
        sequence_length=2_048,
        global_batch_tokens=128 * 1_024,
        framework="hf_trainer",
        software_year=2023.5,
        layout={"zero_stage": 3, "micro_batch": 8, "recompute": "full"},
    ).wall_clock_hours
    assert found.p10 <= 20 <= found.p90
    assert found.central == pytest.approx(20, rel=0.3)


def test_the_published_speed_of_sparse_attention_lies_inside():
    """GLM-5.3: 41,664 tokens a second on 256 H100, 256 sequences of 4,096 tokens a step.

    Full tuning by NeMo AutoModel in 16 bits, 32 nodes, pipeline of 4, experts over 64, recompute.
    Source: docs/model-coverage/llm/thudm/GLM-5.mdx of NVIDIA-NeMo/Automodel, commit a0f7592. The
    sizes of latents, experts and the indexer are those of zai-org/GLM-5's configuration (recalled).
    """
    found = tuned(
        {
            "kind": "transformer",
            "layers": 78,
            "hidden_size": 6_144,
            "heads": 64,
            "ffn_size": 12_288,
            "vocab_size": 154_880,
            "attention": "mla",
            "mla": {
                "q_lora_rank": 2_048,
                "kv_lora_rank": 512,
                "qk_nope_head_dim": 192,
                "qk_rope_head_dim": 64,
                "v_head_dim": 256,
            },
            "moe": {
                "experts": 256,
                "experts_per_token": 8,
                "moe_ffn_size": 2_048,
                "shared_experts": 1,
                "first_dense_layers": 3,
            },
            "indexer": {"heads": 32, "head_dim": 128, "selected_tokens": 2_048},
            "mtp_layers": 1,
        },
        accelerator="nvidia-h100-sxm-80gb",
        devices=256,
        data={"kind": "tokens", "tokens": 1e9},
        sequence_length=4_096,
        global_batch_tokens=256 * 4_096,
        software_year=2026.6,
        layout={
            "pipeline_parallel": 4,
            "expert_parallel": 64,
            "zero_stage": 3,
            "micro_batch": 1,
            "recompute": "full",
        },
    ).tokens_per_s_per_device
    assert found.p10 <= 41_664 / 256 <= found.p90
