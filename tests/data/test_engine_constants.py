"""Has each constant of the step-time engine a meaning, a source and a possible value?"""

import numpy as np
import pytest

from lab.files import ENGINE
from lab.steps.refit import load_specs
from service.scoring.devices import accelerator_named
from tests.worlds import embedded

CONSTANTS, EFFECTS = load_specs()


def test_every_constant_has_a_meaning_a_source_and_a_range_that_holds_it_and_its_prior():
    for row in CONSTANTS:
        assert row.meaning, row.name
        assert row.source, row.name
        assert row.low <= row.prior <= row.high, row.name
        assert row.low <= row.value <= row.high, row.name
        if row.prior_log_sd == 0:
            assert row.value == row.prior, row.name


def test_a_prior_other_than_none_says_why():
    assert all(row.why for row in EFFECTS if row.prior)


def test_the_covariance_is_that_of_the_fitted_logs():
    lines = (ENGINE / "covariance.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")[1:]
    matrix = np.array([[float(cell) for cell in line.split(",")[1:]] for line in lines[1:]])
    assert matrix == pytest.approx(matrix.T, rel=1e-3, abs=1e-9)
    spread = dict(zip(names, np.sqrt(np.diag(matrix)), strict=True))
    fitted = {row.name: row.log_sd for row in CONSTANTS}
    fitted |= {row.name: row.log_sd for row in EFFECTS}
    assert spread.keys() <= fitted.keys()
    for name, log_sd in spread.items():
        assert log_sd == pytest.approx(fitted[name], rel=1e-2)


def test_errors_of_unseen_rows_are_kept_by_kind_and_stand_as_defaults_of_quotes():
    for kind in ("dense", "moe", "unseen", "anchored_dense", "anchored_moe"):
        error = embedded().engine.errors[kind]
        assert list(error.quantiles) == sorted(error.quantiles)
        assert embedded().assumption(f"engine.measured_over_predicted.{kind}").unit == "ratio"


@pytest.mark.parametrize(
    ("printed", "id"),
    [
        ("H100-80GB-SXM", "nvidia-h100-sxm-80gb"),
        ("MI300X", "amd-mi300x"),
        ("AMD MI355X", "amd-mi355x"),
        ("TPU-v6e", "google-tpu-v6e"),
        ("Trainium1", "aws-trainium1"),
        ("V100-32GB", "nvidia-v100-sxm2-32gb"),
        ("H100 PCIe", "nvidia-h100-pcie-80gb"),
        ("Ascend 910B", "huawei-ascend-910b"),
        ("RTX 4090", "nvidia-rtx-4090"),
        ("Gaudi2", "intel-gaudi2"),
    ],
)
def test_printed_names_of_accelerators_are_understood(printed, id):
    found = accelerator_named(printed, embedded())
    assert found is not None
    assert found.id == id
