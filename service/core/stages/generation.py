"""Generation: the time that so many responses take on a cluster."""

from msgspec import UNSET

from service.core.argument import Argument
from service.core.cluster.hardware import Unsuited, hardware_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.model.named import Contradictory, description_of
from service.core.request.work import Generation
from service.core.serving.decoding import Serving
from service.core.serving.lengths import Texts, texts_of
from service.core.serving.replicas import PEAK_PRECISION, Load, Served, Unserved, office_of, served
from service.core.stages.hours import Hours, Place, Written
from service.core.stages.losses import held_hours, held_of


@formula("device_hours_generating", unit="device_hour")
def device_hours_generating(*, seconds: Real, devices: Real, kept_share: Real) -> Real:
    """Device-hours of a batch of which only a share is kept: seconds * devices / kept / 3600."""
    return seconds * devices / kept_share / SECONDS_PER_HOUR


@formula("tokens_prompted", unit="token")
def tokens_prompted(*, prompts: Real, prompt_tokens: Real, kept_share: Real = 1.0) -> Real:
    """Tokens of all prompts, each read once: prompts * prompt_tokens / kept_share."""
    return prompts * prompt_tokens / kept_share


@formula("tokens_written", unit="token")
def tokens_written(*, samples: Real, response_tokens: Real, kept_share: Real = 1.0) -> Real:
    """Tokens of all responses, rejected ones too: samples * response_tokens / kept_share."""
    return samples * response_tokens / kept_share


@formula("samples", unit="count")
def samples_of(*, prompts: Real, samples_per_prompt: Real) -> Real:
    """Responses: prompts * samples_per_prompt."""
    return prompts * samples_per_prompt


@formula("generated_tokens_per_s_per_device", unit="token/s")
def tokens_per_s_per_device(
    *, samples: Real, response_tokens: Real, seconds: Real, devices: Real
) -> Real:
    """Tokens written by a device held: samples * response_tokens / (seconds * devices)."""
    return samples * response_tokens / (seconds * devices)


@formula("devices_of_replica", unit="count")
def devices_of_replica(*, serving: Serving) -> Real:
    """Devices that one failure stops: those of its replica."""
    return serving.devices


def generated(argument: Argument, work: Generation, place: Place) -> Hours:
    """Device-hours of one attempt at writing all responses."""
    at, quantity, derive = place.work_pointer, argument.quantity, argument.ledger.derive
    prompts = quantity(work.requests, pointer=f"{at}/requests", unit="count")
    per_prompt = quantity(work.samples_per_prompt, pointer=f"{at}/samples_per_prompt", unit="count")
    kept = quantity(work.kept_share, pointer=f"{at}/kept_share", unit="share")
    texts = texts_of(argument, work.prompt_tokens, work.responses, pointer=at, prefix=place.prefix)
    samples = derive(
        samples_of,
        name=f"{place.prefix}/samples",
        inputs={"prompts": prompts, "samples_per_prompt": per_prompt},
    )
    tokens = tokens_of(
        argument, place, prompts=prompts, samples=samples, texts=texts, kept_share=kept
    )
    load = Load(samples=samples, prompts=prompts, texts=texts)
    found = _served(argument, work, place, load)
    if isinstance(found, Hours):
        return found_with(found, tokens)
    replica = derive(
        devices_of_replica,
        name=f"{place.prefix}/devices_of_replica",
        inputs={},
        fixed={"serving": found.serving},
    )
    held = held_of(argument, work, place, synchronous_devices=replica)
    useful = derive(
        device_hours_generating,
        name=f"{place.prefix}/device_hours_useful",
        inputs={
            "seconds": found.batch["seconds"],
            "devices": place.devices,
            "kept_share": kept,
        },
    )
    return Hours(
        device_hours=held_hours(argument, useful, held, place),
        held=held,
        written=written_of(
            argument,
            place,
            found,
            samples=samples,
            texts=texts,
            seconds=found.batch["seconds"],
            devices=place.devices,
        ),
        tokens=tokens,
    )


def found_with(hours: Hours, tokens: dict[str, Term]) -> Hours:
    """Hours that are not known, with the tokens that are."""
    return Hours(
        device_hours=None,
        tokens=tokens,
        unknown=hours.unknown,
        contradictory=hours.contradictory,
        does_not_fit=hours.does_not_fit,
    )


def tokens_of(
    argument: Argument,
    place: Place,
    *,
    prompts: Term,
    samples: Term,
    texts: Texts,
    kept_share: Term | None = None,
) -> dict[str, Term]:
    """Tokens read and written, as figures."""
    kept = {} if kept_share is None else {"kept_share": kept_share}
    return {
        "prompt": argument.ledger.derive(
            tokens_prompted,
            name=f"{place.prefix}/tokens_prompted",
            inputs={"prompts": prompts, "prompt_tokens": texts.prompt_tokens} | kept,
        ),
        "response": argument.ledger.derive(
            tokens_written,
            name=f"{place.prefix}/tokens_written",
            inputs={"samples": samples, "response_tokens": texts.mean_tokens} | kept,
        ),
    }


def written_of(
    argument: Argument,
    place: Place,
    found: Served,
    *,
    samples: Term,
    texts: Texts,
    seconds: Term,
    devices: Term,
) -> Written:
    """What the quote says of how a stage generates, which writes `samples` in so many seconds."""
    parts = ("prefill_seconds", "queue_seconds", "drain_seconds")
    return Written(
        serving=found.serving,
        replicas=found.replicas,
        parts={name: found.batch[name] for name in parts},
        concurrent=found.batch["concurrent"],
        longest_tokens=found.batch["longest_tokens"],
        tokens_per_s_per_device=argument.ledger.derive(
            tokens_per_s_per_device,
            name=f"{place.prefix}/generated_tokens_per_s_per_device",
            inputs={
                "samples": samples,
                "response_tokens": texts.mean_tokens,
                "seconds": seconds,
                "devices": devices,
            },
        ),
        bound=found.bound,
    )


def unserved(argument: Argument, found: Unserved) -> Hours:
    """Why nothing is generated, as a state and a warning."""
    argument.warn(
        "contradictory" if found.contradictory else "does_not_fit",
        found.detail,
        pointer=found.pointer,
    )
    return Hours(
        device_hours=None,
        unknown=found.detail,
        contradictory=found.contradictory,
        does_not_fit=not found.contradictory,
    )


def _served(argument: Argument, work: Generation, place: Place, load: Load) -> Served | Hours:
    at = place.work_pointer
    described = description_of(argument, work.model, pointer=f"{at}/model")
    if isinstance(described, Contradictory):
        argument.warn("contradictory", described.detail, pointer=described.pointer)
        return Hours(device_hours=None, unknown=described.detail, contradictory=True)
    hardware = hardware_of(
        argument,
        place.cluster,
        pointer=place.cluster_pointer,
        precision=PEAK_PRECISION[work.precision],
        precision_pointer=f"{at}/precision",
    )
    if isinstance(hardware, Unsuited):
        return Hours(device_hours=None, unknown=hardware.detail)
    found = served(
        argument,
        office_of(argument, described, hardware, work.precision),
        load,
        work.serving,
        devices=place.devices.central,
        pointer=f"{at}/serving",
        name=f"{place.prefix}/generation",
    )
    if isinstance(found, Unserved):
        return unserved(argument, found)
    if work.serving is UNSET:
        argument.warn(
            "assumed_serving",
            "no serving layout is given; the fastest that fits was chosen",
            pointer=f"{at}/serving",
        )
    return found
