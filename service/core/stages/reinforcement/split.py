"""Which devices generate and which learn: all, as many as asked for, or the best share."""

import math
from typing import Final

from msgspec import UNSET

from service.core.argument import Cursor, Fixed, Unknown
from service.core.figures.ledger import Term
from service.core.request.work import Disaggregated, Placement
from service.core.serving.replicas import served
from service.core.stages.reinforcement.formulas import (
    devices_learning,
    generation_devices,
    streaming_seconds,
)
from service.core.stages.reinforcement.update import (
    STREAMED,
    RlStage,
    Split,
    learning_seconds,
    requests_of,
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
    timed in full, because few layouts fit every number of devices well. All figures that are
    written here are thrown away.
    """
    devices = stage.context.devices.central
    for base in SPLITS[3:]:
        learners = max(1.0, math.floor(devices * base))
        timed = learning_seconds(stage, learners)
        if timed is not None:
            break
    else:
        return 0.5
    writing = {share: _writing_seconds(stage, placement, share) for share in SPLITS}

    def together(share: float, learn: float) -> float:
        generation = writing[share]
        return max(generation, learn) if placement.off_policy_steps > 0.0 else generation + learn

    ranked = sorted(
        SPLITS,
        key=lambda share: together(share, timed * learners / max(1.0, math.floor(devices * share))),
    )
    exact: dict[float, float] = {}
    for share in ranked:
        learn = learning_seconds(stage, max(1.0, math.floor(devices * share)))
        if learn is not None:
            exact[share] = together(share, learn)
        if len(exact) == SPLITS_TIMED:
            break
    return min(exact, key=lambda share: exact[share], default=base)


def _writing_seconds(stage: RlStage, placement: Disaggregated, share: float) -> float:
    """Seconds that a step's responses take if `share` of the devices learns."""
    devices = stage.context.devices.central
    learning = max(1.0, math.floor(devices * share))
    asked = stage.work.said.steps_per_rollout
    given = None if asked is UNSET else Term("steps_per_rollout", asked)
    each = 1.0 if asked is UNSET else asked
    split = Split(
        generating=Term("generating", devices - learning),
        learning=Term("learning", learning),
        batches_ahead=placement.off_policy_steps,
    )
    writing = served(
        scratch_of(stage.work),
        stage.server,
        requests_of(stage, split, given),
        devices=devices - learning,
    )
    if isinstance(writing, Unknown):
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
