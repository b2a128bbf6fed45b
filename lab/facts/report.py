"""`python -m lab facts report`: memory and generation against what was measured, in Markdown."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from lab.facts.memory import CONSTANTS, Peak, by_source, fitted, left_out, peaks_of, size
from lab.files import GENERATION_FACTS, MEMORY_FACTS, ROOT, Texts
from service.core.catalog.catalog import Catalog
from service.core.training.formats import STACK_BYTES
from service.scoring.generation.score import score_generation
from service.scoring.memory.score import score_memory

FILE: Final = ROOT / "docs" / "accuracy-memory.md"
HEADER: Final = """\
# Memory and generation, predicted and measured

Made by `python -m lab facts report`; `make check-generated` keeps it current. Each fact is put as
the work of a request, and told what a quote would tell (`runquote accuracy --memory` and
`--generation`). The form of both models was chosen with all rows in view.

## Memory

A run is `fits` if it needs less than the device has by the error of the estimate, `does_not_fit` if
it needs more by as much, and `tight` between the two: it may run, or run out of memory. The error
is {megatron:.0%} for Megatron and XLA (sixteen peaks that SimuMax measured lie within 6%) and
{pytorch:.0%} for PyTorch's own allocator: about two in three of the peaks below are nearer. An
error is the predicted over the measured peak, less one.
"""


def made(catalog: Catalog) -> Texts:
    """The report as today's engine makes it."""
    peaks = peaks_of(catalog)
    lines = (
        HEADER.format(
            megatron=STACK_BYTES["megatron_core"].error, pytorch=STACK_BYTES["hf_eager"].error
        ),
        *_memory(score_memory(MEMORY_FACTS, catalog)),
        *_constants(peaks),
        *_generation(score_generation(GENERATION_FACTS, catalog)),
    )
    return {FILE: "\n".join(lines)}


def _memory(score: dict[str, Any]) -> Iterator[str]:
    yield "| rows of | said | ran | refused | died | said to fit | error | bias |"
    yield "| --- |" + " ---: |" * 7
    groups = {"all": score} | score["by"]["source"] | score["by"]["accelerator"]
    for name, group in groups.items():
        counts = [group[key] for key in ("expressed", "ran", "ran_refused", "died", "died_fits")]
        errors = [group["median_abs_error"], group["median_bias"]]
        shown = ["" if each is None else f"{each:+.1%}" for each in errors]
        yield f"| {name} | {' | '.join(map(str, counts))} | {' | '.join(shown)} |"
    yield ""


def _constants(peaks: Sequence[Peak]) -> Iterator[str]:
    """The constants, what a fit to all peaks would make of them, and what it is worth unseen."""
    best = fitted(peaks)
    yield "### Constants of the stacks\n"
    yield (
        "Values are what is known of frameworks. A fit may move each by a factor, the same for all "
        "stacks; it is shown for what it is worth, and not used.\n"
    )
    yield "| constant | what | known | factor, range | prior, sd of ln | fitted |"
    yield "| --- | --- | --- | --- | ---: | ---: |"
    for each in CONSTANTS:
        yield (
            f"| `{each.name}` | {each.meaning} | {each.known} | {each.low:g} to {each.high:g} | "
            f"{each.log_sd:g} | {best[each.name]:g} |"
        )
    yield "\n| source | peaks | error as it is | error, fitted without the source |"
    yield "| --- | ---: | ---: | ---: |"
    unseen = left_out(peaks)
    ones = dict.fromkeys(best, 1.0)
    for source, rows in by_source(peaks).items():
        now = size(peak.error(ones) for peak in rows)
        yield f"| {source} | {len(rows)} | {now:.1%} | {size(unseen[source]):.1%} |"
    everything = [error for errors in unseen.values() for error in errors]
    now = size(peak.error(ones) for peak in peaks)
    yield f"| all | {len(peaks)} | {now:.1%} | {size(everything):.1%} |\n"


def _generation(score: dict[str, Any]) -> Iterator[str]:
    yield "## Generation\n"
    yield (
        "Tokens written a second. `error` is the median size of ln(predicted / measured), `bias` "
        "its median, `coverage` the share of batches between p10 and p90. What engines reach "
        "stands in `service/data/assumptions/serving.toml`, with its range and why.\n"
    )
    yield "| rows of | said | error | bias | coverage | p90 / p10 |"
    yield "| --- |" + " ---: |" * 5
    groups = {"all": score} | score["by"]["engine"] | score["by"]["accelerator"]
    for name, group in groups.items():
        keys = ("median_abs_log_ratio", "median_log_ratio", "coverage", "median_p90_over_p10")
        shown = ("" if group[key] is None else f"{group[key]:.2f}" for key in keys)
        yield f"| {name} | {group['expressed']} | {' | '.join(shown)} |"
    yield ""
