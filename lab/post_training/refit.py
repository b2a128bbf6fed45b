"""`python -m lab post-training fit`: the constants anew, their worth, and the report."""

from lab.files import Texts
from lab.post_training.fit import (
    COVARIANCE,
    FITTED,
    LEFT_OUT,
    REPORT,
    covariance_of,
    fit_post_training,
    left_out,
    left_out_table,
    load_priors,
    load_rows,
    table_of,
)
from lab.post_training.report import report_of
from service.core.catalog.catalog import Catalog


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
