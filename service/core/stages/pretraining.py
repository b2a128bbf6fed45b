"""Pre-training: the steps that tokens take through a model."""

from service.core.argument import Cursor, Unknown
from service.core.model.named import named_model, warn_of_context
from service.core.request.work import Pretraining
from service.core.stages.hours import Hours, StageContext
from service.core.stages.startup import Startup
from service.core.stages.trained_tokens import hours_of_tokens
from service.core.training.step import step_of
from service.core.training.step_spec import spec_of


def pretraining_hours(context: StageContext) -> Hours:
    """Device-hours of one attempt at all tokens."""
    work: Cursor[Pretraining] = context.work
    tokens = work.quantity("tokens", unit="token")
    model = named_model(work.at("model"))
    if isinstance(model, Unknown):
        return Hours(device_hours=model)
    warn_of_context(work, model, tokens=work.said.sequence_length, member="sequence_length")
    outcome = step_of(spec_of(work, model), context.cluster, context.devices)
    startup = Startup(trains=True, model=model, weights_written=1.0)
    return hours_of_tokens(context, outcome, processed=tokens, startup=startup)
