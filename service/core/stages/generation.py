"""Generation: the time that responses take on a cluster."""

from collections.abc import Mapping

from service.core.argument import Cursor, Unknown
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.request.work import Generation
from service.core.serving.decoding import Serving, serving_memory
from service.core.serving.engines import error_of, serving_terms
from service.core.serving.lengths import token_lengths_of
from service.core.serving.replicas import RequestBatch, Server
from service.core.stages.hours import Hours, StageContext
from service.core.stages.losses import held_hours, time_shares
from service.core.stages.responses import (
    samples_of,
    serving_server,
    tokens_of,
    written_of,
    written_on,
)
from service.core.stages.startup import Startup, startup_of


@formula("device_hours_generating", unit="device_hour")
def device_hours_generating(*, seconds: Real, devices: Real, kept_share: Real) -> Real:
    """Device-hours of a batch of which only a share is kept.

        seconds * devices / kept_share / 3600

    Source: definition.
    """
    return seconds * devices / kept_share / SECONDS_PER_HOUR


@formula("seconds_of_batch", unit="second")
def seconds_of_batch(*, predicted_s: Real, measured_over_predicted: Real) -> Real:
    """Seconds of a batch with the error that the service has on measured ones.

        predicted_s * measured_over_predicted

    Source: definition.
    """
    return predicted_s * measured_over_predicted


@formula("devices_of_replica", unit="count")
def devices_of_replica(*, serving: Serving) -> Real:
    """Devices that one failure stops.

        the devices of one replica

    Source: replicas generate independently, so a failure stops only its own.
    """
    return serving.devices


def memory_of_server(
    work: Cursor[Generation],
    server: Server,
    serving: Serving,
    requests: RequestBatch,
    batch: Mapping[str, Term],
) -> dict[str, Term]:
    """Bytes on a device of a replica while it runs as many sequences as it does at most."""
    return work.derive_parts(
        serving_memory,
        "memory",
        concurrent=batch["concurrent"],
        prompt_tokens=requests.lengths.prompt_tokens,
        response_tokens=requests.lengths.kept_tokens,
        architecture=server.model.fixed,
        serving=serving,
        formats=server.formats,
    )


def generation_hours(context: StageContext) -> Hours:
    """Device-hours of one attempt at writing all responses."""
    work = context.work
    prompts = work.quantity("requests", unit="count")
    per_prompt = work.quantity("samples_per_prompt", unit="count")
    kept = work.quantity("kept_share", unit="share")
    lengths = token_lengths_of(work)
    samples = work.derive(samples_of, prompts=prompts, samples_per_prompt=per_prompt)
    tokens = tokens_of(work, prompts=prompts, samples=samples, lengths=lengths, kept_share=kept)
    server = serving_server(context, "precision", lengths)
    if isinstance(server, Unknown):
        return Hours(device_hours=server, tokens=tokens)
    requests = RequestBatch(samples=samples, prompts=prompts, lengths=lengths)
    found = written_on(work, server, requests, devices=context.devices)
    if isinstance(found, Unknown):
        return Hours(device_hours=found, tokens=tokens)
    replica = work.derive(devices_of_replica, serving=found.serving)
    shares = time_shares(context, synchronous_devices=replica)
    seconds = work.derive(
        seconds_of_batch,
        "generation/seconds_expected",
        predicted_s=found.batch["seconds"],
        measured_over_predicted=error_of(context.cluster, serving_terms(work)),
    )
    useful = work.derive(
        device_hours_generating,
        "device_hours_useful",
        seconds=seconds,
        devices=context.devices,
        kept_share=kept,
    )
    startup = startup_of(context, Startup(serves=True, model=server.model, weights_read=1.0))
    return Hours(
        device_hours=held_hours(context, useful, shares, startup=startup),
        shares=shares,
        startup=startup,
        written=written_of(
            work,
            found,
            requests,
            seconds=seconds,
            devices=context.devices,
            memory=memory_of_server(work, server, found.serving, requests, found.batch),
            capacity=server.figures["memory_bytes"],
        ),
        tokens=tokens,
    )
