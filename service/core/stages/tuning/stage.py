"""Fine-tuning: the steps that the examples take, and the time that the method needs for each."""

from service.core.argument import Cursor, Unknown
from service.core.figures.arrays import Real, maximum, minimum
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.model.named import NamedModel, named_model, warn_of_context
from service.core.request.work import (
    ExampleData,
    Tuning,
)
from service.core.stages.hours import Hours, StageContext
from service.core.stages.startup import Startup
from service.core.stages.trained_tokens import hours_of_tokens
from service.core.stages.tuning.objectives import answers_per_example, objective_of, with_objective
from service.core.training.step import step_of
from service.core.training.step_spec import spec_of
from service.core.training.trainable import TrainableShare, trainable_share


@formula("tokens_of_examples", unit="token")
def tokens_of_examples(
    *, examples: Real, mean_tokens: Real, epochs: Real, answers_per_example: Real = 1.0
) -> Real:
    """Tokens that examples have, repeats counted.

        examples * mean_tokens * epochs * answers_per_example

    Source: definition.
    """
    return examples * mean_tokens * epochs * answers_per_example


@formula("tokens_processed", unit="token")
def tokens_processed(*, tokens: Real, padding_share: Real) -> Real:
    """Tokens that run through the model, padding among them.

        tokens / (1 - padding_share)

    Source: definition.
    """
    return tokens / (1.0 - padding_share)


@formula("tokens_padded", unit="token")
def tokens_padded(*, tokens: Real, processed_tokens: Real) -> Real:
    """Tokens that are padding.

        processed_tokens - tokens

    Source: definition.
    """
    return processed_tokens - tokens


@formula("padding_of_sequences", unit="share")
def padding_of_sequences(*, mean_tokens: Real, sequence_length: Real) -> Real:
    """Share of padding if each example takes a whole sequence, at most 99%.

        1 - mean_tokens / sequence_length

    Longer examples are cut.

    Source: definition.
    """
    return maximum(0.0, minimum(1.0 - mean_tokens / sequence_length, 0.99))


def tuning_hours(context: StageContext) -> Hours:
    """Device-hours of one attempt at tuning, with all that the loss asks for."""
    work: Cursor[Tuning] = context.work
    model = named_model(work.at("model"))
    tokens, processed = _tokens(work)
    counted = {
        "trained": tokens,
        "padding": work.derive(
            tokens_padded, "padding_tokens", tokens=tokens, processed_tokens=processed
        ),
    }
    if isinstance(model, Unknown):
        return Hours(device_hours=model, tokens=counted)
    warn_of_context(work, model, tokens=work.said.sequence_length, member="sequence_length")
    objective = objective_of(work, model)
    if isinstance(objective, Unknown):
        return Hours(device_hours=objective, tokens=counted)
    trained = trainable_share(work, model, sequence_length=work.fixed("sequence_length"))
    trainable = with_objective(work, model, trained, objective)
    outcome = step_of(spec_of(work, model, trainable=trainable), context.cluster, context.devices)
    return hours_of_tokens(
        context,
        outcome,
        processed=processed,
        startup=_startup(model, trainable),
        counted=counted,
    )


def _startup(model: NamedModel, trainable: TrainableShare) -> Startup:
    """All weights are loaded. Adapters are saved by themselves, all else as a whole model."""
    written = trainable.params_share if trainable.adapters else 1.0
    return Startup(trains=True, model=model, weights_read=1.0, weights_written=written)


def _tokens(work: Cursor[Tuning]) -> tuple[Term, Term]:
    """Tokens of the examples, and the tokens with padding that run through the model."""
    data = work.at("data")
    mean = None
    if isinstance(data.said, ExampleData):
        mean = data.quantity("mean_tokens", unit="token")
        _warn_of_length(work, data, mean)
        tokens = data.derive(
            tokens_of_examples,
            "trained_tokens",
            examples=data.quantity("examples", unit="count"),
            mean_tokens=mean,
            epochs=data.quantity("epochs", unit="ratio"),
            **_answers(work),
        )
    else:
        tokens = data.quantity("tokens", unit="token")
    processed = work.derive(
        tokens_processed,
        "processed_tokens",
        tokens=tokens,
        padding_share=_padding_share(work, mean=mean),
    )
    return tokens, processed


def _answers(work: Cursor[Tuning]) -> dict[str, float]:
    answers = answers_per_example(work)
    return {} if answers == 1.0 else {"answers_per_example": answers}


def _warn_of_length(work: Cursor[Tuning], data: Cursor[ExampleData], mean: Term) -> None:
    length = work.said.sequence_length
    if mean.central > length:
        data.warn(
            "example_above_sequence",
            f"examples of {mean.central:g} tokens on average are longer than sequences of "
            f"{length:g}; all their tokens are counted, though trainers cut an example there",
            member="mean_tokens",
        )


def _padding_share(work: Cursor[Tuning], *, mean: Term | None) -> Term:
    padded = work.said.batching == "padded" and mean is not None
    if padded and not work.states("padding_share"):
        return work.derive(
            padding_of_sequences,
            "padding_share",
            mean_tokens=mean,
            sequence_length=work.quantity("sequence_length", unit="token"),
        )
    return work.assumed(
        "padding_share",
        unit="share",
        default=f"finetuning.padding_share.{work.said.batching}",
        warns="assumed_padding",
    )
