"""Reinforcement learning: as many steps as asked for, each as long as its phases take."""

from typing import Final

from service.core.argument import Cursor, Unknown
from service.core.figures.ledger import Term
from service.core.request.work import Reinforcement
from service.core.serving.lengths import token_lengths_of
from service.core.stages.hours import Hours, StageContext
from service.core.stages.losses import held_hours, time_shares
from service.core.stages.reinforcement.formulas import (
    generating_seconds_of_step,
    run_device_hours,
    written_for_step,
)
from service.core.stages.reinforcement.phases import phases_of, whole_step
from service.core.stages.reinforcement.split import split_of
from service.core.stages.reinforcement.update import (
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

OVER_PREDICTED: Final = "engine.measured_over_predicted.reinforcement"
OVER_PREDICTED_OF_AGENTS: Final = "agents.seconds_over_predicted"


def reinforcement_hours(context: StageContext) -> Hours:
    """Device-hours of one attempt at all steps."""
    work: Cursor[Reinforcement] = context.work
    batch = _batch(work)
    tokens = tokens_of(
        work,
        prompts=batch.written_prompts,
        samples=batch.written_samples,
        lengths=batch.lengths,
    )
    server = serving_server(context, "serving_precision", batch.lengths)
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
    samples = work.derive(
        samples_of, "samples_per_step", prompts=prompts, samples_per_prompt=per_prompt
    )
    return StepBatch(
        prompts=prompts,
        samples=samples,
        written_prompts=_written(work, prompts, "prompts_written"),
        written_samples=_written(work, samples, "samples_written"),
        lengths=token_lengths_of(work),
    )


def _written(work: Cursor[Reinforcement], learned: Term, name: str) -> Term:
    """What is written for what one step learns from: the same, unless some of it is left out."""
    if work.said.kept_share == 1.0:
        return learned
    kept = work.quantity("kept_share", unit="share")
    return work.derive(written_for_step, name, learned=learned, kept_share=kept)


def _run(stage: RlStage, split: Split, rollout: Rollout, tokens: dict[str, Term]) -> Hours:
    """All steps, when the split and the rollouts are known."""
    context, work = stage.context, stage.work
    step = update_of(stage, split.learning)
    if isinstance(step, Unknown):
        return Hours(device_hours=step, tokens=tokens)
    if isinstance(step.seconds, Unknown):
        return Hours(device_hours=step.seconds, step=step, tokens=tokens)
    requests = requests_of(stage, split, rollout.steps)
    writing = written_on(work, stage.server, requests, devices=split.generating)
    if isinstance(writing, Unknown):
        return Hours(device_hours=writing, tokens=tokens)
    phases = phases_of(stage, split, rollout, step.seconds, writing.batch)
    whole = whole_step(stage, split, phases)
    shares = time_shares(context)
    useful = work.derive(
        run_device_hours,
        "device_hours_useful",
        step_seconds=whole["seconds"],
        steps=stage.steps,
        devices=context.devices,
        seconds_over_predicted=_over_predicted(work),
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


def _over_predicted(work: Cursor[Reinforcement]) -> Term:
    """Seconds of published steps over predicted ones. Environments of agents fail and straggle."""
    return work.assume(OVER_PREDICTED_OF_AGENTS if work.states("agent") else OVER_PREDICTED)


def _startup(stage: RlStage) -> Startup:
    """The trainer and the inference engine start and load the policy. The trainer saves it."""
    return Startup(
        trains=True, serves=True, model=stage.policy, weights_read=2.0, weights_written=1.0
    )
