"""Seconds of the phases of one reinforcement step, from one mini-batch and one rollout."""

from collections.abc import Mapping
from typing import Final, Literal

from service.core.argument import Cursor, Unknown
from service.core.figures.ledger import Term
from service.core.model.named import named_model
from service.core.request.work import Disaggregated, Reinforcement
from service.core.serving.engines import SERVED_WEIGHT_BYTES
from service.core.stages.reinforcement.formulas import (
    decoding_seconds,
    domain_byte_per_s,
    forward_seconds,
    passes_of,
    seconds_per_step,
    stepped,
    streaming_seconds,
    training_pass_seconds,
    update_seconds,
    weight_bytes,
    weight_handling_byte_per_s,
    weight_transfer_seconds,
)
from service.core.stages.reinforcement.update import STREAMED, RlStage, Rollout, Split

BETWEEN: Final = ("queue_seconds", "drain_seconds")
"""The parts of a batch's time, if the next batch waits for its end."""


def whole_step(stage: RlStage, split: Split, phases: dict[str, Term]) -> dict[str, Term]:
    """Seconds of a step from its phases, and the seconds that its devices wait."""
    return stage.work.derive_parts(stepped, "rl_step", **phases, side_by_side=split.side_by_side)


def _training_pass(phases: Cursor[Reinforcement], stage: RlStage, seconds: Term) -> Term:
    """Forward and backward over the samples of a step, from the seconds of one mini-batch."""
    batch = stage.batch
    colocated = {}
    if not isinstance(phases.said.placement, Disaggregated):
        colocated["colocated_slowdown"] = phases.assume("reinforcement.colocated_slowdown")
    return phases.derive(
        training_pass_seconds,
        "training_pass",
        seconds=seconds,
        updates=phases.quantity("updates_per_step", unit="count"),
        prompt_tokens=batch.lengths.prompt_tokens,
        response_tokens=batch.lengths.kept_tokens,
        slowdown=phases.assume("reinforcement.update_slowdown"),
        **colocated,
        sequence_length=batch.sequence_length,
    )


def phases_of(
    stage: RlStage,
    split: Split,
    rollout: Rollout,
    update_seconds_once: Term,
    batch: Mapping[str, Term],
) -> dict[str, Term]:
    """Seconds of each phase of one step, as figures.

    `update_seconds_once` is one mini-batch, and `batch` has the seconds of writing a rollout.
    """
    at = stage.work.under(f"{stage.work.prefix}/phases")
    shared, ahead = rollout.per_step, rollout.ahead
    one_pass = _training_pass(at, stage, update_seconds_once)
    transfer = _weight_transfer(at, stage, split)
    judging, valuing = _passes_of(stage, "reward_model"), _passes_of(stage, "critic")

    def forward(phase: str, passes: float) -> Term:
        return at.derive(forward_seconds, phase, training_seconds=one_pass, passes=passes)

    return {
        "prefill": at.derive(
            seconds_per_step,
            "prefill",
            seconds=batch["prefill_seconds"],
            **shared,
            **ahead,
        ),
        "generation": at.derive(
            streaming_seconds if rollout.batches_ahead else decoding_seconds,
            "generation",
            **{key: batch[key] for key in (STREAMED if ahead else BETWEEN)},
            **shared,
            **ahead,
        ),
        "log_probabilities": forward(
            "log_probabilities", 0.0 if at.said.rollout_log_probabilities else 1.0
        ),
        "reference": forward("reference", 1.0 if at.said.reference_model else 0.0),
        "reward": forward("reward", judging),
        "values": forward("values", valuing),
        "update": at.derive(update_seconds, "update", training_pass=one_pass, epochs=stage.epochs),
        "critic_update": at.derive(
            update_seconds,
            "critic_update",
            training_pass=one_pass,
            epochs=stage.epochs,
            passes=valuing,
        ),
        "weight_transfer": at.derive(
            seconds_per_step, "weight_transfer", seconds=transfer, **shared
        ),
        "fixed": at.derive(
            seconds_per_step,
            "fixed",
            seconds=at.assume("reinforcement.fixed_seconds"),
            **shared,
        ),
    }


def _weight_transfer(phases: Cursor[Reinforcement], stage: RlStage, split: Split) -> Term:
    """Seconds until the devices that generate have the weights of an update."""
    hardware, said = stage.server.hardware, phases.said
    weights = phases.derive(
        weight_bytes,
        architecture=stage.policy.fixed,
        bytes_per_weight=SERVED_WEIGHT_BYTES[said.serving_precision],
    )
    links = phases.derive(
        domain_byte_per_s,
        scale_up_byte_per_s=hardware.scale_up_byte_per_s,
        scale_out_byte_per_s=hardware.scale_out_byte_per_s,
        devices=stage.context.devices,
        generating=split.generating,
        scale_up_domain=hardware.scale_up_domain,
    )
    placement = said.placement.__struct_config__.tag
    handling = phases.derive(
        weight_handling_byte_per_s,
        byte_per_s=phases.assume(f"reinforcement.weight_handling_byte_per_s.{placement}"),
        growth=phases.assume("reinforcement.weight_handling_growth"),
        software_year=stage.work.assumed(
            "software_year", unit="year", default="engine.software_year"
        ),
    )
    return phases.derive(
        weight_transfer_seconds,
        "weight_transfer_of_rollout",
        weight_bytes=weights,
        link_byte_per_s=links,
        handling_byte_per_s=handling,
    )


def _passes_of(stage: RlStage, member: Literal["reward_model", "critic"]) -> float:
    """A forward pass of another model, in passes of the policy. None if there is no such model."""
    work = stage.work
    if not work.states(member):
        return 0.0
    model = named_model(work.at(member))
    if isinstance(model, Unknown):
        work.argument.warn(
            "contradictory", f"no passes of the {member}: {model.detail}", pointer=model.pointer
        )
        return 0.0
    return float(passes_of(model=model.architecture, policy=stage.policy.architecture))
