"""`python -m lab runs report`: the report on published runs, in Markdown."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from lab.files import MORE_RUNS, REFERENCE_RUNS, ROOT, Texts
from lab.runs.calibration import FIGURES, is_vague
from lab.runs.leave_one_out import Spreads, as_if_new
from lab.runs.spread import VAGUE, Z_P90, Component, load_components
from service.core.catalog.catalog import Catalog
from service.core.catalog.engine import EngineError
from service.scoring.runs.predict import Predicted
from service.scoring.runs.score import Compared, compare, interval_score, score_of, summary_of

HEADER = """\
# Device-hours of published runs, predicted and disclosed

Made by `python -m lab runs report`; `make check-generated` keeps it current. Every run of grade A
or B that discloses device-hours is quoted from what its source says beside them, by the rules in
`service/scoring/runs`, none of which is for a single row. Ratios are predicted over disclosed;
`bias` is the median of their natural logarithm, `error` the median of its size, `coverage` how
often the disclosed hours lie between p10 and p90, which are meant to hold 80%. `runquote accuracy
--runs FILE --json` gives the same of any file.

The constants of the step-time engine come from measured steps and stay as they are;
`service/data/engine/report.md` has their own cross-validation. The form of the model was chosen
with all rows in view, and so were the defaults of reinforcement beside its fit
(`lab/data/post_training_report.md` names them).
"""
COMPONENTS = """\
## What a run takes over its prediction

One log-normal component for each question that a request leaves open. A quote counts the components
of its own open questions and no others. All are fitted together (`lab/runs/spread.py`): robust, n
runs of a developer weigh as the root of n, each drawn to what was believed before
(`lab/data/run_spread.toml`). `vague` is in what papers of grade B disclose and not in what runs
take, so that no quote counts it. The last column has the fits that leave one developer out.
"""
UNSEEN = """\
## As if their developers were new

Each run is quoted from a fit that has seen no run of its developer: of training the components
above, of reinforcement its six constants; what generation takes is read off none. This is what to
expect of a run that is not in the tables. `by chance` says between which shares coverage lies nine
times in ten if intervals of 80% are right, with so few rows. The interval score is in natural
logarithms, less is better: the width of p10 to p90, and ten times the distance of what lies outside
(Gneiting and Raftery 2007); beside it are 5% and 95% of 2,000 bootstraps over developers. CRPS
is of the same kind, for the whole distribution.
"""
NOISY = """\
Quotes leave out the noise of vague papers, so that fewer of these lie inside than of papers of
grade A. With that noise added to the quotes, p10 to p90 hold {covered} of the {rows} whole runs of
grade B, at a score of {score:.2f}; as quoted {bare} at {bare_score:.2f}.
"""
KNOWN = """\
## By run as described: the rows of the fit themselves

The same rows, quoted as the service quotes them today. Their own developers are in the fit.
"""
COLUMNS: Final = (
    *("rows", "expressed", "error", "bias", "coverage", "by chance", "p90 over p10"),
    *("interval score", "bootstrap", "CRPS"),
)
BOOTSTRAPS: Final = 2000
SEED: Final = 20

FILE: Final = ROOT / "docs" / "accuracy-runs.md"


def made(catalog: Catalog) -> Texts:
    """The report as today's engine makes it."""
    rows = (*compare(REFERENCE_RUNS, catalog), *compare(MORE_RUNS, catalog))
    unseen, spreads = as_if_new(catalog)
    return {FILE: report_of(rows, unseen, spreads, catalog.engine.errors)}


def report_of(
    rows: Sequence[Compared],
    unseen: Sequence[Compared],
    spreads: Spreads,
    errors: Mapping[str, EngineError],
) -> str:
    """The whole report; `unseen` are the same runs, quoted as if their developers were new."""
    return "\n".join(
        (
            HEADER,
            COMPONENTS,
            *_components(load_components(), spreads, errors),
            UNSEEN,
            *_groups(unseen),
            _noisy(unseen, spreads),
            KNOWN,
            *_groups(rows),
            *_rows(rows),
            *_not_expressed(rows),
        )
    )


def _components(
    components: Sequence[Component], spreads: Spreads, errors: Mapping[str, EngineError]
) -> Iterator[str]:
    columns = ("component", "open if", "runs", "median", "90% interval", "believed before")
    yield f"| {' | '.join(columns)} | medians without one developer |"
    yield f"| --- | --- |{' ---: |' * (len(columns) - 1)}"
    for one in components:
        low, _, middle, _, high = map(math.exp, errors[one.kind].quantiles)
        before = f"{math.exp(one.middle):.2f}, sd {one.sd:.2f}"
        medians = [math.exp(spread[one.kind].middle) for spread in spreads.values()]
        yield (
            f"| {one.kind} | {one.open} | {errors[one.kind].rows} | {middle:.2f} |"
            f" {low:.2f} to {high:.2f} | {before} | {min(medians):.2f} to {max(medians):.2f} |"
        )
    yield ""


def _groups(rows: Sequence[Compared]) -> Iterator[str]:
    score = score_of(rows)
    yield f"| rows of | {' | '.join(COLUMNS)} |"
    yield f"| --- |{' ---: |' * len(COLUMNS)}"
    yield _group("all", score, rows)
    for by, label in (("kind", ""), ("grade", "grade "), ("left_open", "open: ")):
        for name, group in score["by"][by].items():
            yield _group(label + name, group, [row for row in rows if getattr(row, by) == name])
    for name, group in score["by"]["accelerator"].items():
        yield _group(name, group, [row for row in rows if row.accelerator == name])
    yield ""


def _group(name: str, group: dict[str, Any], rows: Sequence[Compared]) -> str:
    cells = [name, str(group["rows"]), str(group["expressed"])]
    if group["expressed"]:
        least, most = group["coverage_by_chance"]
        worst, best = _bootstrapped(rows)
        cells += (
            f"{group['median_abs_log_ratio']:.2f}",
            f"{group['median_log_ratio']:+.2f}",
            f"{group['coverage']:.0%}",
            f"{least:.0%} to {most:.0%}",
            f"{group['median_p90_over_p10']:.2f}",
            f"{group['interval_score']:.2f}",
            f"{worst:.2f} to {best:.2f}",
            f"{group['crps']:.3f}",
        )
    else:
        cells += [""] * 8
    return f"| {' | '.join(cells)} |"


def _bootstrapped(rows: Sequence[Compared]) -> tuple[float, float]:
    """5% and 95% of the mean interval score over developers drawn with replacement."""
    scored = [row for row in rows if row.predicted is not None]
    developers = sorted({row.developer for row in scored})
    sums = np.zeros((len(developers), 2))
    for row in scored:
        sums[developers.index(row.developer)] += (interval_score(row), 1.0)
    drawn = np.random.default_rng(SEED).integers(
        len(developers), size=(BOOTSTRAPS, len(developers))
    )
    totals = sums[drawn].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], (0.05, 0.95)).tolist()
    return low, high


def _noisy(unseen: Sequence[Compared], spreads: Spreads) -> str:
    """Whole runs of vague papers, as quoted and with the noise of such papers."""
    vague = [row for row in unseen if row.predicted is not None and is_vague(row)]
    vague = [row for row in vague if row.predicted and row.predicted.errors & FIGURES.keys()]
    noisy = summary_of([_with_noise(row, spreads) for row in vague])
    bare = summary_of(vague)
    return NOISY.format(
        covered=f"{noisy['coverage']:.0%}",
        rows=len(vague),
        score=noisy["interval_score"],
        bare=f"{bare['coverage']:.0%}",
        bare_score=bare["interval_score"],
    )


def _with_noise(row: Compared, spreads: Spreads) -> Compared:
    """A run as a vague paper would disclose it, by the noise of other developers' papers."""
    hours, noise = row.predicted, spreads[row.developer][VAGUE]
    assert hours is not None
    middle = hours.central * math.exp(noise.middle)
    below, above = math.log(hours.central / hours.p10), math.log(hours.p90 / hours.central)
    return msgspec.structs.replace(
        row,
        predicted=Predicted(
            middle,
            middle * math.exp(-math.hypot(below, Z_P90 * noise.sd)),
            middle * math.exp(math.hypot(above, Z_P90 * noise.sd)),
        ),
    )


def _rows(rows: Sequence[Compared]) -> Iterator[str]:
    yield "## Run by run\n"
    columns = ("run", "grade", "hours are", "left open", "disclosed", "predicted", "p10 to p90")
    yield f"| {' | '.join(columns)} | ratio | covered |"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |"
    for row in rows:
        if row.predicted is not None:
            found = row.predicted
            yield (
                f"| {row.id} | {row.grade} | {row.basis} | {row.left_open} | {row.disclosed:,.4g} |"
                f" {found.central:,.4g} | {found.p10:,.4g} to {found.p90:,.4g} |"
                f" {math.exp(row.log_ratio):.2f} | {'yes' if row.is_covered else 'no'} |"
            )
    yield ""


def _not_expressed(rows: Sequence[Compared]) -> Iterator[str]:
    yield "## Not expressed\n"
    for row in rows:
        if row.predicted is None:
            yield f"- {row.id}: {row.why}"
    yield ""
