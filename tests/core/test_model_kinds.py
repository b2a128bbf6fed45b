"""Hybrids, encoders, two stacks and vision towers: parameters, FLOP, and laws of what they cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.figures.ledger import Ledger
from service.core.model.flop import forward_flop_per_token_causal
from service.core.model.parameters import params_active, params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import (
    Encoder,
    Indexer,
    Mixer,
    Transformer,
    VisionTower,
    contradictions,
)
from service.core.serving.decoding import cache_bytes_per_sequence
from service.core.training.steptime.work import work_of
from tests.worlds import answer, embedded, told

SHAPE = {"layers": 24, "hidden_size": 2048, "heads": 16, "kv_heads": 4, "vocab_size": 32000}
lengths = st.sampled_from([512.0, 4096.0, 65_536.0])


def shaped(**more):
    transformer = Transformer(**SHAPE | more)
    assert not contradictions(transformer)
    return architecture_of(transformer)


def forward(architecture, length=4096.0):
    return forward_flop_per_token_causal(architecture=architecture, sequence_length=length)


def number(datum):
    return Ledger().take(datum).central


PUBLISHED = {
    "qwen3-next-80b-a3b": 79_674_391_296,
    "qwen2.5-vl-7b": 8_292_166_656,
    "t5-11b": 11_307_321_344,
    "modernbert-large": 395_881_664,
}
"""Parameters of the weights that their makers published, index files of safetensors."""


@pytest.mark.parametrize(("id", "count"), PUBLISHED.items())
def test_parameters_are_those_of_the_published_weights(id, count):
    assert number(embedded().models[id].params_total) == count


def test_active_parameters_of_a_hybrid_are_those_of_its_maker():
    """3,874,929,408 in Qwen3-Next, embeddings among them; 3.6 billion in Nemotron 3 Nano."""
    assert number(embedded().models["qwen3-next-80b-a3b"].params_active) == 3_874_929_408
    nano = embedded().models["nemotron-3-nano-30b-a3b"].params_active
    assert number(nano) == pytest.approx(3.6e9, rel=0.01)


MIXER = Mixer(kind="mamba2", layers=18, heads=64, head_dim=64, state_dim=128, groups=8)


def test_parameters_of_a_mamba_layer_by_hand():
    """Inputs 2 x 4,096 + 2 x 8 x 128 + 64 wide, a convolution over 4 tokens, outputs 4,096 wide."""
    inner, convolved = 64 * 64, 64 * 64 + 2 * 8 * 128
    matrices = 2048 * (inner + convolved + 64) + inner * 2048
    other = convolved * (4 + 1) + 3 * 64 + inner
    hybrid, plain = shaped(mixer=MIXER), shaped()
    attention = 2 * 2048 * 2048 + 2 * 2048 * 4 * 128
    found = params_total(architecture=hybrid) - params_total(architecture=plain)
    assert found == pytest.approx(18 * (matrices + other - attention))
    scan = 7 * inner * 128
    assert forward(hybrid).mixers == pytest.approx(18 * (2 * matrices + scan))


@given(length=lengths)
def test_a_mixer_costs_a_token_the_same_at_every_length(length):
    assert forward(shaped(mixer=MIXER), length).mixers == forward(shaped(mixer=MIXER)).mixers
    every = forward(shaped(), length).attention_core
    assert forward(shaped(mixer=MIXER), length).attention_core == pytest.approx(every * 6 / 24)


@given(kind=st.sampled_from(["mamba2", "gated_deltanet", "linear_attention"]), length=lengths)
def test_the_step_does_the_flop_that_the_model_has(kind, length):
    """What the engine times, layer by layer, is what a token costs; parameters likewise."""
    for architecture in (
        shaped(mixer=Mixer(kind=kind, layers=16, heads=32, head_dim=64)),
        shaped(bidirectional=True, head_share=0.2),
        shaped(encoder=Encoder(layers=12)),
        shaped(vision=VisionTower(parameters=6e8), image_share=0.5),
        shaped(indexer=Indexer(heads=8, head_dim=64, selected_tokens=1024)),
        shaped(attention_layers=4, ffn_layers=8, mixer=Mixer(kind=kind, layers=12, heads=8,
                                                             head_dim=64)),
    ):  # fmt: skip
        work = work_of(architecture=architecture, sequence_length=length)
        layer = work.projection_flop + work.core_flop + work.mixer_flop + work.ffn_flop
        whole = work.layers * layer + work.logits_flop
        assert whole == pytest.approx(forward(architecture, length).total, rel=1e-9)
        assert work.train_flop == pytest.approx(3 * whole, rel=1e-9)
        held = work.layers * work.layer_params + work.vocabulary_params
        assert held == pytest.approx(params_total(architecture=architecture), rel=1e-4)


def test_attention_without_a_mask_sees_twice_as_much():
    both, causal = forward(shaped(bidirectional=True)), forward(shaped())
    assert both.attention_core == 2 * causal.attention_core
    assert both.ffn == causal.ffn


def test_a_head_that_sees_masked_positions_computes_no_other():
    assert forward(shaped(head_share=0.15)).logits == pytest.approx(0.15 * forward(shaped()).logits)


def test_two_stacks_each_run_their_own_tokens():
    """Of 4,096 tokens 3,072 are read and 1,024 written: 12 layers of each, and across."""
    stacks = forward(shaped(encoder=Encoder(layers=12, input_share=0.75)))
    one = forward(shaped())
    assert stacks.ffn == pytest.approx(one.ffn / 2)
    assert stacks.logits == pytest.approx(one.logits / 4)
    unit = 2 * 16 * (128 + 128)
    reading = 12 * 0.75 * unit * 3072
    writing = 12 * 0.25 * unit * (512 + 3072)
    assert stacks.attention_core == pytest.approx(reading + writing)


@given(length=lengths)
def test_an_indexer_never_costs_more_than_all_keys_and_its_scores(length):
    indexer = Indexer(heads=8, head_dim=64, selected_tokens=1024)
    sparse, dense = forward(shaped(indexer=indexer), length), forward(shaped(), length)
    scores = 24 * 2 * (length / 2) * 8 * 64
    assert sparse.attention_core <= dense.attention_core + scores
    if length > 2048:
        assert sparse.attention_core < dense.attention_core


def test_keys_of_a_hybrid_grow_only_where_there_is_attention():
    hybrid, plain = shaped(mixer=MIXER), shaped()

    def grown(architecture):
        long, short = (
            cache_bytes_per_sequence(architecture=architecture, context_tokens=tokens)
            for tokens in (9_000.0, 1_000.0)
        )
        return long - short

    assert grown(hybrid) == pytest.approx(grown(plain) * 6 / 24)


@given(share=st.floats(0.0, 1.0))
def test_images_cost_what_their_patches_do(share):
    tower = VisionTower(parameters=6e8, patches_per_token=4)
    seen = forward(shaped(vision=tower, image_share=share))
    assert seen.tower == pytest.approx(2 * 6e8 * 4 * share)
    assert seen.total == pytest.approx(forward(shaped()).total + seen.tower)
    frozen = VisionTower(parameters=6e8, patches_per_token=4, frozen=True)
    third = forward(shaped(vision=frozen, image_share=share)).tower
    assert third == pytest.approx(seen.tower / 3)
    assert params_active(architecture=shaped(vision=tower)) == pytest.approx(
        params_active(architecture=shaped()) + 6e8
    )


@pytest.mark.parametrize(
    ("wrong", "member"),
    [
        ({"mixer": Mixer(kind="mamba2", layers=24, heads=8, head_dim=64)}, "mixer/layers"),
        ({"attention_layers": 30}, "attention_layers"),
        ({"encoder": Encoder(layers=24)}, "encoder/layers"),
        ({"encoder": Encoder(layers=12), "bidirectional": True}, "encoder"),
        ({"image_share": 0.5}, "image_share"),
    ],
)
def test_kinds_that_exclude_each_other_are_told(wrong, member):
    assert member in [name for name, _ in contradictions(Transformer(**SHAPE | wrong))]


def quoted(model, kind="pretraining", **more):
    work = {"kind": kind, "model": model} | more
    return answer(
        {
            "run": {"name": "kinds", "stages": [{"name": "kinds", "work": work}]},
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 8},
        },
        embedded(),
    )


def test_what_was_never_measured_says_so_and_is_wider():
    seen = quoted({"kind": "preset", "id": "qwen2.5-vl-7b", "image_share": 0.5}, tokens=1e10)
    text = quoted({"kind": "preset", "id": "qwen2.5-7b"}, tokens=1e10)
    assert "unmeasured_model" in {warning.code for warning in told(seen)}
    assert "unmeasured_model" not in {warning.code for warning in told(text)}
    wide, narrow = seen.stages[0].device_hours, text.stages[0].device_hours
    assert wide.p90 / wide.p10 > 1.1 * narrow.p90 / narrow.p10
    assert wide.central > narrow.central


@pytest.mark.parametrize(
    ("preset", "unmeasured"),
    [
        ("nemotron-h-8b", False),
        ("qwen3-next-80b-a3b", True),
        ("minimax-text-01", True),
        ("deepseek-v3.2", True),
        ("t5-11b", True),
        ("modernbert-base", False),
    ],
)
def test_kinds_of_mixers_and_of_attention_that_were_never_measured_say_so(preset, unmeasured):
    told_of = told(quoted({"kind": "preset", "id": preset}, tokens=1e9))
    assert ("unmeasured_model" in {warning.code for warning in told_of}) == unmeasured


def test_images_that_are_not_said_are_assumed_and_told():
    codes = {
        one.code for one in told(quoted({"kind": "preset", "id": "qwen2.5-vl-7b"}, tokens=1e9))
    }
    assert "assumed_images" in codes


def test_an_encoder_is_asked_to_write_nothing():
    found = quoted({"kind": "preset", "id": "modernbert-large"}, "generation", requests=100)
    assert not found.stages[0].device_hours


def test_images_of_a_model_that_reads_are_a_contradiction():
    found = quoted({"kind": "preset", "id": "qwen2.5-7b", "image_share": 0.5}, tokens=1e9)
    assert "contradictory" in {warning.code for warning in told(found)}
