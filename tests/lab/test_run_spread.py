"""The components by which published runs exceed their prediction, and the scores of intervals."""

import math

import numpy as np
import pytest

from lab.runs.spread import Residual, fit_spread, load_components
from service.core.catalog.catalog import Catalog
from service.scoring.runs.predict import Predicted
from service.scoring.runs.score import Compared, by_chance, crps, interval_score
from tests.worlds import answer, embedded

TRUE = {"chosen": (0.0, 0.15), "framework": (0.25, 0.3), "run": (0.1, 0.2), "vague": (0.2, 0.5)}
KINDS = ({"chosen"}, {"chosen", "framework"}, {"chosen", "run"}, {"chosen", "framework", "run"})


def made_up(rows, *, seed=1):
    """Runs of as many developers, a third of them told by vague papers."""
    rng = np.random.default_rng(seed)
    for row in range(rows):
        open_ = KINDS[row % len(KINDS)] | ({"vague"} if row % 3 == 0 else set())
        log = sum(rng.normal(*TRUE[kind]) for kind in sorted(open_))
        yield Residual(f"developer {row}", log + rng.normal(0.0, 0.1), frozenset(open_), 0.1)


def test_components_are_told_apart_where_rows_are_many():
    found = fit_spread([*made_up(3000)], load_components())
    for kind, (middle, sd) in TRUE.items():
        assert found[kind].middle == pytest.approx(middle, abs=0.05)
        assert found[kind].sd == pytest.approx(sd, rel=0.2)


def test_the_noise_of_vague_papers_widens_nothing_that_quotes_count():
    """Vague papers twice as far off: their component takes it, and all others stay."""
    rows = [*made_up(900)]
    further = [row._replace(log=row.log + 1.0) if "vague" in row.open else row for row in rows]
    before, after = (fit_spread(each, load_components()) for each in (rows, further))
    assert after["vague"].middle > before["vague"].middle + 0.3
    for kind in ("chosen", "framework", "run"):
        assert after[kind].sd == pytest.approx(before[kind].sd, rel=0.15)


def test_few_rows_stay_near_what_was_believed_and_one_far_row_moves_little():
    believed = {one.kind: one for one in load_components()}
    far = Residual("one", 4.0, frozenset({"chosen", "device"}), 0.1)
    found = fit_spread([*made_up(40), far], load_components())
    assert found["device"].middle == pytest.approx(believed["device"].middle, abs=0.15)
    assert found["device"].sd < 2.0 * believed["device"].sd


def test_what_is_said_leaves_its_component_out_of_the_quote():
    known: Catalog = embedded()
    work = {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": "llama-3.1-8b"},
        "tokens": 1e11,
    }
    losses = {"goodput": 0.95, "evaluation_share": 0.0, "idle_share": 0.0}

    def errors(device="nvidia-h100-sxm-80gb", **said):
        request = {
            "run": {"name": "8B", "stages": [{"name": "8B", "work": work | said}]},
            "cluster": {"accelerator": device, "devices": 64},
        }
        names = answer(request, known).figures
        return {name.rpartition(".")[2] for name in names if "measured_over_predicted" in name}

    assert errors() == {"chosen", "framework", "run"}
    assert errors(framework="megatron") == {"chosen", "run"}
    assert errors(**losses) == {"chosen", "framework"}
    assert errors(layout={"tensor_parallel": 2}, framework="nemo", **losses) == {"dense"}
    assert errors(layout={"tensor_parallel": 2}) == {"dense", "framework", "run"}
    assert errors(device="nvidia-l40s") == {"chosen", "framework", "device", "run"}
    assert errors(device="google-tpu-v5p") == {"chosen", "run"}


def compared(*, p10, central, p90, disclosed):
    return Compared(
        id="",
        kind="",
        developer="",
        accelerator="",
        grade="A",
        basis="stated",
        disclosed=disclosed,
        predicted=Predicted(central, p10, p90),
    )


def test_an_interval_pays_its_width_and_ten_times_its_miss():
    inside = compared(p10=1.0, central=1.5, p90=2.0, disclosed=1.2)
    outside = compared(p10=1.0, central=1.5, p90=2.0, disclosed=4.0)
    assert interval_score(inside) == pytest.approx(math.log(2.0))
    assert interval_score(outside) == pytest.approx(math.log(2.0) + 10.0 * math.log(2.0))


def test_crps_of_a_normal_at_its_middle_is_that_of_the_textbook():
    """sd (2 phi(0) - 1 / sqrt(pi)) = 0.2337 sd, Gneiting and Raftery 2007, equation 21."""
    z = 1.2815516
    row = compared(p10=math.exp(-0.4 * z), central=1.0, p90=math.exp(0.4 * z), disclosed=1.0)
    assert crps(row) == pytest.approx(0.4 * 0.2337, rel=0.01)


def test_few_rows_show_little():
    assert by_chance(122) == pytest.approx([0.74, 0.86], abs=0.005)
    assert by_chance(9) == pytest.approx([0.57, 0.96], abs=0.015)
