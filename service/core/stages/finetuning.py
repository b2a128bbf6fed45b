"""Fine-tuning: as many steps as the examples take, each as long as the method makes it."""

from typing import Any

from msgspec import UNSET

from service.core.argument import Argument
from service.core.figures.arrays import Real, maximum, minimum
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.model import Architecture
from service.core.model.adapters import (
    QLORA_BYTES_PER_WEIGHT,
    adapter_flop_per_token,
    frozen_flop_per_token,
    largest_rank,
    trained_share_of_adapters,
)
from service.core.model.named import Contradictory, Described, description_of
from service.core.request.work import (
    ExampleData,
    Finetuning,
    FrozenTuning,
    FullTuning,
    LoraTuning,
    QloraTuning,
    Target,
)
from service.core.stages.hours import Hours, Place
from service.core.stages.trained_tokens import trained
from service.core.training.step import step_of
from service.core.training.step_spec import Ask, Trained


@formula("tokens_of_examples", unit="token")
def tokens_of_examples(*, examples: Real, mean_tokens: Real, epochs: Real) -> Real:
    """Tokens that examples have, repeats counted: examples * mean_tokens * epochs."""
    return examples * mean_tokens * epochs


@formula("tokens_processed", unit="token")
def tokens_processed(*, tokens: Real, padding_share: Real) -> Real:
    """Tokens that run through the model, padding among them: tokens / (1 - padding_share)."""
    return tokens / (1.0 - padding_share)


@formula("tokens_padded", unit="token")
def tokens_padded(*, tokens: Real, processed_tokens: Real) -> Real:
    """Padding: processed_tokens - tokens."""
    return processed_tokens - tokens


@formula("padding_of_sequences", unit="share")
def padding_of_sequences(*, mean_tokens: Real, sequence_length: Real) -> Real:
    """Share of padding where each example takes a whole sequence, at most 99%.

        1 - mean_tokens / sequence_length

    Longer examples are cut.
    """
    return maximum(0.0, minimum(1.0 - mean_tokens / sequence_length, 0.99))


@formula("adapter_flop_ratio", unit="ratio")
def adapter_flop_ratio(
    *, architecture: Architecture, sequence_length: Real, rank: Real, target: Target
) -> Real:
    """FLOP of adapters of this rank over those of frozen weights alone.

    adapter_flop_per_token(rank) / adapter_flop_per_token(0)
    """

    def flop(rank: Real) -> Real:
        return adapter_flop_per_token(
            architecture=architecture, sequence_length=sequence_length, rank=rank, target=target
        )

    return flop(rank) / flop(0.0)


@formula("frozen_flop_ratio", unit="ratio")
def frozen_flop_ratio(*, frozen_share: Real) -> Real:
    """FLOP of partly frozen training over full training: (3 - 2 frozen_share) / 3."""
    return (3.0 - 2.0 * frozen_share) / 3.0


def finetuned(argument: Argument, work: Finetuning, place: Place) -> Hours:
    """Device-hours of one attempt at fine-tuning."""
    at = place.work_pointer
    described = description_of(argument, work.model, pointer=f"{at}/model")
    tokens, processed = _tokens(argument, work, place)
    counted = {
        "trained": tokens,
        "padding": argument.ledger.derive(
            tokens_padded,
            name=f"{place.prefix}/padding_tokens",
            inputs={"tokens": tokens, "processed_tokens": processed},
        ),
    }
    outcome = (
        described
        if isinstance(described, Contradictory)
        else step_of(
            argument,
            _ask(argument, work, described, place),
            place.cluster,
            cluster_pointer=place.cluster_pointer,
            devices=place.devices,
            mfu=None
            if work.mfu is UNSET
            else argument.quantity(work.mfu, pointer=f"{at}/mfu", unit="share"),
        )
    )
    return trained(argument, work, place, outcome, processed=processed, counted=counted)


def _tokens(argument: Argument, work: Finetuning, place: Place) -> tuple[Term, Term]:
    """Tokens of the examples, and those that run through the model with padding."""
    at, data = f"{place.work_pointer}/data", work.data
    mean = None
    if isinstance(data, ExampleData):
        mean = argument.quantity(data.mean_tokens, pointer=f"{at}/mean_tokens", unit="token")
        tokens = argument.ledger.derive(
            tokens_of_examples,
            name=f"{place.prefix}/trained_tokens",
            inputs={
                "examples": argument.quantity(
                    data.examples, pointer=f"{at}/examples", unit="count"
                ),
                "mean_tokens": mean,
                "epochs": argument.quantity(data.epochs, pointer=f"{at}/epochs", unit="ratio"),
            },
        )
    else:
        tokens = argument.quantity(data.tokens, pointer=f"{at}/tokens", unit="token")
    processed = argument.ledger.derive(
        tokens_processed,
        name=f"{place.prefix}/processed_tokens",
        inputs={
            "tokens": tokens,
            "padding_share": _padding_share(argument, work, place, mean=mean),
        },
    )
    return tokens, processed


def _padding_share(
    argument: Argument, work: Finetuning, place: Place, *, mean: Term | None
) -> Term:
    at = place.work_pointer
    if work.padding_share is not UNSET:
        return argument.quantity(work.padding_share, pointer=f"{at}/padding_share", unit="share")
    if work.batching == "padded" and mean is not None:
        return argument.ledger.derive(
            padding_of_sequences,
            name=f"{place.prefix}/padding_share",
            inputs={
                "mean_tokens": mean,
                "sequence_length": argument.ledger.given(
                    work.sequence_length, pointer=f"{at}/sequence_length", unit="token"
                ),
            },
        )
    return argument.stated_or_assumed(
        UNSET,
        pointer=f"{at}/padding_share",
        unit="share",
        assumption=f"finetuning.padding_share.{work.batching}",
        code="assumed_padding",
    )


def _ask(argument: Argument, work: Finetuning, described: Described, place: Place) -> Ask:
    return Ask(
        described=described,
        sequence_length=work.sequence_length,
        global_batch_tokens=work.global_batch_tokens,
        precision=work.precision,
        optimizer=work.optimizer,
        layout=work.layout,
        software_year=work.software_year,
        pointer=place.work_pointer,
        prefix=place.prefix,
        trained=_trained(argument, work, described, place),
    )


def _trained(argument: Argument, work: Finetuning, described: Described, place: Place) -> Trained:
    """What the method trains, and what that saves."""
    method, at = work.method, f"{place.work_pointer}/method"
    if isinstance(method, FullTuning):
        return Trained()
    stands = {
        "architecture": described.stands_at,
        "sequence_length": f"{place.work_pointer}/sequence_length",
    }
    fixed = {"architecture": described.architecture, "sequence_length": work.sequence_length}
    derive = argument.ledger.derive
    if isinstance(method, FrozenTuning):
        frozen = argument.ledger.given(
            method.frozen_share, pointer=f"{at}/frozen_share", unit="share"
        )
        return Trained(
            params_share=1.0 - method.frozen_share,
            flop_ratio=derive(
                frozen_flop_ratio,
                name=f"{place.prefix}/flop_ratio",
                inputs={"frozen_share": frozen},
            ),
            flop_per_token=derive(
                frozen_flop_per_token,
                name=f"{place.prefix}/flop_per_token",
                inputs={"frozen_share": frozen},
                fixed=fixed,
                stands=stands,
            ),
        )
    rank = argument.ledger.given(method.rank, pointer=f"{at}/rank", unit="ratio")
    _warn_of_rank(argument, method, described, pointer=at)
    of_rank: dict[str, Any] = {
        "inputs": {"rank": rank},
        "fixed": fixed | {"target": method.target},
        "stands": stands | {"target": f"{at}/target"},
    }
    return Trained(
        params_share=float(
            trained_share_of_adapters(
                architecture=described.architecture, rank=method.rank, target=method.target
            )
        ),
        adapters=True,
        weight_bytes=QLORA_BYTES_PER_WEIGHT if isinstance(method, QloraTuning) else 0.0,
        flop_ratio=derive(adapter_flop_ratio, name=f"{place.prefix}/flop_ratio", **of_rank),
        flop_per_token=derive(
            adapter_flop_per_token,
            name=f"{place.prefix}/flop_per_token",
            **of_rank,
        ),
    )


def _warn_of_rank(
    argument: Argument, method: LoraTuning | QloraTuning, described: Described, *, pointer: str
) -> None:
    most = largest_rank(architecture=described.architecture, target=method.target)
    if method.rank > most:
        argument.warn(
            "rank_above_matrix",
            f"from rank {most:.0f} on an adapter costs as much as its matrix, and is counted so",
            pointer=f"{pointer}/rank",
        )
