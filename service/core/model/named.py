"""From the model that a request names to its architecture, and to where that was printed."""

from typing import TypeAlias

import msgspec
from msgspec import UNSET, Struct

from service.core.argument import Argument, Unknown
from service.core.model import Architecture, architecture_of, plausible_transformer
from service.core.request.transformer import Transformer, contradictions
from service.core.request.work import Model, ParametersModel, PresetModel


class Described(Struct, frozen=True, kw_only=True):
    """An architecture, and where it stands: a pointer into the request or a row of the catalog."""

    architecture: Architecture
    stands_at: str


Description: TypeAlias = Described | Unknown


def description_of(argument: Argument, model: Model, *, pointer: str) -> Description:
    """The architecture of a model found at `pointer`, or why there can be none.

    The parameter counts of a preset, or those that were given, become figures.
    """
    if isinstance(model, PresetModel):
        preset = argument.catalog.model(model.id, pointer=f"{pointer}/id")
        argument.ledger.take(preset.params_total)
        if preset.params_active is not UNSET:
            argument.ledger.take(preset.params_active)
        transformer = msgspec.convert(preset.architecture, Transformer)
        return Described(architecture=architecture_of(transformer), stands_at=f"models/{preset.id}")
    if isinstance(model, ParametersModel):
        return _assumed(argument, model, pointer=pointer)
    faults = contradictions(model)
    if faults:
        return Unknown(
            reason="contradictory",
            detail="; ".join(f"{member} {why}" for member, why in faults),
            pointer=f"{pointer}/{faults[0][0]}",
        )
    return Described(architecture=architecture_of(model), stands_at=pointer)


def _assumed(argument: Argument, model: ParametersModel, *, pointer: str) -> Description:
    argument.ledger.given(model.total, pointer=f"{pointer}/total", unit="count")
    active = None
    if model.active is not UNSET:
        active = min(model.active, model.total)
        argument.ledger.given(model.active, pointer=f"{pointer}/active", unit="count")
        if model.active > model.total:
            return Unknown(
                reason="contradictory",
                detail=f"active {model.active:g} is above total {model.total:g}",
                pointer=f"{pointer}/active",
            )
    transformer = plausible_transformer(params_total=model.total, params_active=active)
    shape = (
        f"{transformer.layers:g} layers of {transformer.hidden_size:g}, "
        f"{transformer.heads:g} heads, vocabulary {transformer.vocab_size:g}"
    )
    if transformer.moe is not UNSET:
        shape += (
            f", {transformer.moe.experts:g} experts of {transformer.moe.moe_ffn_size:g}, "
            f"{transformer.moe.experts_per_token:g} of them per token"
        )
    argument.warn(
        "assumed_architecture",
        f"only parameter counts are given; a usual shape was assumed: {shape}",
        pointer=pointer,
    )
    return Described(architecture=architecture_of(transformer), stands_at=pointer)
