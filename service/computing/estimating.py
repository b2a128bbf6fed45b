"""How long an answer takes to compute, from its request alone, before anything is computed.

The constants were measured by `python -m tests.bench.estimates`, which compares estimates with the
clock. They are seconds of a processor like that of the benchmarks, and are meant to be right within
a factor of two.
"""

from typing import Final

from msgspec import UNSET

from service.core.request.claim import ClaimedRuns, ClaimRequest
from service.core.request.request import Owned, QuoteRequest, Stage
from service.core.request.work import (
    Disaggregated,
    Finetuning,
    Generation,
    Pretraining,
    Reinforcement,
    Work,
)

QUOTE_S: Final = 0.003
"""A quote of one stage of known hours."""
CLAIM_S: Final = 0.006
"""A claim about one stage of known hours: its readings take as long as two quotes."""
STAGE_S: Final = 0.0016
"""Each stage: its lines, draws and quantiles."""
EXCHANGED_S: Final = 0.0016
"""Each stage of a quote in another currency than dollars: its lines once more."""
CLUSTER_S: Final = 0.002
"""A cluster of a stage's own. If it is owned, its depreciation, power and lines."""
SEARCHED_S: Final = 0.009
"""The best layout of a training step."""
STATED_S: Final = 0.004
"""A step in a layout that is stated."""
WRITTEN_S: Final = 0.012
"""Generation: the best spread of a replica, and the lengths of responses."""
ROLLOUT_S: Final = 0.018
"""A rollout and its update on the same devices."""
SPLIT_S: Final = 0.06
"""A rollout and its update on separate devices, with the best split of them."""


def estimated_cpu_s(request: QuoteRequest | ClaimRequest) -> float:
    """Seconds of a processor that the answer to a request takes."""
    if isinstance(request, ClaimRequest):
        what = request.what
        if isinstance(what, ClaimedRuns):
            return CLAIM_S + len(what.ids) * STAGE_S
        return CLAIM_S + sum(STAGE_S + _stage_s(stage) for stage in what.run.stages)
    stages = request.run.stages
    exchanged = 0.0 if request.options.currency == "USD" else EXCHANGED_S * len(stages)
    return QUOTE_S + exchanged + sum(_stage_s(stage) for stage in stages)


def _stage_s(stage: Stage) -> float:
    own = 0.0
    if stage.cluster is not UNSET:
        own = CLUSTER_S * (2 if isinstance(stage.cluster.supply, Owned) else 1)
    return STAGE_S + own + _work_s(stage.work)


def _work_s(work: Work) -> float:
    if isinstance(work, Pretraining | Finetuning):
        return SEARCHED_S if work.layout is UNSET else STATED_S
    if isinstance(work, Generation):
        return WRITTEN_S
    if isinstance(work, Reinforcement):
        return SPLIT_S if isinstance(work.placement, Disaggregated) else ROLLOUT_S
    return 0.0
