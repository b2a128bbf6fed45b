"""The catalog shows beside each disclosed run what this engine predicts for it today."""

import pytest
from msgspec import UNSET

from lab.runs.predict_file import predictions
from tests.worlds import embedded, number


def test_the_catalog_s_predictions_are_what_the_engine_says_today():
    """Written anew by `python -m lab runs predict`."""
    shown = {
        run.id: (run.predicted.device_hours, run.predicted.p10, run.predicted.p90)
        for run in embedded().runs.values()
        if run.predicted is not UNSET
    }
    now = {
        id: (hours.central, hours.p10, hours.p90) for id, hours in predictions(embedded()).items()
    }
    assert shown.keys() == now.keys()
    for id, hours in now.items():
        assert shown[id] == pytest.approx(hours, rel=1e-4), id


def test_what_is_predicted_stands_beside_what_was_disclosed():
    run = embedded().runs["deepseek-r1-zero"]
    assert run.predicted is not UNSET
    assert run.predicted.p10 < number(run.device_hours) < run.predicted.p90
