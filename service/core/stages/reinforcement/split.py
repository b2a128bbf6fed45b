"""Which devices generate and which learn: all, as many as asked for, or the best share."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from msgspec import UNSET

from service.core.argument import Cursor, Fixed, Unknown
from service.core.figures.arrays import Array, Real
from service.core.figures.ledger import Term, replay
from service.core.request.work import Disaggregated, Placement
from service.core.serving.decoding import BATCH_UNITS
from service.core.serving.replicas import servings_on_each
from service.core.stages.reinforcement.formulas import devices_learning, generation_devices
from service.core.stages.reinforcement.phases import phases_of, whole_step
from service.core.stages.reinforcement.update import (
    RlStage,
    Split,
    aside_of,
    mini_batch_seconds,
    requests_of,
    rollout_of,
)

SPLITS: Final = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)
"""Shares of the devices that are tried for learning. The others generate."""
SPLITS_TIMED: Final = 3
"""How many of these are timed in full."""
LEAST_TO_SPLIT: Final = 2
"""Devices: one to generate and one to learn."""
GENERATING, LEARNING, MINI_BATCH, WRITTEN = "generating", "learning", "mini_batch", "written"
"""The names of what differs between splits that are tried."""


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
    learners = {share: learning(devices, share) for share in SPLITS}
    for base in SPLITS[3:]:
        (timed,) = mini_batch_seconds(stage, [learners[base]])
        if timed is not None:
            break
    else:
        return 0.5
    trial = _Trial(stage, placement, learners)
    scaled = trial.step_seconds(
        {share: timed * learners[base] / learners[share] for share in SPLITS}
    )
    untried = sorted(SPLITS, key=lambda share: scaled[share])
    exact: dict[float, float] = {}
    while untried and len(exact) < SPLITS_TIMED:
        tried = [untried.pop(0) for _ in range(min(len(untried), SPLITS_TIMED - len(exact)))]
        seconds = mini_batch_seconds(stage, [learners[share] for share in tried])
        exact |= {share: one for share, one in zip(tried, seconds, strict=True) if one is not None}
    steps = trial.step_seconds(exact)
    return min(exact, key=lambda share: steps[share], default=base)


def learning(devices: float, share: float) -> float:
    """Devices that learn, if this share of them is to. At least one."""
    return max(1.0, math.floor(devices * share))


class _Trial:
    """Seconds of a whole step on every split, with every figure at its central value.

    The step is written once, into a ledger that is thrown away, and replayed over the splits.
    """

    def __init__(
        self, stage: RlStage, placement: Disaggregated, learners: Mapping[float, float]
    ) -> None:
        aside = aside_of(stage)
        self._places = {share: place for place, share in enumerate(learners)}
        self._tape = aside.work.argument.ledger.tape
        generating = stage.context.devices.central - np.array(list(learners.values()))
        split = Split(
            generating=Term(GENERATING, float(generating[0])),
            learning=Term(LEARNING, next(iter(learners.values()))),
            batches_ahead=placement.off_policy_steps,
        )
        rollout = rollout_of(aside, split)
        self._rows: dict[str, Array] = {GENERATING: generating}
        steps = rollout.steps
        found = servings_on_each(
            aside.work,
            aside.server,
            requests_of(aside, split, steps),
            devices=generating,
            times=1.0 if steps is None else self._replayed(self._rows, steps),
        )
        self._serves = np.zeros(len(learners), dtype=bool) if found is None else found.serves
        written = {} if found is None else found.batch._asdict()
        self._rows |= {f"{WRITTEN}/{part}": row for part, row in written.items()}
        batch = {part: Term(f"{WRITTEN}/{part}", 1.0) for part in BATCH_UNITS}
        phases = phases_of(aside, split, rollout, Term(MINI_BATCH, 1.0), batch)
        self._seconds = whole_step(aside, split, phases)["seconds"]

    def step_seconds(self, mini_batch_seconds: Mapping[float, float]) -> dict[float, float]:
        """Seconds of a step for some shares, each with its seconds of a mini-batch.

        They are infinite where those that generate are too few.
        """
        places = [self._places[share] for share in mini_batch_seconds]
        rows = {name: row[places] for name, row in self._rows.items()}
        rows[MINI_BATCH] = np.array(list(mini_batch_seconds.values()))
        seconds = np.where(self._serves[places], self._replayed(rows, self._seconds), np.inf)
        return dict(zip(mini_batch_seconds, seconds.tolist(), strict=True))

    def _replayed(self, rows: Mapping[str, Array], term: Term) -> Real:
        """A figure for rows of splits, or its one value if it is the same for all."""
        tape = (*self._tape.standing, *self._tape.of_run)
        return replay(tape, rows).get(term.name, term.central)
