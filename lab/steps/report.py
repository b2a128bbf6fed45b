"""`python -m lab steps report`: errors by what rows have in common, terms, constants."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lab.files import ENGINE, Texts
from lab.steps.fit import NOISE_LOG, fit, left_out
from lab.steps.refit import Refit, errors_of, folds_in, is_ordinary, load_space, refit
from lab.steps.refit import witness as refit_witness
from service.core.catalog.catalog import Catalog
from service.core.figures.arrays import Array
from service.scoring.steps.score import kind_of, score_of, summary

REPORT: Final = ENGINE / "report.md"
# A term is taken out by holding the constants that make it up at a value at which it does nothing.
ABSENT: dict[str, dict[str, float]] = {
    "tile width of products": {"tile_width": 1e-6},
    "older products": {"gemm_ratio_2022": 1.0},
    "nvfp4 ratio": {"nvfp4_ratio": 1.0},
    "int8 ratio": {"int8_ratio": 1.0},
    "attention kernels of 2023": {"attention_ratio_2023": 1.0},
    "narrow heads on TPUs": {"narrow_head_ratio_tpu": 1.0},
    "element-wise": {"hidden_passes": 1e-6, "ffn_passes": 1e-6},
    "element-wise of feed-forward": {"ffn_passes": 1e-6},
    "passes of eager stacks": {"eager_pass_ratio": 1.0},
    "passes of adapters": {"adapter_pass_ratio": 1.0, "adapter_pass_ratio_eager": 1.0},
    "passes of nvfp4": {"nvfp4_passes": 1e-6},
    "unpacking of quantised weights": {"unpacked_bytes": 1e-6},
    "host of eager stacks": {"layer_host_s_eager": 1.2e-4},
    "host of adapters": {"adapter_host_ratio": 1.0},
    "host of sharded weights": {"shard_host_ratio": 1.0},
    "gathers whatever they move": {"shard_layer_s": 1e-9},
    "attention of older kernels": {"attention_ratio_ported": 1.0},
    "newest attention kernels": {"attention_ratio_newest": 1.0, "attention_keys": 1e-6},
    "length in the newest kernels": {"attention_keys": 1e-6},
    "products on young devices": {"young_gemm_ratio": 1.0},
    "experts on young devices": {"young_expert_ratio": 1.0},
    "host before 2023": {"layer_host_s_2022": 1e-9},
    "host of the step": {"step_host_s": 1e-9},
    "loss": {"logit_bytes": 1e-6},
    "uneven stages": {"stage_imbalance": 1e-6},
    "tensor-parallel traffic": {"tensor_exposed": 1e-6, "tensor_exposed_2022": 1e-6},
    "hand-over between stages": {"transfer_exposed": 1e-6},
    "context-parallel traffic": {"context_exposed": 1e-6},
    "replicas": {"data_exposed": 1e-6, "data_exposed_2022": 1e-6},
    "replicas before 2023": {"data_exposed_2022": 0.45},
    "ZeRO-3 traffic": {"shard_bytes": 1e-6},
    "ZeRO-3 beside compute": {"shard_sum": 1e-6},
    "ZeRO-3 of 2021": {"shard_slowdown_2022": 1.0},
    "fused experts": {"expert_ratio_fused": 0.58},
    "odd widths of experts": {"odd_width_ratio": 1.0},
    "tile width of experts": {"expert_tile_width": 1e-6},
    "all-to-all inside a domain": {"expert_exposed": 1e-6},
    "all-to-all between domains": {"expert_exposed_out": 1e-6},
    "selective recompute under XLA": {"selective_share_xla": 1e-6},
    "other mixers": {"mixer_ratio": 1.0},
    "stragglers": {"scale_per_doubling": 1e-9},
}


def made(catalog: Catalog) -> Texts:
    """The report of a fit to today's measurements, with the fits that leave a term out."""
    done = refit(catalog)
    return {REPORT: report_of(done, ablations(done))}


def witness(catalog: Catalog) -> Iterator[str]:
    """What the report hangs on: what the fit does."""
    return refit_witness(catalog)


def ablations(done: Refit) -> dict[str, dict[str, Any]]:
    """Cross-validated errors without each term, everything else fitted anew.

    `objective` is the mean soft loss per row, where a term that few rows touch shows too.
    """
    folds = list(folds_in(done.batch))
    found = {"none left out": _ablated(done, done.by_group)}
    for term, held in ABSENT.items():
        space = load_space(done.batch, without=held)
        start = fit(done.batch, space).logs
        found[term] = _ablated(done, left_out(done.batch, folds, space, start=start))
    return found


def _ablated(done: Refit, predicted: Array) -> dict[str, Any]:
    errors = predicted / done.batch.measured_s - 1
    logs = np.log(predicted / done.batch.measured_s) / NOISE_LOG
    loss = np.average(2 * (np.sqrt(1 + logs * logs) - 1), weights=done.batch.weights)
    return {**summary(errors), "objective": float(loss)}


def report_of(done: Refit, terms: dict[str, dict[str, Any]]) -> str:
    """The whole report."""
    tuned, ordinary = (
        _scores(done, rows) for rows in (~is_ordinary(done.batch), is_ordinary(done.batch))
    )
    grouped, source = tuned
    lines = [
        "# How close the step-time engine comes to measured steps",
        "",
        "Written by `python -m lab steps report`. Errors are predicted over measured step time",
        "minus one, in percent, on rows that the fit did not see: *grouped* leaves out a fifth of",
        "the configurations, *source* the whole family of sources.",
        "",
        "| rows | grouped median | p90 | bias | source median | p90 | bias |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        _line(f"all {grouped['rows']}", grouped, source),
        _line(f"ordinary stacks {ordinary[0]['rows']}", *ordinary),
        "",
        "The first line is of tables of tuned stacks, the second of Hugging Face's Trainer, FSDP,",
        "LoRA, QLoRA and other stacks as people run them. Both are fitted together. What follows",
        "is of the first, but for the sources of the second.",
        "",
        "## By source, ordinary stacks",
        "",
        *_head("source"),
        *(
            _line(f"{name} ({part['rows']})", part, ordinary[1]["by"]["source"][name])
            for name, part in ordinary[0]["by"]["source"].items()
        ),
    ]
    for label in ("kind", "source", "accelerator", "precision", "parallelism"):
        lines += ["", f"## By {label}", "", *_head(label)]
        for name, part in grouped["by"][label].items():
            lines.append(_line(f"{name} ({part['rows']})", part, source["by"][label][name]))
    lines += ["", "## Coverage", "", *_coverage(done)]
    lines += ["", "## Without each term", "", *_terms(terms)]
    lines += ["", "## Constants", "", *_constants(done)]
    return "\n".join(lines) + "\n"


def _scores(done: Refit, rows: NDArray[np.bool_]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scores of some rows: by fits without their group, and without their source."""
    batch = done.batch.at(rows)
    return score_of(batch, done.by_group[rows]), score_of(batch, done.by_source[rows])


def _head(label: str) -> list[str]:
    return [
        f"| {label} | grouped median | p90 | bias | source median | p90 | bias |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]


def _line(name: str, *scores: dict[str, Any]) -> str:
    cells = [
        f"{100 * score[key]:.1f}"
        for score in scores
        for key in ("median_abs_error", "p90_abs_error", "median_bias")
    ]
    return f"| {name} | {' | '.join(cells)} |"


def _coverage(done: Refit) -> list[str]:
    """How often the interval of a kind's own residuals, from the others' folds, holds the row."""
    logs = np.log(done.batch.measured_s / done.by_group)
    kinds = np.array([kind_of(row) for row in done.batch.rows])
    folds = folds_in(done.batch)
    lines = [
        "Share of rows inside the 90% interval that the residuals of the other folds give:",
        "",
    ]
    for kind in np.unique(kinds):
        inside = []
        for fold in np.unique(folds):
            others = logs[(kinds == kind) & (folds != fold)]
            low, high = np.quantile(others, (0.05, 0.95))
            mine = logs[(kinds == kind) & (folds == fold)]
            inside.append((mine >= low) & (mine <= high))
        lines.append(f"- {kind}: {100 * np.mean(np.concatenate(inside)):.0f}%")
    for error in errors_of(done):
        quantiles = ", ".join(f"{100 * (np.exp(q) - 1):+.0f}%" for q in error["quantiles"])
        lines.append(
            f"- measured over predicted, {error['kind']}: sigma {error['sigma']:.3f};"
            f" 5, 25, 50, 75, 95% at {quantiles}"
        )
    return lines


def _terms(terms: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "Grouped cross-validation with the term taken out and all else fitted anew. Loss is the",
        "mean soft loss per row: a term earns its place where the loss rises without it.",
        "Links (hand-over, context and expert traffic), stragglers and the loss stay in it",
        "although rows hardly tell: a search for layouts would take them to be free.",
        "Filled pipelines, exchange beside compute and expert groups are in no row: a request may",
        "say them, and they follow published formulas without a constant of this fit.",
        "",
        "| without | median | p90 | bias | loss |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, score in terms.items():
        cells = [
            f"{100 * score[key]:.2f}"
            for key in ("median_abs_error", "p90_abs_error", "median_bias")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {score['objective']:.3f} |")
    return lines


def _constants(done: Refit) -> list[str]:
    values, spread = done.whole.space.values(done.whole.logs), dict[str, float]()
    deviations = np.sqrt(np.diag(done.whole.covariance))
    for name, deviation in zip(done.whole.space.names, deviations, strict=False):
        spread[name] = float(deviation)
    lines = [
        "| constant | value | relative error | prior | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in done.constants:
        error = f"{100 * spread[row.name]:.0f}%" if row.name in spread else "held"
        lines.append(
            f"| {row.name} | {values[row.name]:.4g} {row.unit} | {error} | {row.prior:.4g}"
            f" | {row.meaning} |"
        )
    return lines
