"""The peer's half of the benchmark of joint draws; it runs in an environment of its own.

It reads its task as a line of JSON, and then, for every line, runs it once and answers with the
CPU microseconds that it took.
"""

import json
import sys
from time import process_time

import numpy as np
import squigglepy as sq


def quantiles(low: list[float], high: list[float], products: list[list[int]], draws: int) -> object:
    """p10, p50, p90 of products of log-normal figures, each figure drawn once."""
    drawn = [
        sq.sample(sq.lognorm(*ends, credibility=90), n=draws)
        for ends in zip(low, high, strict=True)
    ]
    return [
        sq.get_percentiles(np.prod([drawn[at] for at in factors], axis=0), [10, 50, 90])
        for factors in products
    ]


def main() -> None:
    """Answer until there are no more lines."""
    task = json.loads(sys.stdin.readline())
    for _ in sys.stdin:
        start = process_time()
        quantiles(**task)
        print((process_time() - start) * 1e6, flush=True)


if __name__ == "__main__":
    main()
