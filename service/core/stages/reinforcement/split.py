"""Which devices generate and which learn: all, as many as asked for, or the best share."""

import math
from typing import Final

from msgspec import UNSET

from service.core.argument import Cursor, Fixed, Unknown
from service.core.figures.ledger import Term
from service.core.request.work import Disaggregated, Placement
from service.core.serving.replicas import served
from service.core.stages.reinforcement.formulas import devices_learning, generation_devices
from service.core.stages.reinforcement.phases import phases_of, whole_step
from service.core.stages.reinforcement.update import (
    RlStage,
    Split,
    mini_batch_seconds,
    requests_of,
    rollout_of,
    scratch_of,
)

SPLITS: Final = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)
"""Shares of the devices that are tried for learning. The others generate."""
SPLITS_TIMED: Final = 3
"""How many of these are timed in full."""
LEAST_TO_SPLIT: Final = 2
"""Devices: one to generate and one to learn."""


def split_of(stage: RlStage) -> Split | Unknown:
    """Which devices generate: all, as many as asked for, or the best share."""
    work, devices = stage.work, stage.context.devices
    placement: Cursor[Placement] = work.at("placement")
    said = placement.said
    if not isinstance(said, Disaggregated):
        return Split(generating=devices, learning=devices)
    if said.generation_devices is not UNSET:
        asked = said.generation_devices
        if asked >= devices.central:
            return placement.unknown(
                "contradictory",
                f"{asked:g} of {devices.central:g} devices generate; none is left to learn",
                member="generation_devices",
            )
        generating = placement.quantity("generation_devices", unit="count")
    elif devices.central < LEAST_TO_SPLIT:
        return placement.unknown(
            "contradictory",
            "one device cannot be split; it can generate and learn colocated",
            member="kind",
        )
    else:
        share = _best_share(stage, said)
        generating = work.derive(
            generation_devices,
            devices=devices,
            learning_share=Fixed(share, "splits.best_share"),
        )
        placement.warn(
            "assumed_split",
            f"the split is not given; {generating.central:g} of {devices.central:g} devices "
            "generate",
            member="generation_devices",
        )
    return Split(
        generating=generating,
        learning=work.derive(
            devices_learning, "learning_devices", devices=devices, generation_devices=generating
        ),
        batches_ahead=said.off_policy_steps,
    )


def _best_share(stage: RlStage, placement: Disaggregated) -> float:
    """The learning share of the devices that gives the shortest step, all figures central.

    The update is timed once and assumed to scale with the devices. The best shares by that are then
    timed in full, because few layouts fit every number of devices well.
    """
    devices = stage.context.devices.central
    for base in SPLITS[3:]:
        learners = learning(devices, base)
        timed = mini_batch_seconds(stage, learners)
        if timed is not None:
            break
    else:
        return 0.5
    scaled = {
        share: _step_seconds(stage, placement, share, timed * learners / learning(devices, share))
        for share in SPLITS
    }
    exact: dict[float, float] = {}
    for share in sorted(SPLITS, key=lambda share: scaled[share]):
        seconds = mini_batch_seconds(stage, learning(devices, share))
        if seconds is not None:
            exact[share] = _step_seconds(stage, placement, share, seconds)
        if len(exact) == SPLITS_TIMED:
            break
    return min(exact, key=lambda share: exact[share], default=base)


def learning(devices: float, share: float) -> float:
    """Devices that learn, if this share of them is to. At least one."""
    return max(1.0, math.floor(devices * share))


def _step_seconds(
    stage: RlStage, placement: Disaggregated, share: float, mini_batch_seconds: float
) -> float:
    """Seconds of a whole step if `share` of the devices learns; infinite if the others are too few.

    All figures that are written here are thrown away.
    """
    devices, scratch = stage.context.devices.central, scratch_of(stage)
    learners = learning(devices, share)
    split = Split(
        generating=Term("generating", devices - learners),
        learning=Term("learning", learners),
        batches_ahead=placement.off_policy_steps,
    )
    rollout = rollout_of(scratch, split)
    writing = served(
        scratch.work,
        scratch.server,
        requests_of(scratch, split, rollout.steps),
        devices=devices - learners,
    )
    if isinstance(writing, Unknown):
        return math.inf
    phases = phases_of(scratch, rollout, Term("mini_batch_seconds", mini_batch_seconds), writing)
    return whole_step(scratch, split, phases)["seconds"].central
