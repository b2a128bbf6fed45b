"""`python -m lab post-training fit`: the constants anew, their worth, and the report."""

from collections.abc import Iterator

import numpy as np

from lab.files import LEFT_OUT, Texts
from lab.post_training.fit import (
    COVARIANCE,
    FITTED,
    REPORT,
    covariance_of,
    fit_post_training,
    left_out,
    left_out_table,
    table_of,
)
from lab.post_training.report import report_of
from lab.post_training.rows import committed_logs, load_priors, load_rows, log_ratios
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.scoring.runs.predict import Predicted, predicted_for


def made(catalog: Catalog) -> Texts:
    """The files of a fit to today's runs, and of the fits that leave a source out."""
    done = fit_post_training(load_rows(catalog), catalog, load_priors())
    unseen = left_out(done, catalog)
    return {
        FITTED: table_of(done, as_of=catalog.version),
        COVARIANCE: covariance_of(done),
        LEFT_OUT: left_out_table(done, unseen),
        REPORT: report_of(done, unseen, catalog),
    }


def witness(catalog: Catalog) -> Iterator[str]:
    """What the fit hangs on: priors, runs, and what the engine says of each run.

    Two vectors of constants are asked, the priors and the fitted ones, and the whole quote of the
    latter, because the report has quantiles.
    """
    priors, rows = load_priors(), load_rows(catalog)
    yield from map(str, priors)
    before = log_ratios(rows, catalog, priors, np.log([prior.prior for prior in priors]))
    now = log_ratios(rows, catalog, priors, committed_logs(catalog, priors))
    memo = Memo()
    for row, one, other in zip(rows, before, now, strict=True):
        quoted = predicted_for(row.request, catalog, memo)
        assert isinstance(quoted, Predicted)
        quantiles = f"{quoted.p10:.4g}|{quoted.p90:.4g}"
        yield f"{row.id}|{row.source}|{row.disclosed:.6g}|{one:.6f}|{other:.6f}|{quantiles}"
