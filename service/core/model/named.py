"""The architecture of the model that a request names, and where that is printed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, structs

from service.core.argument import Cursor, Fixed, Unknown
from service.core.model.architecture import Architecture
from service.core.model.assumed import plausible_transformer
from service.core.model.shape import ASSUMED_IMAGE_SHARE, architecture_of, is_unmeasured
from service.core.request.transformer import Transformer, contradictions
from service.core.request.work import Model, ParametersModel, PresetModel, TransformerModel


class NamedModel(Struct, frozen=True, kw_only=True):
    """The architecture of a model that a request names.

    `stands` is where it is described: a row of the catalog, or a pointer into the request.
    `longest_sequence` is the most tokens that its configuration allows, if that is known.
    """

    architecture: Architecture
    stands: str
    longest_sequence: float | None = None

    @property
    def fixed(self) -> Fixed:
        """The architecture as an argument of a formula."""
        return Fixed(self.architecture, self.stands)


def warn_of_context(at: Cursor[Any], model: NamedModel, *, tokens: float, member: str) -> None:
    """Warn of sequences that are longer than the model's published configuration allows."""
    longest = model.longest_sequence
    if longest is not None and tokens > longest:
        at.warn(
            "context_above_maximum",
            f"sequences of {tokens:g} tokens are longer than the {longest:g} that the model's "
            "configuration allows",
            member=member,
        )


def named_model(at: Cursor[Model]) -> NamedModel | Unknown:
    """The model that the request names at this place, or why there can be none.

    Parameter counts become figures, whether a preset or the request gives them.
    """
    return _READERS[type(at.said)](at)


def _preset(at: Cursor[PresetModel]) -> NamedModel | Unknown:
    """A model of the catalog."""
    preset, ledger = at.row("id", at.argument.catalog.model), at.argument.ledger
    ledger.take(preset.params_total)
    if preset.params_active is not UNSET:
        ledger.take(preset.params_active)
    transformer = msgspec.convert(preset.architecture, Transformer)
    if at.states("image_share"):
        if transformer.vision is UNSET:
            return at.unknown("contradictory", f"{preset.id} reads no images", member="image_share")
        transformer = structs.replace(transformer, image_share=at.said.image_share)
    _warn_of_kinds(at, transformer)
    return NamedModel(
        architecture=architecture_of(transformer),
        stands=f"models/{preset.id}",
        longest_sequence=_longest(transformer),
    )


def _described(at: Cursor[TransformerModel]) -> NamedModel | Unknown:
    """A model whose shape the request describes."""
    faults = contradictions(at.said)
    if faults:
        detail = "; ".join(f"{member} {why}" for member, why in faults)
        return at.unknown("contradictory", detail, member=faults[0][0])
    _warn_of_kinds(at, at.said)
    return NamedModel(
        architecture=architecture_of(at.said),
        stands=at.pointer,
        longest_sequence=_longest(at.said),
    )


def _warn_of_kinds(at: Cursor[Any], transformer: Transformer) -> None:
    """Warn of what is assumed of images, and of kinds of models that no step was measured of."""
    if transformer.vision is not UNSET and transformer.image_share is UNSET:
        at.warn(
            "assumed_images",
            f"how many tokens come of images is not given; a share of {ASSUMED_IMAGE_SHARE:g} was "
            "taken",
            member="image_share",
        )
    if is_unmeasured(transformer):
        at.warn(
            "unmeasured_model",
            "no measured step is of encoder-decoders, vision towers, attention with an indexer, or "
            "mixers other than Mamba-2; their FLOP are counted",
        )


def _longest(transformer: Transformer) -> float | None:
    """Tokens of the longest sequence that the description allows, if it says."""
    return None if transformer.max_sequence is UNSET else transformer.max_sequence or None


def _plausible(at: Cursor[ParametersModel]) -> NamedModel | Unknown:
    """A model of which only parameter counts are known, with a usual shape and a warning."""
    total, active = at.said.total, at.said.active
    at.quantity("total", unit="count")
    if active is not UNSET:
        at.quantity("active", unit="count")
        if active > total:
            detail = f"active {active:g} is above total {total:g}"
            return at.unknown("contradictory", detail, member="active")
    transformer = plausible_transformer(
        params_total=total, params_active=None if active is UNSET else active
    )
    at.warn(
        "assumed_architecture",
        "only parameter counts are given; a usual shape was assumed: " + _in_words(transformer),
    )
    return NamedModel(architecture=architecture_of(transformer), stands=at.pointer)


def _in_words(transformer: Transformer) -> str:
    """The shape of a transformer, in words."""
    shape = (
        f"{transformer.layers:g} layers of {transformer.hidden_size:g}, "
        f"{transformer.heads:g} heads, vocabulary {transformer.vocab_size:g}"
    )
    moe = transformer.moe
    if moe is UNSET:
        return shape
    return (
        f"{shape}, {moe.experts:g} experts of {moe.moe_ffn_size:g}, "
        f"{moe.experts_per_token:g} of them per token"
    )


_READERS: Final[Mapping[type[Model], Callable[[Cursor[Any]], NamedModel | Unknown]]] = (
    MappingProxyType(
        {PresetModel: _preset, TransformerModel: _described, ParametersModel: _plausible}
    )
)
