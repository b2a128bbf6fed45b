"""Responses that a stage writes: their tokens, and the server that writes them.

Generation and reinforcement learning share this.
"""

from collections.abc import Mapping

from service.core.argument import Cursor, Fixed, Unknown
from service.core.cluster.hardware import hardware_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import ServingPrecision
from service.core.model.named import NamedModel, named_model, warn_of_context
from service.core.request.work import Generation, Reinforcement
from service.core.serving.engines import serving_terms
from service.core.serving.lengths import TokenLengths
from service.core.serving.replicas import (
    PEAK_PRECISION,
    RequestBatch,
    Served,
    Server,
    served,
    server_of,
)
from service.core.stages.hours import StageContext, Written

WRITTEN_PARTS = ("prefill_seconds", "queue_seconds", "drain_seconds")


@formula("tokens_prompted", unit="token")
def tokens_prompted(*, prompts: Real, prompt_tokens: Real, kept_share: Real = 1.0) -> Real:
    """Tokens of all prompts, each read once.

        prompts * prompt_tokens / kept_share

    Source: definition.
    """
    return prompts * prompt_tokens / kept_share


@formula("tokens_written", unit="token")
def tokens_written(*, samples: Real, response_tokens: Real, kept_share: Real = 1.0) -> Real:
    """Tokens of all responses, rejected ones too.

        samples * response_tokens / kept_share

    Source: definition.
    """
    return samples * response_tokens / kept_share


@formula("tokens_read", unit="token")
def tokens_read(
    *, samples: Real, response_tokens: Real, read_per_written: Real, kept_share: Real = 1.0
) -> Real:
    """Tokens that agents read between what they write, rejected ones too.

        samples * response_tokens * read_per_written / kept_share

    Source: definition.
    """
    return samples * response_tokens * read_per_written / kept_share


@formula("samples", unit="count")
def samples_of(*, prompts: Real, samples_per_prompt: Real) -> Real:
    """Responses that are asked for.

        prompts * samples_per_prompt

    Source: definition.
    """
    return prompts * samples_per_prompt


@formula("generated_tokens_per_s_per_device", unit="token/s")
def generated_tokens_per_s_per_device(
    *, samples: Real, response_tokens: Real, seconds: Real, devices: Real
) -> Real:
    """Tokens written by a device held, each second.

        samples * response_tokens / (seconds * devices)

    Source: definition.
    """
    return samples * response_tokens / (seconds * devices)


def tokens_of(
    work: Cursor[Generation] | Cursor[Reinforcement],
    *,
    prompts: Term,
    samples: Term,
    lengths: TokenLengths,
    kept_share: Term | None = None,
) -> dict[str, Term]:
    """Tokens read and written, as figures."""
    kept = {} if kept_share is None else {"kept_share": kept_share}
    found = {
        "prompt": work.derive(
            tokens_prompted, prompts=prompts, prompt_tokens=lengths.prompt_tokens, **kept
        ),
        "response": work.derive(
            tokens_written, samples=samples, response_tokens=lengths.mean_tokens, **kept
        ),
    }
    if lengths.agent is not None:
        found["read"] = work.derive(
            tokens_read,
            samples=samples,
            response_tokens=lengths.mean_tokens,
            read_per_written=lengths.agent.read_per_written,
            **kept,
        )
    return found


def serving_server(
    context: StageContext, precision_member: str, lengths: TokenLengths
) -> Server | Unknown:
    """The model of a stage on the devices that serve it, or why there can be none."""
    work = context.work
    precision: ServingPrecision = getattr(work.said, precision_member)
    model = named_model(work.at("model"))
    if isinstance(model, Unknown):
        return model
    if model.architecture.bidirectional or model.architecture.encoder_layers:
        return work.unknown(
            "unsuited",
            "encoders write nothing, and how encoder-decoders write is not modelled",
            member="model",
        )
    _warn_of_lengths(work, model, lengths)
    peak = Fixed(PEAK_PRECISION[precision], work.pointer_of(precision_member))
    hardware = hardware_of(context.cluster, peak)
    if isinstance(hardware, Unknown):
        return hardware
    return server_of(context.cluster, work, model, hardware, precision)


def _warn_of_lengths(
    work: Cursor[Generation] | Cursor[Reinforcement], model: NamedModel, lengths: TokenLengths
) -> None:
    """Warn if a prompt with its longest response, or else its mean one, exceeds the context."""
    response, member = lengths.mean_tokens, "responses/mean_tokens"
    if lengths.cap_tokens is not None:
        response, member = lengths.cap_tokens, "responses/most_tokens"
    if lengths.agent is not None:
        response = lengths.agent.trajectory_tokens
    tokens = lengths.prompt_tokens.central + response.central
    warn_of_context(work, model, tokens=round(tokens), member=member)


def written_on(
    work: Cursor[Generation] | Cursor[Reinforcement],
    server: Server,
    requests: RequestBatch,
    *,
    devices: Term,
) -> Served | Unknown:
    """A batch on these devices, with a warning if the serving layout was chosen here."""
    found = served(work, server, requests, devices=devices.central)
    if isinstance(found, Served) and not serving_terms(work).states_layout:
        work.warn(
            "assumed_serving",
            "no serving layout is given; the fastest that fits was chosen",
            member="serving",
        )
    return found


def written_of(
    work: Cursor[Generation] | Cursor[Reinforcement],
    found: Served,
    requests: RequestBatch,
    *,
    seconds: Term,
    devices: Term,
    memory: Mapping[str, Term] | None = None,
    capacity: Term | None = None,
) -> Written:
    """How a stage generates, as the quote shows it, for a batch that takes `seconds`."""
    return Written(
        serving=found.serving,
        replicas=found.replicas,
        parts={name: found.batch[name] for name in WRITTEN_PARTS},
        concurrent=found.batch["concurrent"],
        longest_tokens=found.batch["longest_tokens"],
        tokens_per_s_per_device=work.derive(
            generated_tokens_per_s_per_device,
            samples=requests.samples,
            response_tokens=requests.lengths.mean_tokens,
            seconds=seconds,
            devices=devices,
        ),
        bound=found.bound,
        memory=memory or {},
        capacity=capacity,
    )
