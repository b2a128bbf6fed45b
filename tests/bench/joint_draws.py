"""What joint draws add to a quote, beside the same draws in plain NumPy without sources."""

from collections.abc import Callable
from typing import Any

import numpy as np

from service.catalog_files import load_catalog
from service.core.draws import DRAWS, Z_90
from tests.bench.tables import print_ratios, side_by_side
from tests.requests import R1
from tests.worlds import answer

PRETRAINING = {
    "run": {
        "name": "8B",
        "stages": [
            {
                "name": "pre-training",
                "work": {
                    "kind": "pretraining",
                    "model": {"kind": "parameters", "total": 8e9},
                    "tokens": 1e12,
                },
            }
        ],
    },
    "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 512},
}
FIGURES, NUMBERS = 20, 60


def plain_numpy() -> Callable[[], object]:
    """1,024 draws of as many figures as R1 has, products of three, and their quantiles."""
    random = np.random.default_rng(1)
    low, high = np.full((FIGURES, 1), 0.8), np.full((FIGURES, 1), 1.3)
    three = random.integers(0, FIGURES, (NUMBERS, 3))

    def task() -> object:
        z = random.standard_normal((FIGURES, DRAWS))
        sigma = np.log(high / low) / (2.0 * Z_90)
        drawn = np.exp(np.log(low * high) / 2.0 + sigma * z)
        return np.quantile(drawn[three].prod(axis=1), (0.1, 0.5, 0.9), axis=1)

    return task


def joint_draws() -> None:
    """Print CPU of quotes with and without anything uncertain, and of the peer."""
    catalog = load_catalog()

    def quote(request: dict[str, Any]) -> Callable[[], object]:
        return lambda: answer(request, catalog)

    rental = {"options": {"bases": ["rental"]}}
    print_ratios(
        f"{DRAWS:,} joint draws, CPU",
        side_by_side(
            {
                "plain NumPy, 20 figures, 60 numbers": (plain_numpy(), 20),
                "R1, rental alone: nothing is uncertain": (quote(R1 | rental), 20),
                "R1, three bases": (quote(R1), 20),
                "pre-training, layout chosen": (quote(PRETRAINING), 10),
            }
        ),
        unit="us",
    )
