"""What joint draws add to a quote, and what bare draws of as many figures cost in other tools.

A quote is made twice in turn, with its draws and with every figure at its central value. Its
numbers change from one time to the next, so that nothing that hangs on them is remembered; what
hangs on the cluster alone is, but for the case whose hardware has a new price every time.
The others have as many figures and numbers as R1, without formulas, sources, drivers or text.
"""

import copy
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
from rich.table import Table

from service.catalog_files import load_catalog
from service.core.catalog.catalog import Catalog
from service.core.draws import spread as uncertainty
from service.core.draws.columns import DRAWS
from service.core.draws.memo import Memo
from service.core.figures.units import Z_90
from service.core.quote import quote
from tests.bench.tables import console, cpu_us
from tests.requests import R1
from tests.worlds import TEST_ENGINE, answer, asked

ROUNDS, IN_TURN = 25, 10
PEER_PYTHON = Path(sys.prefix) / "peers" / "bin" / "python"
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


def changed(
    request: dict[str, Any], by: float, *, ranges: bool = False, prices: bool = False
) -> dict[str, Any]:
    """The request with other hours or tokens, as intervals if `ranges`.

    With `prices`, another interval for the price of the hardware too.
    """
    other = copy.deepcopy(request)
    if prices:
        usd = 30_000.0 * (1.0 + by)
        owned = {"usd_per_device": {"low": usd / 1.2, "high": usd * (1.3 + by)}}
        other["accounting"] = {"owned": owned}
    for index, stage in enumerate(other["run"]["stages"]):
        for name in {"device_hours", "tokens"} & stage["work"].keys():
            value = stage["work"][name] * (1.0 + (index + 1) * by)
            wide = {"low": value / 1.2, "high": value * (1.3 + by)}
            stage["work"][name] = wide if ranges else value
    return other


def quotes(
    request: dict[str, Any], catalog: Catalog, **new: bool
) -> Iterator[Callable[[], object]]:
    """Quotes of the request, no two of them of the same numbers; each is made twice."""
    memo = Memo()
    for index in count(1):
        one = asked(changed(request, index * 1e-4, **new))

        def make(one: Any = one) -> object:
            return quote(
                one,
                catalog,
                id="q_" + "0" * 64,
                canonical_request=b"{}",
                engine=TEST_ENGINE,
                valid_until="2026-01-01T00:00:00Z",
                memo=memo,
            )

        yield make
        yield make


def task_of(request: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """As many log-normal figures, and as many products of three of them, as a quote has."""
    figures = answer(request, catalog).figures.values()
    leaves = [figure for figure in figures if figure.low != figure.high]
    derived = [figure for figure in figures if figure.p10 is not msgspec.UNSET]
    random = np.random.default_rng(1)
    return {
        "low": [0.8] * len(leaves),
        "high": [1.3] * len(leaves),
        "products": random.integers(0, len(leaves), (len(derived), 3)).tolist(),
        "draws": DRAWS,
    }


def plain_numpy(task: dict[str, Any]) -> Callable[[], object]:
    """The task in a few lines of NumPy."""
    random = np.random.default_rng(1)
    low, high = np.array(task["low"])[:, None], np.array(task["high"])[:, None]
    three = np.array(task["products"])

    def quantiles() -> object:
        z = random.standard_normal((len(low), DRAWS))
        sigma = np.log(high / low) / (2.0 * Z_90)
        drawn = np.exp(np.log(low * high) / 2.0 + sigma * z)
        return np.quantile(drawn[three].prod(axis=1), (0.1, 0.5, 0.9), axis=1)

    return quantiles


@contextmanager
def squigglepy(task: dict[str, Any]) -> Iterator[Callable[[], float]]:
    """CPU microseconds of the task in Squigglepy, each time it is asked."""
    script = Path(__file__).with_name("squigglepy_peer.py")
    with Popen([PEER_PYTHON, script], stdin=PIPE, stdout=PIPE, text=True) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        asking, answers = peer.stdin, peer.stdout

        def measured() -> float:
            print(file=asking, flush=True)
            return float(answers.readline())

        print(json.dumps(task), file=asking, flush=True)
        yield measured
        asking.close()


def joint_draws() -> None:
    """Print what draws add, and what the peers need for draws alone."""
    catalog = load_catalog()
    cases = {
        "R1, three bases": quotes(R1, catalog),
        "R1, three bases, hours as ranges": quotes(R1, catalog, ranges=True),
        "R1, hours and hardware's price as ranges": quotes(R1, catalog, ranges=True, prices=True),
        "pre-training, layout chosen": quotes(PRETRAINING, catalog),
    }
    task = task_of(R1, catalog)
    bare = plain_numpy(task)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    peers: dict[str, list[float]] = {"plain NumPy": [], "Squigglepy": []}
    for makes in cases.values():
        _with_and_without(makes)
    with squigglepy(task) as peer:
        for _ in range(ROUNDS):
            for name, makes in cases.items():
                samples[name] += [_with_and_without(makes) for _ in range(IN_TURN)]
            peers["plain NumPy"] += [cpu_us(bare, calls=1) for _ in range(IN_TURN)]
            peers["Squigglepy"] += [peer() for _ in range(IN_TURN)]
    _print(samples, peers, figures=len(task["low"]), numbers=len(task["products"]))


def _with_and_without(makes: Iterator[Callable[[], object]]) -> tuple[float, float]:
    """CPU microseconds of a quote with its draws, and with every figure at its central value."""
    drawn = cpu_us(next(makes), calls=1)
    with patch.object(uncertainty, "uncertain_leaves", return_value=()):
        return drawn, cpu_us(next(makes), calls=1)


def _print(
    samples: dict[str, list[tuple[float, float]]],
    peers: dict[str, list[float]],
    *,
    figures: int,
    numbers: int,
) -> None:
    """Medians in milliseconds; what draws add is the median of the differences, pair by pair."""
    reference = median(peers["plain NumPy"])
    table = Table(
        title=f"{DRAWS:,} joint draws, CPU ms; the peers draw {figures} figures, {numbers} numbers",
        title_justify="left",
    )
    for column in ("case", "with draws", "without", "draws add", "best tenth", "to plain NumPy"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for name, pairs in samples.items():
        added = sorted(drawn - central for drawn, central in pairs)
        cells = [
            median(drawn for drawn, _ in pairs),
            median(central for _, central in pairs),
            median(added),
            added[len(added) // 10],
        ]
        ratio = f"{median(added) / reference:.2f}"
        table.add_row(name, *(f"{cell / 1e3:.2f}" for cell in cells), ratio)
    for name, times in peers.items():
        cells = [median(times), sorted(times)[len(times) // 10]]
        ratio = f"{median(times) / reference:.2f}"
        table.add_row(name, "", "", *(f"{cell / 1e3:.2f}" for cell in cells), ratio)
    console.print(table)
