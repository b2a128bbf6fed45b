"""A model trained on tokens: as many steps as they take, each as long as predicted or measured."""

from collections.abc import Mapping

from msgspec import UNSET

from service.core.argument import Argument
from service.core.cluster.hardware import Unsuited
from service.core.figures.ledger import Term
from service.core.model.named import Contradictory
from service.core.request.work import Finetuning, Pretraining
from service.core.stages.hours import Hours, Place
from service.core.stages.losses import held_hours, held_of
from service.core.training.formulas import device_hours_of_steps, steps_of
from service.core.training.placement import Unlaid
from service.core.training.step import Outcome


def trained(
    argument: Argument,
    work: Pretraining | Finetuning,
    place: Place,
    outcome: Outcome,
    *,
    processed: Term,
    counted: Mapping[str, Term],
) -> Hours:
    """Device-hours of one attempt at `processed` tokens, or why they are not known.

    `counted` are the tokens that the quote shows beside them.
    """
    if isinstance(outcome, Contradictory):
        argument.warn("contradictory", outcome.detail, pointer=outcome.pointer)
        return Hours(device_hours=None, tokens=counted, unknown=outcome.detail, contradictory=True)
    if isinstance(outcome, Unsuited):
        return Hours(device_hours=None, tokens=counted, unknown=outcome.detail)
    held = held_of(argument, work, place, predicted=work.mfu is UNSET)
    if outcome.seconds is None:
        assert isinstance(outcome.placement, Unlaid)
        return Hours(
            device_hours=None,
            held=held,
            step=outcome,
            tokens=counted,
            unknown=outcome.placement.detail,
        )
    steps = argument.ledger.derive(
        steps_of,
        name=f"{place.prefix}/steps",
        inputs={"tokens": processed, "tokens_per_step": outcome.tokens_per_step},
    )
    useful = argument.ledger.derive(
        device_hours_of_steps,
        name=f"{place.prefix}/device_hours_useful",
        inputs={"steps": steps, "seconds": outcome.seconds, "devices": place.devices},
    )
    return Hours(
        device_hours=held_hours(argument, useful, held, place),
        mfu=outcome.mfu,
        held=held,
        step=outcome,
        steps=steps,
        tokens=counted,
    )
