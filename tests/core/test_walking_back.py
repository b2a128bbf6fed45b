"""Every figure of a quote can be walked back: to the request, to the catalog, to other figures."""

from inspect import signature

import msgspec
import pytest

from service.core.figures.formulas import REGISTRY
from service.core.figures.sources import Derived, Given
from tests.worlds import answer, asked, embedded, run_of

CLUSTER = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64}
MODEL = {"kind": "transformer", "layers": 32, "hidden_size": 4096, "heads": 32, "vocab_size": 32e3}
LAYOUT = {"tensor_parallel": 2, "pipeline_parallel": 2}
PRETRAINING = {"kind": "pretraining", "model": MODEL, "tokens": 1e11, "software_year": 2024.5}
ANCHOR = {"tokens_per_s_per_device": 1e4, "devices": 32, "layout": LAYOUT}
REINFORCEMENT = {
    "kind": "reinforcement",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "steps": 100,
    "prompts_per_step": 64,
    "samples_per_prompt": 8,
}
WORKS = {
    "pretraining": PRETRAINING,
    "a stated layout": {**PRETRAINING, "layout": LAYOUT, "mfu": 0.4},
    "an anchor of the stage's own": {**PRETRAINING, "anchor": ANCHOR},
    "an anchor of another step": {
        **PRETRAINING,
        "anchor": {**ANCHOR, "sequence_length": 8192, "global_batch_tokens": 2e6, "model": MODEL},
    },
    "adapters": {
        "kind": "finetuning",
        "model": {"kind": "parameters", "total": 8e9},
        "data": {"kind": "examples", "examples": 5e4, "mean_tokens": 512},
        "method": {"kind": "lora"},
        "batching": "padded",
    },
    "generation": {"kind": "generation", "model": MODEL, "requests": 1e6},
    "reinforcement": REINFORCEMENT,
    "reinforcement side by side": {
        **REINFORCEMENT,
        "placement": {"kind": "disaggregated", "off_policy_steps": 2},
    },
    "compute": {"kind": "compute", "flop": {"low": 1e22, "high": 3e22}},
}
CHOOSERS = {"layouts.search", "inference.served", "splits.best_share"}
"""What stands where the service itself chose: its searches."""


@pytest.fixture(scope="module", params=WORKS.values(), ids=list(WORKS))
def quoted(request):
    """A request as understood, with its defaults, and the figures of its quote."""
    body = run_of({"work": request.param}, cluster=CLUSTER, bases=("rental", "owned"))
    return msgspec.to_builtins(asked(body)), answer(body, embedded()).figures


def resolved(document, pointer):
    """What a JSON pointer leads to; raises where it leads nowhere."""
    for step in pointer.split("/")[1:]:
        document = document[int(step)] if isinstance(document, tuple) else document[step]
    return document


def test_what_is_given_stands_in_the_request_where_its_pointer_says(quoted):
    request, figures = quoted
    for figure in figures.values():
        if isinstance(figure.source, Given):
            said = resolved(request, figure.source.pointer)
            assert figure.value == said or "low" in said


def test_inputs_of_formulas_are_figures_and_structure_names_their_other_arguments(quoted):
    _, figures = quoted
    for figure in figures.values():
        source = figure.source
        if isinstance(source, Derived):
            assert set(source.inputs.values()) <= set(figures)
            taken = signature(REGISTRY[source.formula].function).parameters
            assert set(source.structure) <= set(taken)
            assert not set(source.structure) & set(source.inputs)


def test_structure_stands_in_the_request_in_the_catalog_or_in_a_figure(quoted):
    request, figures = quoted
    for figure in figures.values():
        if isinstance(figure.source, Derived):
            for stands in figure.source.structure.values():
                if stands.startswith("/"):
                    resolved(request, stands)
                else:
                    figure_or_row, _, _in_words = stands.partition(": ")
                    known = figure_or_row in figures or stands in CHOOSERS
                    assert known or stands.startswith("models/")
