"""How long an answer takes to compute, from its request alone, before anything is computed.

A request is counted: its stages, its intervals, its searches for layouts and how many layouts each
has. Each of these has a cost. `python -m tests.bench.estimates` measures requests of all kinds,
fits the costs to them, and prints how far estimates are off. They are meant to be right within a
factor of two.
"""

from collections.abc import Hashable
from operator import mul
from typing import Any, Final, TypeAlias

from msgspec import UNSET, Struct
from msgspec.structs import astuple, replace

from service.core.argument import Argument, Cursor
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import QuoteError
from service.core.comparing.choices import accelerators_of
from service.core.comparing.searching import MOST_PLANS
from service.core.comparing.solving import request_of, with_model
from service.core.model.named import NamedModel, named_model
from service.core.request.accounting import Accounting
from service.core.request.claim import ClaimedRuns, ClaimRequest
from service.core.request.decisions.compare import CompareRequest
from service.core.request.decisions.solve import (
    FindDevices,
    FindModel,
    FindOwning,
    FindPrice,
    FindTokens,
    SolveRequest,
)
from service.core.request.request import Cluster, QuoteRequest, Run, Stage
from service.core.request.work import (
    Disaggregated,
    Generation,
    Losses,
    Pretraining,
    Reinforcement,
    Tuning,
    Work,
)
from service.core.serving.lengths import token_lengths_of
from service.core.training.search import combinations_of


class Parts(Struct):
    """All that takes time: how much of each there is, or the seconds that one of each takes."""

    quote: float = 0.0
    claim: float = 0.0
    claimed_runs: float = 0.0
    stages: float = 0.0
    exchanged_stages: float = 0.0
    """Stages of a quote in another currency than dollars: its lines are made once more."""
    own_clusters: float = 0.0
    terms: float = 0.0
    """Discounts and uplifts."""
    intervals: float = 0.0
    losses: float = 0.0
    """Stages that lose time to failures, evaluation and starts."""
    steps: float = 0.0
    """Stages that train."""
    servings: float = 0.0
    """Stages that generate."""
    stage_intervals: float = 0.0
    """Stages times intervals: a quantile of a stage looks at the draws of all that it rests on."""
    serving_intervals: float = 0.0
    """Stages that generate times intervals: each is drawn for all figures of each of them."""
    searches: float = 0.0
    """Searches for layouts that differ."""
    combinations: float = 0.0
    """Thousands of combinations of degrees that those begin with."""
    splits: float = 0.0
    """Stages for which a split of the devices is chosen."""
    solved: float = 0.0
    trials: float = 0.0
    """Numbers of tokens that are tried, beside the stages of each."""
    compared: float = 0.0
    plans: float = 0.0
    """Devices and sizes that are compared, beside the stages and searches of each."""
    ways: float = 0.0
    """Sellers and terms under which they are compared."""


SECONDS: Final = Parts(
    quote=0.0054,
    claim=0.0058,
    claimed_runs=0.0033,
    stages=0.00056,
    exchanged_stages=0.0005,
    own_clusters=0.00047,
    terms=0.00013,
    intervals=0.00017,
    losses=0.00092,
    steps=0.0017,
    servings=0.0053,
    stage_intervals=0.0000035,
    serving_intervals=0.0000029,
    searches=0.0061,
    combinations=0.0041,
    splits=0.0013,
    solved=0.006,
    trials=0.002,
    compared=0.025,
    plans=0.00026,
    ways=0.000092,
)
"""Seconds of a processor like that of the benchmarks, fitted together."""
TRIALS: Final = {
    FindPrice: 4.5,
    FindTokens: 9.0,
    FindModel: 1.0,
    FindDevices: 20.0,
    FindOwning: 2.0,
}
"""Trials that a solution takes, by what is to be found. Each model is tried once. Tokens are tried
until they are found: for two kinds of runs and eleven limits 4 to 26 times, 20 of 22 within a
factor of two of 9. Devices are as well, and vary more, so for these it is a number that few exceed.
"""
STAGE_OF_TRIAL: Final = 0.63
"""What a stage takes each time that tokens are tried, of what it takes in a quote, where it is
printed as well. This and the seconds of a trial are fitted to runs of one to eight stages."""
SOLVED_OWNING: Final = 2.5
"""What owning takes beside its trials, as a multiple of what others do."""
STAGE_OF_PLAN: Final = 0.5
"""The same of a stage and its search on one device and size of a comparison, of which the best are
printed. It is fitted together with the seconds of a comparison, its plans and its ways."""
SIZES_OF_DEVICE: Final = 1.5
"""Sizes of a device that a comparison looks at, if none are listed."""
USUAL_DEVICES: Final = 256.0
"""A size like those that a comparison looks at, if none are listed."""
SEARCHES_OF_SPLIT: Final = 2
"""Searches where a split of the devices is chosen: of one number of them, and of the best three."""
COUNTS_OF_SPLIT: Final = 4
"""Numbers of devices that these two search for."""
MARK_OF_INTERVAL: Final = b'"low":'
"""Each interval of a canonical request has it once. No text has it: quotes in it are escaped."""
DECIDES_A_STEP: Final = (
    "model",
    "method",
    "precision",
    "optimizer",
    "software_year",
    "expert_kernels",
    "framework",
    "compile",
    "attention_kernel",
    "sequence_length",
    "global_batch_tokens",
    "prompts_per_step",
    "samples_per_prompt",
    "updates_per_step",
    "prompt_tokens",
    "responses",
    "placement",
)
"""Members of work on which the layouts of a step depend."""
Training: TypeAlias = Pretraining | Tuning | Reinforcement


def seconds_of(counts: Parts) -> float:
    """Seconds of a processor that so much of all takes."""
    return float(sum(map(mul, astuple(SECONDS), astuple(counts))))


def parts_of_quote(request: QuoteRequest, catalog: Catalog) -> Parts:
    """What takes time of a quote."""
    counts = Parts(quote=1)
    _count_run(counts, request.run, request.cluster, catalog)
    _count_terms(counts, request.accounting)
    if request.options.currency != "USD":
        counts.exchanged_stages = counts.stages
    return counts


def parts_of_claim(claim: ClaimRequest, catalog: Catalog) -> Parts:
    """What takes time of a claim."""
    counts = Parts(claim=1)
    if isinstance(claim.what, ClaimedRuns):
        runs = [catalog.runs.get(id) for id in claim.what.ids]
        counts.claimed_runs = sum(run is not None and run.device_hours is not UNSET for run in runs)
    else:
        _count_run(counts, claim.what.run, claim.what.cluster, catalog)
        _count_terms(counts, claim.what.accounting)
    return counts


def parts_of_comparison(asked: CompareRequest, catalog: Catalog) -> Parts:
    """What takes time of a comparison: a run for each device and size, in bounded number."""
    devices = accelerators_of(asked, catalog)
    listed = asked.choices.devices
    by_device = SIZES_OF_DEVICE if listed is UNSET else float(len(listed))
    plans = min(MOST_PLANS, by_device * len(devices))
    sellers = sum(len({row.provider for row in catalog.price_rows.get(d, ())}) for d in devices)
    counts = Parts(compared=1, plans=plans)
    counts.ways = plans * sellers / max(1, len(devices)) * len(asked.choices.terms)
    one = Parts()
    largest = max((*(() if listed is UNSET else listed), USUAL_DEVICES))
    _count_run(one, asked.run, Cluster(device=next(iter(devices), ""), devices=largest), catalog)
    many = plans * STAGE_OF_PLAN
    counts.stages, counts.losses, counts.steps = (
        many * each for each in (one.stages, one.losses, one.steps)
    )
    counts.servings, counts.searches = many * one.servings, many * one.searches
    counts.combinations, counts.splits = many * one.combinations, many * one.splits
    _count_terms(counts, asked.accounting)
    return counts


def parts_of_solution(asked: SolveRequest, catalog: Catalog) -> Parts:
    """What takes time of a solution: the run is tried again and again.

    No layout depends on the tokens, so it is searched for once.
    """
    find, cluster, one = asked.find, asked.cluster, Parts()
    if isinstance(find, FindDevices):
        cluster = replace(cluster, devices=max(USUAL_DEVICES, cluster.devices))
    if isinstance(find, FindModel):
        request = request_of(asked)
        runs = [with_model(request, int(find.stage), model).run for model in find.models]
    else:
        runs = [asked.run]
    for run in runs:
        _count_run(one, run, cluster, catalog)
    many = TRIALS[type(find)]
    if isinstance(find, FindTokens):
        counts = Parts(*(many * STAGE_OF_TRIAL * each for each in astuple(one)))
        counts.trials = many
        counts.searches, counts.combinations = one.searches, one.combinations
    else:
        counts = Parts(*(many * each for each in astuple(one)))
    counts.solved = SOLVED_OWNING if isinstance(find, FindOwning) else 1.0
    _count_terms(counts, asked.accounting)
    return counts


def count_intervals(counts: Parts, canonical: bytes) -> None:
    """Add the intervals of a request to what else takes time."""
    counts.intervals = canonical.count(MARK_OF_INTERVAL)
    counts.stage_intervals = counts.intervals * counts.stages
    counts.serving_intervals = counts.intervals * counts.servings


def _count_terms(counts: Parts, accounting: Accounting) -> None:
    counts.terms += len(accounting.discounts) + len(accounting.uplifts)


def _count_run(counts: Parts, run: Run, cluster: Cluster, catalog: Catalog) -> None:
    searched: set[Hashable] = set()
    for stage in run.stages:
        _count_stage(counts, stage)
        where = cluster if stage.cluster is UNSET else stage.cluster
        work = stage.work
        if isinstance(work, Training) and work.layout is UNSET:
            key = _decides_a_step(work, where)
            if key not in searched:
                searched.add(key)
                _count_search(counts, work, where, catalog)


def _decides_a_step(work: Training, cluster: Cluster) -> Hashable:
    """Where this is alike, a quote searches once."""
    members = tuple(getattr(work, member, None) for member in DECIDES_A_STEP)
    network = cluster.network_gbit_per_s_per_device
    return type(work), members, cluster.device, cluster.devices, network


def _count_stage(counts: Parts, stage: Stage) -> None:
    work = stage.work
    counts.stages += 1
    if stage.cluster is not UNSET:
        counts.own_clusters += 1
    counts.losses += isinstance(work, Losses)
    counts.steps += isinstance(work, Training)
    counts.servings += isinstance(work, Generation | Reinforcement)
    counts.splits += _splits(work)


def _count_search(counts: Parts, work: Training, cluster: Cluster, catalog: Catalog) -> None:
    """A search for a layout on all devices, or on each number of them that may learn."""
    at = Argument(catalog).at(work, pointer="", prefix="")
    splits = _splits(work)
    counts.searches += SEARCHES_OF_SPLIT if splits else 1
    try:
        model = named_model(at.at("model"))
    except QuoteError:
        return
    if isinstance(model, NamedModel):
        combinations = combinations_of(
            architecture=model.architecture,
            sequence_length=_sequence_length(at),
            devices=cluster.devices,
        )
        counts.combinations += (COUNTS_OF_SPLIT if splits else 1) * combinations / 1000


def _splits(work: Work | Training) -> bool:
    """Whether a split of the devices is chosen."""
    if not isinstance(work, Reinforcement):
        return False
    placement = work.placement
    return isinstance(placement, Disaggregated) and placement.generation_devices is UNSET


def _sequence_length(at: Cursor[Any]) -> float:
    """Tokens of a sequence, or of a mean sample with its prompt."""
    if not isinstance(at.said, Reinforcement):
        return float(at.said.sequence_length)
    lengths = token_lengths_of(at)
    return float(max(1, round(lengths.prompt_tokens.central + lengths.kept_tokens.central)))
