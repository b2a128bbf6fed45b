"""Reinforcement learning: as many steps as asked for, each as long as its phases take."""

from typing import Final

from service.core.argument import Cursor, Unknown
from service.core.figures.ledger import Term
from service.core.model.named import named_model
from service.core.request.work import Disaggregated, Reinforcement
from service.core.serving.lengths import token_lengths_of
from service.core.serving.replicas import FORMATS, Served
from service.core.stages.hours import Hours, StageContext
from service.core.stages.losses import held_hours, time_shares
from service.core.stages.reinforcement.formulas import (
    decoding_seconds,
    forward_seconds,
    generating_seconds_of_step,
    reward_passes,
    run_device_hours,
    seconds_per_step,
    stepped,
    streaming_seconds,
    training_pass_seconds,
    update_seconds,
    weight_bytes,
    weight_transfer_seconds,
)
from service.core.stages.reinforcement.split import split_of
from service.core.stages.reinforcement.update import (
    STREAMED,
    RlStage,
    Rollout,
    Split,
    StepBatch,
    requests_of,
    rollout_of,
    update_of,
)
from service.core.stages.responses import (
    samples_of,
    serving_server,
    tokens_of,
    written_of,
    written_on,
)
from service.core.stages.startup import Startup, startup_of

BETWEEN: Final = ("queue_seconds", "drain_seconds")
"""The parts of a batch's time, if the next batch waits for its end."""


def reinforcement_hours(context: StageContext) -> Hours:
    """Device-hours of one attempt at all steps."""
    work: Cursor[Reinforcement] = context.work
    batch = _batch(work)
    tokens = tokens_of(work, prompts=batch.prompts, samples=batch.samples, lengths=batch.lengths)
    server = serving_server(context, "serving_precision")
    if isinstance(server, Unknown):
        return Hours(device_hours=server, tokens=tokens)
    stage = RlStage(
        context=context,
        work=work,
        steps=work.quantity("steps", unit="count"),
        epochs=work.quantity("epochs_per_step", unit="ratio"),
        server=server,
        batch=batch,
    )
    split = split_of(stage)
    if isinstance(split, Unknown):
        return Hours(device_hours=split, tokens=tokens)
    return _run(stage, split, rollout_of(stage, split), tokens)


def _batch(work: Cursor[Reinforcement]) -> StepBatch:
    prompts = work.quantity("prompts_per_step", unit="count")
    per_prompt = work.quantity("samples_per_prompt", unit="count")
    return StepBatch(
        prompts=prompts,
        samples=work.derive(
            samples_of, "samples_per_step", prompts=prompts, samples_per_prompt=per_prompt
        ),
        lengths=token_lengths_of(work),
    )


def _run(stage: RlStage, split: Split, rollout: Rollout, tokens: dict[str, Term]) -> Hours:
    """All steps, when the split and the rollouts are known."""
    context, work = stage.context, stage.work
    step = update_of(stage, work, split.learning)
    if isinstance(step, Unknown):
        return Hours(device_hours=step, tokens=tokens)
    if isinstance(step.seconds, Unknown):
        return Hours(device_hours=step.seconds, step=step, tokens=tokens)
    requests = requests_of(stage, split, rollout.steps)
    writing = written_on(work, stage.server, requests, devices=split.generating)
    if isinstance(writing, Unknown):
        return Hours(device_hours=writing, tokens=tokens)
    phases = _phases(stage, rollout, step.seconds, writing)
    whole = work.derive_parts(stepped, "rl_step", **phases, side_by_side=split.side_by_side)
    shares = time_shares(context)
    useful = work.derive(
        run_device_hours,
        "device_hours_useful",
        step_seconds=whole["seconds"],
        steps=stage.steps,
        devices=context.devices,
    )
    generating = work.derive(
        generating_seconds_of_step,
        prefill=phases["prefill"],
        generation=phases["generation"],
    )
    startup = startup_of(context, _startup(stage))
    return Hours(
        device_hours=held_hours(context, useful, shares, startup=startup),
        mfu=step.mfu,
        shares=shares,
        startup=startup,
        step=step,
        written=written_of(work, writing, requests, seconds=generating, devices=split.generating),
        phases=phases | {f"step_{name}": term for name, term in whole.items()},
        tokens=tokens,
    )


def _startup(stage: RlStage) -> Startup:
    """The trainer and the inference engine start and load the policy. The trainer saves it."""
    return Startup(
        trains=True, serves=True, model=stage.policy, weights_read=2.0, weights_written=1.0
    )


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
        response_tokens=batch.lengths.mean_tokens,
        slowdown=phases.assume("reinforcement.update_slowdown"),
        **colocated,
        sequence_length=batch.sequence_length,
    )


def _phases(
    stage: RlStage, rollout: Rollout, update_seconds_once: Term, writing: Served
) -> dict[str, Term]:
    """Seconds of each phase of one step, as figures."""
    at = stage.work.under(f"{stage.work.prefix}/phases")
    shared, ahead = rollout.per_step, rollout.ahead
    one_pass = _training_pass(at, stage, update_seconds_once)
    transfer = _weight_transfer(at, stage)

    def forward(phase: str, passes: float) -> Term:
        return at.derive(forward_seconds, phase, training_seconds=one_pass, passes=passes)

    return {
        "prefill": at.derive(
            seconds_per_step,
            "prefill",
            seconds=writing.batch["prefill_seconds"],
            **shared,
            **ahead,
        ),
        "generation": at.derive(
            streaming_seconds if rollout.batches_ahead else decoding_seconds,
            "generation",
            **{key: writing.batch[key] for key in (STREAMED if ahead else BETWEEN)},
            **shared,
            **ahead,
        ),
        "log_probabilities": forward(
            "log_probabilities", 0.0 if at.said.rollout_log_probabilities else 1.0
        ),
        "reference": forward("reference", 1.0 if at.said.reference_model else 0.0),
        "reward": forward("reward", _reward_passes(stage)),
        "update": at.derive(update_seconds, "update", training_pass=one_pass, epochs=stage.epochs),
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


def _weight_transfer(phases: Cursor[Reinforcement], stage: RlStage) -> Term:
    """Seconds until the devices that generate have the weights of an update."""
    said, policy = phases.said, stage.policy
    weights = phases.derive(
        weight_bytes,
        architecture=policy.fixed,
        bytes_per_weight=float(FORMATS[said.serving_precision].weight_bytes),
    )
    placement = said.placement.__struct_config__.tag
    return phases.derive(
        weight_transfer_seconds,
        "weight_transfer_of_rollout",
        weight_bytes=weights,
        byte_per_s=phases.assume(f"reinforcement.weight_transfer_byte_per_s.{placement}"),
    )


def _reward_passes(stage: RlStage) -> float:
    """Forward passes of a reward model, in passes of the policy. None if rules judge."""
    work = stage.work
    if not work.states("reward_model"):
        return 0.0
    reward = named_model(work.at("reward_model"))
    if isinstance(reward, Unknown):
        work.argument.warn(
            "contradictory", f"no reward pass: {reward.detail}", pointer=reward.pointer
        )
        return 0.0
    return float(reward_passes(reward=reward.architecture, policy=stage.policy.architecture))
