"""Which devices generate and which learn: all, as many as asked for, or the best share."""

import math
from typing import Final

from msgspec import UNSET

from service.core.argument import Argument
from service.core.figures.ledger import Term
from service.core.model.named import Contradictory
from service.core.request.work import Disaggregated
from service.core.serving.replicas import Unserved, served
from service.core.stages.reinforcement.formulas import (
    devices_learning,
    generation_devices,
    streaming_seconds,
)
from service.core.stages.reinforcement.update import (
    STREAMED,
    Bench,
    Split,
    learning_seconds,
    load_of,
)

SPLITS: Final = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)
"""Shares of the devices that are tried for learning, where the others generate."""
SPLITS_TIMED: Final = 3
"""Of these, how many are timed as they are."""


def split_of(argument: Argument, bench: Bench) -> Split | Contradictory:
    """Which devices generate: all, as many as asked for, or the best share."""
    placement, devices = bench.work.placement, bench.place.devices
    if not isinstance(placement, Disaggregated):
        return Split(generating=devices, learning=devices)
    pointer = f"{bench.place.work_pointer}/placement/generation_devices"
    prefix = bench.place.prefix
    if placement.generation_devices is not UNSET:
        asked = placement.generation_devices
        if asked >= devices.central:
            return Contradictory(
                detail=f"{asked:g} of {devices.central:g} devices generate; none is left to learn",
                pointer=pointer,
            )
        generating = argument.ledger.given(asked, pointer=pointer, unit="count")
    elif devices.central < 2:
        return Contradictory(
            detail="one device cannot be split; it can generate and learn colocated",
            pointer=f"{bench.place.work_pointer}/placement/kind",
        )
    else:
        share = _best_share(argument, bench, placement)
        generating = argument.ledger.derive(
            generation_devices,
            name=f"{prefix}/generation_devices",
            inputs={"devices": devices},
            fixed={"learning_share": share},
            stands={"learning_share": "splits.best_share"},
        )
        argument.warn(
            "assumed_split",
            f"the split is not given; {generating.central:g} of {devices.central:g} devices "
            "generate",
            pointer=pointer,
        )
    return Split(
        generating=generating,
        learning=argument.ledger.derive(
            devices_learning,
            name=f"{prefix}/learning_devices",
            inputs={"devices": devices, "generation_devices": generating},
        ),
        batches_ahead=placement.off_policy_steps,
    )


def _best_share(argument: Argument, bench: Bench, placement: Disaggregated) -> float:
    """The learning share of the devices with the shortest step, all figures central.

    The update is timed once and taken to scale with the devices; the shares that look best by that
    are timed themselves, because few layouts fit every number of devices well. What is written
    here is thrown away.
    """
    devices = bench.place.devices.central
    for base in SPLITS[3:]:
        learners = max(1.0, math.floor(devices * base))
        timed = learning_seconds(argument, bench, learners)
        if timed is not None:
            break
    else:
        return 0.5

    asked = bench.work.steps_per_rollout
    given = None if asked is UNSET else Term("steps_per_rollout", asked)
    each = 1.0 if asked is UNSET else asked

    def generating(share: float) -> float:
        learning = max(1.0, math.floor(devices * share))
        split = Split(
            generating=Term("generating", devices - learning),
            learning=Term("learning", learning),
            batches_ahead=placement.off_policy_steps,
        )
        writing = served(
            Argument(argument.catalog),
            bench.office,
            load_of(bench, split, given),
            bench.work.serving,
            devices=devices - learning,
            pointer="",
            name="scratch/generation",
        )
        if isinstance(writing, Unserved):
            return math.inf
        batch = {key: term.central for key, term in writing.batch.items()}
        if not split.side_by_side:
            return batch["seconds"] / each
        decoding = streaming_seconds(
            **{key: batch[key] for key in STREAMED},
            batches_ahead=max(1.0, split.batches_ahead),
            steps_per_rollout=each,
        )
        return float(decoding)

    def together(share: float, learn: float) -> float:
        generation = writing[share]
        return max(generation, learn) if placement.off_policy_steps > 0.0 else generation + learn

    writing = {share: generating(share) for share in SPLITS}
    ranked = sorted(
        SPLITS,
        key=lambda share: together(share, timed * learners / max(1.0, math.floor(devices * share))),
    )
    exact: dict[float, float] = {}
    for share in ranked:
        learn = learning_seconds(argument, bench, max(1.0, math.floor(devices * share)))
        if learn is not None:
            exact[share] = together(share, learn)
        if len(exact) == SPLITS_TIMED:
            break
    return min(exact, key=lambda share: exact[share], default=base)
