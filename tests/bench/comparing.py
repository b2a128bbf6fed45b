"""CPU and memory of comparisons, beside the same number of single quotes."""

import gc
import json
import tracemalloc
from collections.abc import Callable
from functools import partial
from statistics import median
from time import process_time
from typing import Any, Final

from service.answering import answer_of, encoded, question_of
from service.api.contract.decisions.examples import LLAMA_8B
from service.api.refusing.decoding import decoded
from service.catalog_files import load_catalog
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.core.request.decisions.compare import CompareRequest
from service.core.request.request import QuoteRequest
from tests.worlds import TEST_ENGINE

MOST_S: Final = 1.0
MOST_MIB: Final = 150.0
LEAST_TIMES: Final = 40.0
ROUNDS: Final = 3
QUOTED: Final = 24
"""Single quotes that are timed: they stand for as many as there are candidates."""
MANY: Final[dict[str, Any]] = {
    "run": LLAMA_8B.request["run"],
    "choices": {
        "accelerators": [
            "nvidia-h100-sxm-80gb",
            "nvidia-h200-sxm-141gb",
            "nvidia-b200-sxm",
            "amd-mi300x",
        ],
        "devices": [128, 256, 512, 1024],
        "terms": [
            "on_demand",
            "reserved_1m",
            "reserved_3m",
            "reserved_6m",
            "reserved_1y",
            "reserved_3y",
        ],
    },
}
RUN_405B: Final[dict[str, Any]] = {
    "run": {
        "name": "405B",
        "stages": [
            {
                "name": "pre-training",
                "work": {
                    "kind": "pretraining",
                    "model": {"kind": "preset", "id": "llama-3.1-405b"},
                    "tokens": 15.6e12,
                },
            }
        ],
    },
    "constraints": {"deadline_hours": 2160},
    "confidence": 0.8,
}


def answered(request: dict[str, Any], kind: type[Any], catalog: Catalog, memo: Memo) -> bytes:
    """The bytes of an answer, from the bytes of its request."""
    asked: Any = decoded(json.dumps(request).encode(), asked=kind)
    question = question_of(asked, engine=TEST_ENGINE, catalog=catalog)
    return encoded(answer_of(question, engine=TEST_ENGINE, catalog=catalog, memo=memo, kept={}))


def seconds_of(ask: Callable[[], object]) -> float:
    """Seconds of a processor that something takes, the median of a few times."""
    found = []
    for _ in range(ROUNDS):
        start = process_time()
        ask()
        found.append(process_time() - start)
    return median(found)


def comparing() -> None:
    """Print what comparisons take, and what as many single quotes would."""
    catalog, memo = load_catalog(), Memo()
    gc.collect()
    gc.freeze()  # as the service and its workers do once they are warm
    print("\ncomparisons of the default catalog (CPU s, MiB at most beside the catalog)")
    for name, request in (("8B within 30 days", LLAMA_8B.request), ("405B in 90 days", RUN_405B)):
        answered(request, CompareRequest, catalog, memo)
        seconds = seconds_of(partial(answered, request, CompareRequest, catalog, memo))
        tracemalloc.start()
        answered(request, CompareRequest, catalog, memo)
        mib = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(f"  {name:20} {seconds:6.2f} s of {MOST_S:g}, {mib:6.1f} MiB of {MOST_MIB:g}")
    _beside_quotes(catalog, memo)


def _beside_quotes(catalog: Catalog, memo: Memo) -> None:
    """A comparison of many sellers and terms, and single quotes of some of its candidates."""
    answer = json.loads(answered(MANY, CompareRequest, catalog, memo))
    comparison_s = seconds_of(partial(answered, MANY, CompareRequest, catalog, memo))
    some = answer["candidates"][:: max(1, len(answer["candidates"]) // QUOTED)]
    requests = [{"run": MANY["run"], "cluster": one["cluster"]} for one in some]

    def quoted() -> None:
        for request in requests:
            answered(request, QuoteRequest, catalog, memo)

    quote_s = seconds_of(quoted) / len(requests)
    count = answer["counts"]["feasible"] + answer["counts"]["infeasible"]
    feasible = answer["counts"]["feasible"]
    times = quote_s * feasible / comparison_s
    print(
        f"  {feasible:,} candidates ({count:,} looked at): {comparison_s:.2f} s; "
        f"one by one {quote_s * 1000:.1f} ms each: {times:.0f} times as long, at least "
        f"{LEAST_TIMES:g} wanted"
    )


if __name__ == "__main__":
    comparing()
