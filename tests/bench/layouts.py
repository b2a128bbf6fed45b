"""CPU of predicting steps: one layout at a time, ten thousand at once, and a whole search."""

from collections.abc import Callable
from typing import Final

import numpy as np

from service.api.contract.examples import REQUESTS
from service.catalog_files import load_catalog
from service.core.argument import Argument
from service.core.request.names import placed_stages
from service.core.training.parallelism import Layout
from service.core.training.plan import builder_of
from service.core.training.search import search
from tests.bench.tables import print_ratios, side_by_side
from tests.worlds import answer, asked

MANY: Final = 10_000
LLAMA_405B: Final = next(
    example.request for example in REQUESTS if example.name == "llama-3-405b-from-its-tokens"
)


def layouts() -> None:
    """Print what predicting Llama 3.1 405B on 16,384 devices costs, side by side."""
    catalog = load_catalog()
    request = asked(LLAMA_405B)
    builder = builder_of(Argument(catalog), next(placed_stages(request)))
    one = Layout(tensor_parallel=8.0, pipeline_parallel=16.0, data_parallel=128.0)
    pipelines = np.resize(np.array([4.0, 8.0, 16.0, 32.0]), MANY)
    many = one._replace(pipeline_parallel=pipelines, tensor_parallel=np.full(MANY, 8.0))
    tasks: dict[str, tuple[Callable[[], object], int]] = {
        "one layout": (lambda: builder.central_parts(one).total, 50),
        f"{MANY:,} layouts": (lambda: builder.central_parts(many).total, 3),
        "search on 16,384 devices": (
            lambda: search(
                problem=builder.problem,
                devices=request.cluster.devices,
                step_time=lambda layout: builder.central_parts(layout).total,
            ),
            3,
        ),
        "whole quote with its search": (lambda: answer(LLAMA_405B, catalog), 3),
    }
    print_ratios("Llama 3.1 405B, predicted", side_by_side(tasks), unit="CPU us")


if __name__ == "__main__":
    layouts()
