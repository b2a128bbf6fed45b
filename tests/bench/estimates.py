"""`python -m tests.bench.estimates`: estimated and measured CPU of requests, and costs fitted anew.

Every request is measured beside a reference, so that a noisy moment and the speed of the machine
cancel. The smallest cluster is found after as many trials as it takes, and is only held to a bound.
`--record` writes down what was measured, which the tests hold the estimates against, and
prints the costs that agree best, for `service.computing.estimating`. `--check` fails if an estimate
is off by more than a factor of two. It takes time, so that no test asks for it.
"""

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import astuple
from rich.table import Table
from scipy.optimize import nnls

from service.answering import AnyQuestion, question_of
from service.catalog_files import load_catalog
from service.computing.estimating import Parts
from service.computing.kinds import counts_of, estimated_cpu_s
from service.computing.worker import computed
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.core.request.claim import ClaimRequest
from service.core.request.decisions.compare import CompareRequest
from service.core.request.decisions.solve import SolveRequest
from service.core.request.request import QuoteRequest
from tests.bench.tables import console
from tests.requests import R1
from tests.varied import (
    WORKS,
    Request,
    stages_of,
    varied_claims,
    varied_decisions,
    varied_quotes,
    varied_trials,
)
from tests.worlds import TEST_ENGINE

REFERENCE: Final = stages_of(WORKS["pretraining"], 1)
ROUNDS: Final = 3
ROUNDS_AGAIN: Final = 7
"""Rounds for what looks as if it were off, which may have been a noisy moment."""
TIMES_REWEIGHTED: Final = 5
"""After which weights no longer move. They make a half as bad as a double."""
RECORD: Final = Path(__file__).parent / "measured.json"
OF_KINDS: Final = {"amount": ClaimRequest, "choices": CompareRequest, "find": SolveRequest}
"""Members by which requests are told apart. All others are for a quote."""
FACTOR: Final = 2.0
"""By how much an estimate may be off."""
MOST_OVER: Final = 25.0
"""The smallest cluster may take this much less than its estimate, and never more."""


class Record(Struct, frozen=True):
    """What was measured: of which requests, and how many times the CPU of the reference."""

    requests: str
    """A digest of all requests, so that none can change and keep what was measured."""
    times: dict[str, float]
    trial_requests: str
    """The same of what is solved by trying."""
    trials: dict[str, float]


def all_requests() -> dict[str, Request]:
    """Requests of all kinds, by name."""
    return dict((*varied_quotes(), *varied_claims(), *varied_decisions()))


def trial_requests() -> dict[str, Request]:
    """Questions that are solved by trying, by name."""
    return dict(varied_trials())


def digest_of(requests: Mapping[str, Request]) -> str:
    """A digest of requests and their names."""
    return sha256(msgspec.json.encode((REFERENCE, requests), order="sorted")).hexdigest()


def recorded() -> Record:
    """What was measured when the costs were fitted."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Record)


def asked(request: Request, catalog: Catalog) -> AnyQuestion:
    """A request as a question to a catalog, as the service puts it."""
    body = msgspec.json.encode(request)
    members = (member for member in OF_KINDS if member in request)
    kind: Any = OF_KINDS.get(next(members, ""), QuoteRequest)
    read = msgspec.json.decode(body, type=kind)
    return question_of(read, engine=TEST_ENGINE, catalog=catalog)


def cpu_s(question: AnyQuestion, catalog: Catalog) -> float:
    """CPU of an answer by a process that has answered another question."""
    memo = Memo()

    def answered(one: AnyQuestion) -> None:
        computed(one, engine=TEST_ENGINE, catalog=catalog, memo=memo, kept={})

    answered(asked(R1, catalog))
    start = process_time()
    answered(question)
    return process_time() - start


def measured(requests: Mapping[str, Request], catalog: Catalog, *, rounds: int) -> dict[str, float]:
    """How many times the CPU of the reference each request takes: medians of some rounds."""
    questions = {name: asked(request, catalog) for name, request in requests.items()}
    reference = asked(REFERENCE, catalog)
    cpu_s(reference, catalog)
    ratios: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(rounds):
        for name, question in questions.items():
            before = cpu_s(reference, catalog)
            own = cpu_s(question, catalog)
            ratios[name].append(own / min(before, cpu_s(reference, catalog)))
    return {name: median(values) for name, values in ratios.items()}


def estimated(requests: Mapping[str, Request], catalog: Catalog) -> dict[str, float]:
    """How many times the estimate of the reference that of each request is."""
    reference = estimated_cpu_s(asked(REFERENCE, catalog), catalog)
    return {
        name: estimated_cpu_s(asked(request, catalog), catalog) / reference
        for name, request in requests.items()
    }


def estimates(*, record: bool = False) -> dict[str, float]:
    """Print estimates beside the clock. Returns the ratios of those that are off.

    `record` writes down what was measured, and prints the costs that are fitted to it.
    """
    catalog, requests = load_catalog(), all_requests()
    expected = estimated(requests, catalog)
    found = measured(requests, catalog, rounds=ROUNDS)
    doubted = {name: requests[name] for name in off(expected, found)}
    found |= measured(doubted, catalog, rounds=ROUNDS_AGAIN)
    print_errors(found, expected)
    trials = trial_requests()
    bounds, tried = estimated(trials, catalog), measured(trials, catalog, rounds=ROUNDS)
    print_errors(tried, bounds)
    if record:
        write(Record(digest_of(requests), rounded(found), digest_of(trials), rounded(tried)))
        print_costs(fitted(requests, found, catalog))
    return off(expected, found) | beyond(bounds, tried)


def rounded(times: Mapping[str, float]) -> dict[str, float]:
    """Times as they are written down."""
    return {name: round(ratio, 3) for name, ratio in times.items()}


def write(record: Record) -> None:
    """Write down what was measured."""
    RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def off(expected: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    """Estimates that are off by more than a factor of two, over what was measured."""
    ratios = {name: expected[name] / own for name, own in found.items()}
    return {name: one for name, one in ratios.items() if not 1 / FACTOR <= one <= FACTOR}


def beyond(bounds: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    """Bounds that are exceeded, or that are far too high, over what was measured."""
    ratios = {name: bounds[name] / own for name, own in found.items()}
    return {name: one for name, one in ratios.items() if not 1.0 <= one <= MOST_OVER}


def print_errors(found: Mapping[str, float], expected: Mapping[str, float]) -> None:
    """Measured and estimated CPU of each request, as multiples of the reference."""
    table = Table(
        title=f"Estimated CPU, as multiples of {REFERENCE['run']['name']!r}", title_justify="left"
    )
    for column in ("request", "measured", "estimated", "ratio"):
        table.add_column(column, justify="left" if column == "request" else "right")
    for name, own in found.items():
        ratio = expected[name] / own
        mark = "" if 1 / FACTOR <= ratio <= FACTOR else " !"
        table.add_row(name, f"{own:.2f}", f"{expected[name]:.2f}", f"{ratio:.2f}{mark}")
    console.print(table)
    ratios = np.array([expected[name] / own for name, own in found.items()])
    within = 1 - len(off(expected, found)) / len(ratios)
    console.print(
        f"{within:.0%} of {len(ratios)} within a factor of two; from {ratios.min():.2f} to "
        f"{ratios.max():.2f}, nine in ten from {np.quantile(ratios, 0.05):.2f} to "
        f"{np.quantile(ratios, 0.95):.2f}"
    )


def fitted(requests: Mapping[str, Request], found: Mapping[str, float], catalog: Catalog) -> Parts:
    """Seconds of each part, none below zero, with the least relative errors of their sums."""
    reference = asked(REFERENCE, catalog)
    reference_s = min(cpu_s(reference, catalog) for _ in range(ROUNDS))
    counts = np.array(
        [astuple(counts_of(asked(request, catalog), catalog)) for request in requests.values()]
    )
    seconds = np.array([found[name] * reference_s for name in requests])
    costs = np.ones(counts.shape[1])
    weights = 1.0 / seconds
    for _ in range(TIMES_REWEIGHTED):
        costs, _ = nnls(counts * weights[:, None], seconds * weights)
        weights = 1.0 / np.sqrt(seconds * np.maximum(counts @ costs, seconds / 4))
    return Parts(*costs.tolist())


def print_costs(costs: Parts) -> None:
    """Costs as they are written in `service.computing.estimating`."""
    for name, cost in msgspec.structs.asdict(costs).items():
        console.print(f"    {name}={cost:.3g},", highlight=False)


if __name__ == "__main__":
    are_off = estimates(record="--record" in sys.argv)
    sys.exit(bool(are_off) and "--check" in sys.argv)
