"""A model trained on tokens: the steps that they take, and the time of each."""

from collections.abc import Mapping

from service.core.argument import Unknown
from service.core.figures.ledger import Term
from service.core.stages.hours import Hours, StageContext
from service.core.stages.losses import held_hours, time_shares
from service.core.stages.startup import Startup, startup_of
from service.core.training.formulas import device_hours_of_steps, steps_of
from service.core.training.step import Step


def hours_of_tokens(
    context: StageContext,
    outcome: Step | Unknown,
    *,
    processed: Term,
    startup: Startup,
    counted: Mapping[str, Term] | None = None,
) -> Hours:
    """Device-hours of one attempt at `processed` tokens, or why they are not known.

    `startup` is what the stage starts and loads. `counted` are further tokens that the quote
    shows.
    """
    counted = counted or {}
    if isinstance(outcome, Unknown):
        return Hours(device_hours=outcome, tokens=counted)
    work = context.work
    shares = time_shares(context, predicted=not work.states("mfu"))
    if isinstance(outcome.seconds, Unknown):
        return Hours(device_hours=outcome.seconds, shares=shares, step=outcome, tokens=counted)
    steps = work.derive(steps_of, tokens=processed, tokens_per_step=outcome.tokens_per_step)
    useful = work.derive(
        device_hours_of_steps,
        "device_hours_useful",
        steps=steps,
        seconds=outcome.seconds,
        devices=context.devices,
    )
    started = startup_of(context, startup)
    return Hours(
        device_hours=held_hours(context, useful, shares, startup=started),
        mfu=outcome.mfu,
        shares=shares,
        startup=started,
        step=outcome,
        steps=steps,
        tokens=counted,
    )
