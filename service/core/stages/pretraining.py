"""Pre-training: tokens through a model, as many steps as they take."""

from service.core.argument import Cursor, Unknown
from service.core.model.named import description_of
from service.core.request.work import Pretraining
from service.core.stages.hours import Hours, StageContext
from service.core.stages.trained_tokens import hours_of_tokens
from service.core.training.step import step_of
from service.core.training.step_spec import ask_of


def pretraining_hours(context: StageContext) -> Hours:
    """Device-hours of one attempt at all tokens, each step as long as predicted."""
    work: Cursor[Pretraining] = context.work
    tokens = work.quantity("tokens", unit="token")
    named = description_of(context.argument, work.said.model, pointer=work.pointer_of("model"))
    outcome = (
        named
        if isinstance(named, Unknown)
        else step_of(
            context.argument,
            ask_of(work.said, named, pointer=work.pointer, prefix=work.prefix),
            context.cluster.said,
            cluster_pointer=context.cluster.pointer,
            devices=context.devices,
            mfu=work.quantity("mfu", unit="share") if work.states("mfu") else None,
            anchor=work.said.anchor,
        )
    )
    return hours_of_tokens(context, outcome, processed=tokens)
