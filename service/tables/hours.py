"""From the seconds of a step to device-hours: step time, losses and practice apart."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import UNSET
from rich.table import Table

from service.core.answer import Estimate, LossesAnswer, StageAnswer, StepAnswer
from service.core.figures.units import SECONDS_PER_HOUR

ANOTHER_ATTEMPT: Final = 1.0 + 1e-6
"""From which ratio on the hours of all attempts are more than those of one."""

Row = tuple[str, str, str]


def hours_table(stages: Iterable[StageAnswer]) -> Table | None:
    """How the device-hours of each stage with predicted steps come about. None without one."""
    table = Table(title="hours", title_justify="left")
    table.add_column("stage")
    table.add_column("what")
    table.add_column("taken", justify="right")
    table.add_column("device-hours so far", justify="right")
    for stage in stages:
        for row in _rows(stage):
            table.add_row(stage.name, *row)
    return table if table.row_count else None


def _rows(stage: StageAnswer) -> Iterator[Row]:
    step, losses = stage.step, stage.losses
    # The phases of reinforcement are more than its step.
    if step is UNSET or losses is UNSET or stage.device_hours is UNSET or stage.phases:
        return
    yield from _of_step(stage.devices, step)
    yield from _of_losses(stage, step, losses)


def _of_step(devices: float, step: StepAnswer) -> Iterator[Row]:
    """The steps: as the engine times them, and with its error and what is not said of them."""
    seconds = step.seconds.central
    if step.predicted_s is not UNSET:
        yield _row("seconds of a step, as predicted", f"{step.predicted_s:,.4g}", 0.0)
        error = seconds / step.predicted_s
        yield _row("error of steps, and software not said", f"x {error:,.4g}", 0.0)
    steps = step.steps.central
    yield _row("steps", f"x {steps:,.6g}", steps * seconds * devices / SECONDS_PER_HOUR)


def _of_losses(stage: StageAnswer, step: StepAnswer, losses: LossesAnswer) -> Iterator[Row]:
    """What the held time has besides the steps, each over all before it."""
    hours = step.steps.central * step.seconds.central * stage.devices / SECONDS_PER_HOUR
    hours /= losses.goodput.central
    yield _row("goodput", f"/ {losses.goodput.central:.4f}", hours)
    beside = _central(losses.evaluation_share) + _central(losses.idle_share)
    if beside:
        hours /= 1.0 - beside
        yield _row("without evaluation and idle time", f"/ {1.0 - beside:.4f}", hours)
    if losses.practice is not UNSET:
        hours *= losses.practice.central
        yield _row("practice of published runs", f"x {losses.practice.central:.4f}", hours)
    startup = _central(losses.startup_hours) * stage.devices
    if startup:
        hours += startup
        yield _row("start-up", f"+ {startup:,.4g}", hours)
    if stage.device_hours is not UNSET and stage.device_hours.central > hours * ANOTHER_ATTEMPT:
        held = stage.device_hours.central
        yield _row("attempts", f"x {held / hours:,.4g}", held)


def _central(estimate: Estimate | object) -> float:
    return estimate.central if isinstance(estimate, Estimate) else 0.0


def _row(what: str, taken: str, hours: float) -> Row:
    return what, taken, f"{hours:,.6g}" if hours else ""
