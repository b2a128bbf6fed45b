"""What a method of tuning trains of a model, and what it saves of a step and of memory."""

from msgspec import Struct

from service.core.argument import Cursor, Fixed
from service.core.figures.ledger import Term
from service.core.model.adapters import (
    QLORA_BYTES_PER_WEIGHT,
    adapter_flop_per_token,
    adapter_flop_ratio,
    frozen_flop_per_token,
    frozen_flop_ratio,
    largest_rank,
    trained_share_of_adapters,
)
from service.core.model.named import NamedModel
from service.core.request.work import (
    FrozenTuning,
    FullTuning,
    LoraTuning,
    QloraTuning,
    QuantisedFormat,
    Tuning,
)


class TrainableShare(Struct, frozen=True, kw_only=True):
    """Which share of the parameters is trained, and what that saves. By default all are.

    `adapters` says that no weight of the model itself is trained. The adapters beside them have
    `params_share` times as many parameters. `flop_ratio` is the FLOP of the method over those of
    the step that the engine times. `frozen_models` are weights that stand beside the model and only
    run forward, as many times as it has itself.
    """

    params_share: float = 1.0
    adapters: bool = False
    weight_bytes: float = 0.0
    base_format: QuantisedFormat | None = None
    frozen_models: float = 0.0
    flop_ratio: Term | None = None
    flop_per_token: Term | None = None


def trainable_share(
    work: Cursor[Tuning], model: NamedModel, *, sequence_length: Fixed
) -> TrainableShare:
    """The share of a model's parameters that the method of the work trains, and what that saves."""
    method = work.at("method")
    if isinstance(method.said, FullTuning):
        return TrainableShare()
    structure = {"architecture": model.fixed, "sequence_length": sequence_length}
    if isinstance(method.said, FrozenTuning):
        frozen = method.quantity("frozen_share", unit="share")
        return TrainableShare(
            params_share=1.0 - method.said.frozen_share,
            flop_ratio=work.derive(frozen_flop_ratio, "flop_ratio", frozen_share=frozen),
            flop_per_token=work.derive(
                frozen_flop_per_token, "flop_per_token", frozen_share=frozen, **structure
            ),
        )
    adapters = {"rank": method.quantity("rank", unit="ratio"), "target": method.fixed("target")}
    rank, target = method.said.rank, method.said.target
    base = _base_format(method)
    _warn_of_rank(method, model)
    return TrainableShare(
        params_share=float(
            trained_share_of_adapters(architecture=model.architecture, rank=rank, target=target)
        ),
        adapters=True,
        weight_bytes=0.0 if base is None else QLORA_BYTES_PER_WEIGHT[base],
        base_format=base,
        flop_ratio=work.derive(adapter_flop_ratio, "flop_ratio", **structure, **adapters),
        flop_per_token=work.derive(
            adapter_flop_per_token, "flop_per_token", **structure, **adapters
        ),
    )


def _base_format(
    method: Cursor[LoraTuning] | Cursor[QloraTuning],
) -> QuantisedFormat | None:
    """The format of the frozen weights, if it is not that of the rest."""
    if not isinstance(method.said, QloraTuning):
        return None
    if method.said.base_format == "int8":
        method.warn(
            "unmeasured_format",
            "an 8-bit weight is taken to unpack as long as its bytes need, over those of a 4-bit"
            " one; kernels differ",
            member="base_format",
        )
    return method.said.base_format


def _warn_of_rank(method: Cursor[LoraTuning] | Cursor[QloraTuning], model: NamedModel) -> None:
    most = largest_rank(architecture=model.architecture, target=method.said.target)
    if method.said.rank > most:
        method.warn(
            "rank_above_matrix",
            f"above rank {most:.0f} an adapter would cost more than training its matrix; it is"
            " counted as a third of the matrix, which costs the same",
            member="rank",
        )
