"""Published runs quoted as if their developers were new: nothing is read off runs of their own."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lab.files import LEFT_OUT, MORE_RUNS, REFERENCE_RUNS
from lab.runs.calibration import compared_unbiased, residuals, with_spread
from lab.runs.spread import Spread, fit_spread, load_components
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.scoring.runs.score import Compared, compared, scored

Spreads = dict[str, dict[str, Spread]]
"""The components as fitted without one developer, by the developer."""


def spreads_without_each(rows: Sequence[Compared]) -> Spreads:
    """A fit for every developer, to the runs of all others."""
    known, components = residuals(rows), load_components()
    everything = fit_spread(known, components)
    of_training = {row.developer for row in known}
    return {
        developer: everything
        if developer not in of_training
        else fit_spread([row for row in known if row.developer != developer], components)
        for developer in sorted({row.developer for row in rows})
    }


def unseen(
    catalog: Catalog, spreads: Spreads, paths: Sequence[Path] = (REFERENCE_RUNS, MORE_RUNS)
) -> tuple[Compared, ...]:
    """Every scored run from figures that the runs of other developers give.

    Of training and tuning these are the components of the spread; of reinforcement the fitted
    constants, as the fits that left a developer out were written down (`post-training fit`), for
    the runs that the fit knows.
    """
    by_developer = {
        developer: with_spread(catalog, spread) for developer, spread in spreads.items()
    }
    left_out = _reinforced()
    memo = Memo()
    found = (
        compared(run, by_developer[run.developer], memo)
        for path in paths
        for run in scored(path, catalog)
    )
    return tuple(_with(row, left_out.get(row.id)) for row in found)


def as_if_new(catalog: Catalog) -> tuple[tuple[Compared, ...], Spreads]:
    """Every scored run as if its developer were new, and the fits that this takes."""
    spreads = spreads_without_each(compared_unbiased(catalog))
    return unseen(catalog, spreads), spreads


def _with(row: Compared, hours: Mapping[str, float] | None) -> Compared:
    """The row with other hours, where there are any."""
    if hours is None or row.predicted is None:
        return row
    return msgspec.structs.replace(row, predicted=msgspec.structs.replace(row.predicted, **hours))


def _reinforced(path: Path = LEFT_OUT) -> dict[str, dict[str, float]]:
    """Hours of reinforcement runs by id, each from a fit that has seen none of its developer."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {
            row["id"]: {column: float(row[column]) for column in ("central", "p10", "p90")}
            for row in csv.DictReader(lines)
        }
