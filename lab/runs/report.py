"""`python -m lab runs report`: the report on published runs, in Markdown."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from lab.files import REFERENCE_RUNS, ROOT, Texts
from lab.runs.leave_one_out import unseen
from service.core.catalog.catalog import Catalog
from service.scoring.runs.score import Compared, compare, score_of

HEADER = """\
# Device-hours of published runs, predicted and disclosed

Made by `python -m lab runs report`; `make check-generated` keeps it current. Every run of grade A
or B that discloses device-hours is quoted from what its source says beside them, by the rules in
`service/scoring/runs`, none of which is for a single row. Ratios are predicted over disclosed;
`bias` is the median of their natural logarithm, `error` the median of its size, `coverage` how
often the disclosed hours lie between p10 and p90. The two error figures of the intervals are read
off these same rows (`runs calibrate`), and so are five constants of reinforcement (`post-training
fit`). The columns called `unseen` read both off the runs of other developers alone, which is what
to expect of a run that is not in the table; what generation takes is read off none. p10 to p90 are
meant to hold 80% of these; of the rows that they were read off they hold more. The constants
of the step-time engine come from measured steps and stay as they are;
`service/data/engine/report.md` has their own cross-validation. The form of the model was chosen
with all rows in view, and so were the defaults beside the fit (`lab/data/post_training_report.md`
names them).
"""


FILE: Final = ROOT / "docs" / "accuracy-runs.md"


def made(catalog: Catalog) -> Texts:
    """The report as today's engine makes it."""
    return {FILE: report_of(compare(REFERENCE_RUNS, catalog), unseen(catalog))}


def report_of(rows: Sequence[Compared], unseen: Sequence[Compared]) -> str:
    """The whole report; `unseen` are the same runs, quoted as if their developers were new."""
    groups = _groups(score_of(rows), score_of(unseen))
    return "\n".join((HEADER, *groups, *_rows(rows), *_not_expressed(rows)))


def _groups(score: dict[str, Any], unseen: dict[str, Any]) -> Iterator[str]:
    yield "## By group\n"
    columns = ("error", "bias", "coverage")
    names = ("rows of", "rows", "expressed", *columns, *(f"{name}, unseen" for name in columns))
    yield f"| {' | '.join(names)} |"
    yield f"| --- |{' ---: |' * (len(names) - 1)}"
    yield _group("all", score, unseen)
    for by in ("kind", "grade", "accelerator"):
        for name, group in score["by"][by].items():
            yield _group(name, group, unseen["by"][by][name])
    yield ""


def _group(name: str, group: dict[str, Any], unseen: dict[str, Any]) -> str:
    cells = [name, str(group["rows"]), str(group["expressed"])]
    for each in (group, unseen):
        if each["expressed"]:
            cells.append(f"{each['median_abs_log_ratio']:.2f}")
            cells.append(f"{each['median_log_ratio']:+.2f}")
            cells.append(f"{each['coverage']:.0%}")
        else:
            cells += [""] * 3
    return f"| {' | '.join(cells)} |"


def _rows(rows: Sequence[Compared]) -> Iterator[str]:
    yield "## Run by run\n"
    yield "| run | grade | hours are | disclosed | predicted | p10 to p90 | ratio | covered |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |"
    for row in rows:
        if row.predicted is not None:
            found = row.predicted
            yield (
                f"| {row.id} | {row.grade} | {row.basis} | {row.disclosed:,.4g} |"
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
