"""What the fit of the constants of reinforcement is worth, in Markdown."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from lab.post_training.fit import LeftOut, PostTrainingFit
from lab.post_training.rows import central_hours, with_constants
from service.core.catalog.catalog import Catalog
from service.core.figures.arrays import Array
from service.core.request.request import QuoteRequest
from service.core.request.work import Reinforcement

HEADER = """\
# Constants of reinforcement, fitted to published runs

Written by `python -m lab post-training fit`.
Six constants, robust least squares of ln(predicted / disclosed device-hours), each constant drawn
to what was believed before (`post_training_priors.toml`). `in the sample` is of the fit to all
rows; `left out` of a fit that has seen no row of the same source.

The form of the model and the defaults that stand beside the fit were chosen with all rows in view:
16 samples a device is what R1-Zero wrote, so that its width is met by construction, and the
slowdown of colocated trainers is read off verl's tables of phases. `left out` does not undo that.
"""


ROLLOUTS = """\
## Steps that share a rollout

Device-hours of the runs whose devices generate and learn in turn, where every step has a rollout of
its own, where the width is assumed, and as the source discloses it.
"""


def report_of(done: PostTrainingFit, unseen: Sequence[LeftOut], catalog: Catalog) -> str:
    """The constants, the residuals in the sample and left out, and what assumed rollouts move."""
    return "\n".join(
        (
            HEADER,
            *_constants(done),
            *_summary(done, unseen),
            *_rows(done, unseen),
            ROLLOUTS,
            *_rollouts(done, with_constants(catalog, done.priors, done.logs)),
        )
    )


def _constants(done: PostTrainingFit) -> Iterator[str]:
    yield "## Constants\n"
    yield "| constant | unit | before | fitted | standard deviation of its logarithm |"
    yield "| --- | --- | ---: | ---: | ---: |"
    spread = np.sqrt(np.diag(done.covariance))
    for prior, log, sd in zip(done.priors, done.logs, spread, strict=True):
        yield (
            f"| {prior.name} | {prior.unit} | {prior.prior:.3g} | {np.exp(log):.3g} |"
            f" {sd:.2f} (before {prior.log_sd:.2f}) |"
        )
    yield ""


def _summary(done: PostTrainingFit, unseen: Sequence[LeftOut]) -> Iterator[str]:
    yield "## Errors\n"
    yield "| rows | n | median size of ln | bias, median ln | within a factor of 1.5 |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    sources = np.array([row.source for row in done.rows])
    left = np.array([out.log_ratio for out in unseen])
    for label, logs in (("in the sample", done.log_ratios), ("left out", left)):
        yield _summed(label, logs)
        for source in sorted(set(sources)):
            yield _summed(f"{label}: {source}", logs[sources == source])
    covered = np.mean([out.is_covered for out in unseen])
    yield f"\nLeft out, p10 to p90 holds the disclosed hours of {covered:.0%} of the rows.\n"


def _summed(label: str, logs: Array) -> str:
    near = np.mean(np.abs(logs) <= np.log(1.5))
    return (
        f"| {label} | {len(logs)} | {np.median(np.abs(logs)):.2f} | {np.median(logs):+.2f} |"
        f" {near:.0%} |"
    )


def _rows(done: PostTrainingFit, unseen: Sequence[LeftOut]) -> Iterator[str]:
    yield "## Run by run, ln(predicted / disclosed)\n"
    yield "| run | source | in the sample | left out | left out, in p10 to p90 |"
    yield "| --- | --- | ---: | ---: | --- |"
    for row, log, out in zip(done.rows, done.log_ratios, unseen, strict=True):
        covered = "yes" if out.is_covered else "no"
        yield f"| {row.id} | {row.source} | {log:+.2f} | {out.log_ratio:+.2f} | {covered} |"
    yield ""


def _rollouts(done: PostTrainingFit, catalog: Catalog) -> Iterator[str]:
    yield "| run | disclosed hours | one step each | assumed | as described | steps described |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for row in done.rows:
        work = row.request.run.stages[0].work
        assert isinstance(work, Reinforcement)
        if work.placement.__struct_config__.tag == "colocated":
            given = work.steps_per_rollout
            hours = " | ".join(
                f"{central_hours(request, catalog):,.4g}"
                for request in (
                    with_steps_per_rollout(row.request, 1.0),
                    with_steps_per_rollout(row.request, UNSET),
                    row.request,
                )
            )
            said = "" if given is UNSET else f"{given:g}"
            yield f"| {row.id} | {row.disclosed:,.4g} | {hours} | {said} |"
    yield ""


def with_steps_per_rollout(request: QuoteRequest, steps: float | UnsetType) -> QuoteRequest:
    """The request with so many steps a rollout in all its stages, or with none said."""
    stages = tuple(
        msgspec.structs.replace(
            stage, work=msgspec.structs.replace(stage.work, steps_per_rollout=steps)
        )
        for stage in request.run.stages
    )
    return msgspec.structs.replace(request, run=msgspec.structs.replace(request.run, stages=stages))
