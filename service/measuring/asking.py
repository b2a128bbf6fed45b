"""What a caller wants timed: a stage of a request, or a model in words of the command."""

import json
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import UNSET, Struct

from service.api.refusing.decoding import decode_request
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.figures.vocabulary import AttentionKernel
from service.core.model.assumed import plausible_transformer
from service.core.request.names import unknown_names, with_known_names
from service.core.request.request import QuoteRequest, Stage
from service.core.request.transformer import Transformer, contradictions
from service.core.request.work import (
    Finetuning,
    FullTuning,
    LoraTuning,
    ParametersModel,
    PresetModel,
    Pretraining,
    TransformerModel,
)
from service.core.training.frameworks import FRAMEWORK_OF_STACK
from service.measuring.building import NotMeasured, adapted_modules, built_of
from service.measuring.case import AdapterCase, Case, TimedPrecision, TimedRecompute

Parts = dict[str, Any]

COMPILED_BY_DEFAULT: Final = {"hf_eager": False, "torch_compile": True}
"""Kinds of framework whose steps are those of a model of transformers, by how they run it."""
USUAL_FRAMEWORK: Final = "hf_eager"
ATTENTION_FUSED: Final[dict[AttentionKernel, bool]] = {"flash_2": True, "unfused": False}
"""Kernels of attention that PyTorch has, and whether they are fused."""
OPTIMIZERS: Final = ("adamw", "adamw_pure_bf16", "adafactor", "sgd_momentum")
MOST_ACCUMULATED: Final = 8
"""Micro-batches of a timed step, where the request's own step has more."""


class Wanted(NamedTuple):
    """What members of the command say in place of those of the request."""

    micro_batch: int | None = None
    accumulation: int | None = None
    recompute: TimedRecompute | None = None
    sequence_length: int | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """One step to be timed, and what the anchor of it is put into.

    `recomputes` are tried in their order. `software` are members of the work that the timed stack
    presumes. `device` is that of the request's cluster.
    """

    case: Case
    recomputes: tuple[TimedRecompute, ...]
    software: Parts
    model: Parts
    document: Parts | None = None
    stage: int = 0
    device: str | None = None
    notes: tuple[str, ...] = ()


def asked_of_request(body: bytes, catalog: Catalog, *, stage: str | None, wanted: Wanted) -> Asked:
    """The step of a stage of a request. Raises what reading raises, and `NotMeasured`."""
    request = with_known_names(decode_request(body), catalog)
    if errors := unknown_names(request, catalog):
        raise NotQuotable(errors)
    index = _stage_of(request, stage)
    chosen = request.run.stages[index]
    cluster = request.cluster if chosen.cluster is UNSET else chosen.cluster
    device = cluster.device if isinstance(cluster.device, str) else cluster.device.name
    work = chosen.work
    assert isinstance(work, Pretraining | Finetuning)
    return _asked(
        work,
        catalog,
        wanted=wanted,
        devices=cluster.devices,
        document=json.loads(body),
        stage=index,
        device=device,
    )


def asked_of_work(said: Parts, catalog: Catalog, *, wanted: Wanted) -> Asked:
    """The step of a work by itself. Raises what reading raises, and `NotMeasured`."""
    device = next(iter(catalog.accelerators))  # any: the step is timed on the one at hand
    request = {
        "run": {"name": "measured", "stages": [{"name": "measured", "work": said}]},
        "cluster": {"accelerator": device, "devices": 1},
    }
    alone = wanted._replace(accumulation=wanted.accumulation or 1)
    found = asked_of_request(msgspec.json.encode(request), catalog, stage=None, wanted=alone)
    return msgspec.structs.replace(found, document=None, device=None)


def _stage_of(request: QuoteRequest, named: str | None) -> int:
    """The place of the stage that is named, or of the only one that can be timed."""

    def timeable(stage: Stage) -> bool:
        return isinstance(stage.work, Pretraining | Finetuning)

    stages = list(enumerate(request.run.stages))
    found = [at for at, stage in stages if (stage.name == named if named else timeable(stage))]
    if len(found) == 1 and timeable(request.run.stages[found[0]]):
        return found[0]
    names = ", ".join(stage.name for _, stage in stages if timeable(stage))
    raise NotMeasured(
        f"name one stage with --stage: steps of pre-training and fine-tuning are timed, here those "
        f"of {names or 'no stage'}"
    )


def _asked(
    work: Pretraining | Finetuning,
    catalog: Catalog,
    *,
    wanted: Wanted,
    devices: float,
    document: Parts,
    stage: int,
    device: str,
) -> Asked:
    name, transformer, notes = _model(work, catalog)
    length = wanted.sequence_length or int(work.sequence_length)
    micro = wanted.micro_batch or (1 if work.layout is UNSET else int(work.layout.micro_batch))
    kind, compiled = _software(work)
    fused = _fused_attention(work)
    case = Case(
        model=name,
        work="pretraining" if isinstance(work, Pretraining) else "finetuning",
        transformer=transformer,
        precision=_precision(work),
        optimizer=_one_of(OPTIMIZERS, work.optimizer, member="optimizer"),
        sequence_length=length,
        micro_batch=micro,
        accumulation=wanted.accumulation or _accumulation(work, micro, devices=devices),
        recompute="none",
        compiled=compiled,
        fused_attention=fused,
        adapters=_adapters(work),
    )
    built_of(transformer, sequence_length=length)
    if case.adapters is not None:
        adapted_modules(transformer, case.adapters)
    return Asked(
        case=case,
        recomputes=_recomputes(work, wanted.recompute),
        software={
            "framework": kind if work.framework is UNSET else work.framework,
            "compile": compiled,
            "attention_kernel": "flash_2" if fused else "unfused",
        },
        model=said_of(work.model),
        document=document,
        stage=stage,
        device=device,
        notes=(*notes, *_cut_notes(work)),
    )


def _model(
    work: Pretraining | Finetuning, catalog: Catalog
) -> tuple[str, Transformer, tuple[str, ...]]:
    """A name for the model, its shape, and what is to be said of it."""
    model = work.model
    if isinstance(model, PresetModel):
        preset = catalog.model(model.id, pointer="/model/id")
        return model.id, msgspec.convert(preset.architecture, Transformer), ()
    if isinstance(model, ParametersModel):
        active = None if model.active is UNSET else float(model.active)
        shape = plausible_transformer(params_total=float(model.total), params_active=active)
        note = "only parameters are given of the model; a usual shape with as many was timed"
        return f"{model.total / 1e9:.3g}b", shape, (note,)
    assert isinstance(model, TransformerModel)
    if faults := contradictions(model):
        raise NotMeasured("; ".join(f"model: {member} {why}" for member, why in faults))
    shape = Transformer(**msgspec.structs.asdict(model))
    return f"{model.layers:g}x{model.hidden_size:g}", shape, ()


def said_of(described: Struct) -> Parts:
    """A part of a request as one writes it, without what is as by default."""
    tag = described.__struct_config__
    said: Parts = {} if tag.tag_field is None else {tag.tag_field: tag.tag}
    for field in msgspec.structs.fields(described):
        value = getattr(described, field.name)
        if value is UNSET or value == field.default:
            continue
        if isinstance(value, Struct):
            value = said_of(value)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        said[field.encode_name] = value
    return said


def _software(work: Pretraining | Finetuning) -> tuple[str, bool]:
    """The kind of framework that is timed, and whether it compiles."""
    kind = USUAL_FRAMEWORK if work.framework is UNSET else FRAMEWORK_OF_STACK[work.framework]
    if kind not in COMPILED_BY_DEFAULT:
        raise NotMeasured(
            f"framework {work.framework} is not timed: models of transformers are, eager "
            "(hf_eager) or compiled (torch_compile). Time a step in your own stack, and write its "
            "tokens per second and device into an anchor"
        )
    return kind, COMPILED_BY_DEFAULT[kind] if work.compile is UNSET else work.compile


def _fused_attention(work: Pretraining | Finetuning) -> bool:
    kernel = work.attention_kernel
    if kernel is UNSET:
        return True
    if kernel not in ATTENTION_FUSED:
        _one_of(tuple(ATTENTION_FUSED), kernel, member="attention_kernel")
    return ATTENTION_FUSED[kernel]


def _precision(work: Pretraining | Finetuning) -> TimedPrecision:
    found = _one_of(get_args(TimedPrecision), work.precision, member="precision")
    if found == "fp32" and work.optimizer == "adamw_pure_bf16":
        raise NotMeasured("optimizer adamw_pure_bf16 has no fp32 weights: say precision bf16")
    return "fp32" if found == "fp32" else "bf16"


def _one_of(timed: tuple[str, ...], said: Any, *, member: str) -> Any:
    if said not in timed:
        raise NotMeasured(f"{member} {said} is not timed; {', '.join(timed)} are")
    return said


def _accumulation(work: Pretraining | Finetuning, micro: int, *, devices: float) -> int:
    """Micro-batches of a step on one of the devices, up to a number that is timed soon."""
    sequences = work.global_batch_tokens / work.sequence_length / devices
    return max(1, min(MOST_ACCUMULATED, round(sequences / micro)))


def _recomputes(
    work: Pretraining | Finetuning, wanted: TimedRecompute | None
) -> tuple[TimedRecompute, ...]:
    """What is computed again: as it is said, or the least that fits."""
    said = wanted or (UNSET if work.layout is UNSET else work.layout.recompute)
    if said is UNSET:
        return ("none", "full")
    _one_of(get_args(TimedRecompute), said, member="recompute")
    return ("full",) if said == "full" else ("none",)


def _adapters(work: Pretraining | Finetuning) -> AdapterCase | None:
    if isinstance(work, Pretraining) or isinstance(work.method, FullTuning):
        return None
    if not isinstance(work.method, LoraTuning):
        kind = work.method.__struct_config__.tag
        raise NotMeasured(f"method {kind} is not timed; full and lora are")
    return AdapterCase(rank=int(work.method.rank), target=work.method.target)


def _cut_notes(work: Pretraining | Finetuning) -> tuple[str, ...]:
    """What of the layout is not timed, since there is one device."""
    layout = work.layout
    if layout is UNSET:
        return ()
    degrees = (
        layout.tensor_parallel,
        layout.pipeline_parallel,
        layout.context_parallel,
        layout.expert_parallel,
    )
    if max(degrees) == 1:
        return ()
    return ("the layout cuts the model over devices; it was timed uncut on one of them",)
