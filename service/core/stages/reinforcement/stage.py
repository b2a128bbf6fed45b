"""Reinforcement learning: as many steps as asked for, each as long as its phases take."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import UNSET

from service.core.argument import Argument
from service.core.cluster.hardware import Unsuited, hardware_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import Formula
from service.core.figures.ledger import Term
from service.core.model.named import Contradictory, description_of
from service.core.request.work import Disaggregated, Reinforcement
from service.core.serving.lengths import texts_of
from service.core.serving.replicas import (
    FORMATS,
    PEAK_PRECISION,
    Served,
    Unserved,
    office_of,
    served,
)
from service.core.stages.generation import samples_of, tokens_of, unserved, written_of
from service.core.stages.hours import Hours, Place
from service.core.stages.losses import held_hours, held_of
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
    Batch,
    Bench,
    Rollout,
    Split,
    load_of,
    rollout_of,
    update_of,
)
from service.core.training.step import Step

WHOLE: Final = ("queue_seconds", "drain_seconds")

Found: TypeAlias = tuple[Step, Served] | Hours


def reinforced(argument: Argument, work: Reinforcement, place: Place) -> Hours:
    """Device-hours of one attempt at all steps."""
    at = place.work_pointer
    batch = _batch(argument, work, place)
    tokens = tokens_of(
        argument, place, prompts=batch.prompts, samples=batch.samples, texts=batch.texts
    )
    described = description_of(argument, work.model, pointer=f"{at}/model")
    if isinstance(described, Contradictory):
        return _contradicted(argument, described, tokens)
    hardware = hardware_of(
        argument,
        place.cluster,
        pointer=place.cluster_pointer,
        precision=PEAK_PRECISION[work.serving_precision],
        precision_pointer=f"{at}/serving_precision",
    )
    if isinstance(hardware, Unsuited):
        return Hours(device_hours=None, tokens=tokens, unknown=hardware.detail)
    bench = Bench(
        work=work,
        steps=argument.quantity(work.steps, pointer=f"{at}/steps", unit="count"),
        epochs=argument.quantity(
            work.epochs_per_step, pointer=f"{at}/epochs_per_step", unit="ratio"
        ),
        place=place,
        described=described,
        office=office_of(argument, described, hardware, work.serving_precision),
        batch=batch,
    )
    split = split_of(argument, bench)
    if isinstance(split, Contradictory):
        return _contradicted(argument, split, tokens)
    return _run(argument, bench, split, rollout_of(argument, bench, split), tokens)


def _contradicted(argument: Argument, found: Contradictory, tokens: Mapping[str, Term]) -> Hours:
    argument.warn("contradictory", found.detail, pointer=found.pointer)
    return Hours(device_hours=None, tokens=tokens, unknown=found.detail, contradictory=True)


def _batch(argument: Argument, work: Reinforcement, place: Place) -> Batch:
    at, given = place.work_pointer, argument.ledger.given
    prompts = given(work.prompts_per_step, pointer=f"{at}/prompts_per_step", unit="count")
    per_prompt = given(work.samples_per_prompt, pointer=f"{at}/samples_per_prompt", unit="count")
    return Batch(
        prompts=prompts,
        samples=argument.ledger.derive(
            samples_of,
            name=f"{place.prefix}/samples_per_step",
            inputs={"prompts": prompts, "samples_per_prompt": per_prompt},
        ),
        texts=texts_of(
            argument, work.prompt_tokens, work.responses, pointer=at, prefix=place.prefix
        ),
    )


def _run(
    argument: Argument, bench: Bench, split: Split, rollout: Rollout, tokens: Mapping[str, Term]
) -> Hours:
    work, place = bench.work, bench.place
    found = _found(argument, bench, split, rollout)
    if isinstance(found, Hours):
        return Hours(
            device_hours=None,
            step=found.step,
            tokens=tokens,
            unknown=found.unknown,
            contradictory=found.contradictory,
            does_not_fit=found.does_not_fit,
        )
    step, writing = found
    phases = _phases(argument, bench, rollout, step, writing)
    derive = argument.ledger.derive
    whole = argument.ledger.derive_parts(
        stepped,
        name=f"{place.prefix}/rl_step",
        inputs=phases,
        fixed={"side_by_side": split.side_by_side},
    )
    held = held_of(argument, work, place)
    useful = derive(
        run_device_hours,
        name=f"{place.prefix}/device_hours_useful",
        inputs={
            "step_seconds": whole["seconds"],
            "steps": bench.steps,
            "devices": place.devices,
        },
    )
    return Hours(
        device_hours=held_hours(argument, useful, held, place),
        mfu=step.mfu,
        held=held,
        step=step,
        written=written_of(
            argument,
            place,
            writing,
            samples=bench.batch.samples,
            texts=bench.batch.texts,
            seconds=derive(
                generating_seconds_of_step,
                name=f"{place.prefix}/generating_seconds_of_step",
                inputs={name: phases[name] for name in ("prefill", "generation")},
            ),
            devices=split.generating,
        ),
        phases=dict(phases) | {f"step_{name}": term for name, term in whole.items()},
        tokens=tokens,
    )


def _found(argument: Argument, bench: Bench, split: Split, rollout: Rollout) -> Found:
    """The update's step and the serving layout, or why there is none."""
    place = bench.place
    outcome = update_of(argument, bench, split.learning, prefix=place.prefix)
    if isinstance(outcome, Contradictory):
        argument.warn("contradictory", outcome.detail, pointer=outcome.pointer)
        return Hours(device_hours=None, unknown=outcome.detail, contradictory=True)
    if isinstance(outcome, Unsuited):
        return Hours(device_hours=None, unknown=outcome.detail)
    if outcome.seconds is None:
        return Hours(
            device_hours=None, step=outcome, unknown=getattr(outcome.placement, "detail", "")
        )
    writing = served(
        argument,
        bench.office,
        load_of(bench, split, rollout.steps),
        bench.work.serving,
        devices=split.generating.central,
        pointer=f"{place.work_pointer}/serving",
        name=f"{place.prefix}/generation",
    )
    if isinstance(writing, Unserved):
        return unserved(argument, writing)
    if bench.work.serving is UNSET:
        argument.warn(
            "assumed_serving",
            "no serving layout is given; the fastest that fits was chosen",
            pointer=f"{place.work_pointer}/serving",
        )
    return outcome, writing


def _training_pass(argument: Argument, bench: Bench, seconds: Term) -> Term:
    """Forward and backward over the samples of a step, from the seconds of one mini-batch."""
    work, place, batch = bench.work, bench.place, bench.batch
    inputs = {
        "seconds": seconds,
        "updates": argument.ledger.given(
            work.updates_per_step, pointer=f"{place.work_pointer}/updates_per_step", unit="count"
        ),
        "prompt_tokens": batch.texts.prompt_tokens,
        "response_tokens": batch.texts.mean_tokens,
        "slowdown": argument.assume("reinforcement.update_slowdown"),
    }
    if not isinstance(work.placement, Disaggregated):
        inputs["colocated_slowdown"] = argument.assume("reinforcement.colocated_slowdown")
    return argument.ledger.derive(
        training_pass_seconds,
        name=f"{place.prefix}/phases/training_pass",
        inputs=inputs,
        fixed={"sequence_length": batch.sequence_length},
    )


def _phases(
    argument: Argument, bench: Bench, rollout: Rollout, step: Step, writing: Served
) -> dict[str, Term]:
    """Seconds of each phase of one step, as figures."""
    work, place = bench.work, bench.place
    derive = argument.ledger.derive
    name = f"{place.prefix}/phases"
    shared = rollout.per_step
    assert step.seconds is not None
    one_pass = _training_pass(argument, bench, step.seconds)
    weights = derive(
        weight_bytes,
        name=f"{name}/weight_bytes",
        inputs={},
        fixed={
            "architecture": bench.described.architecture,
            "bytes_per_weight": float(FORMATS[work.serving_precision].weight_bytes),
        },
        stands={"architecture": bench.described.stands_at},
    )
    transfer = derive(
        weight_transfer_seconds,
        name=f"{name}/weight_transfer_of_rollout",
        inputs={
            "weight_bytes": weights,
            "byte_per_s": argument.assume(
                f"reinforcement.weight_transfer_byte_per_s.{work.placement.__struct_config__.tag}"
            ),
        },
    )

    def seconds(
        phase: str, formula: Formula[..., Real], inputs: Mapping[str, Term], **fixed: object
    ) -> Term:
        return derive(
            formula,
            name=f"{name}/{phase}",
            inputs=inputs,
            fixed=fixed,
        )

    def forward(phase: str, passes: float) -> Term:
        return seconds(phase, forward_seconds, {"training_seconds": one_pass}, passes=passes)

    return {
        "prefill": seconds(
            "prefill",
            seconds_per_step,
            {"seconds": writing.batch["prefill_seconds"]} | shared | rollout.ahead,
        ),
        "generation": seconds(
            "generation",
            streaming_seconds if rollout.batches_ahead else decoding_seconds,
            {key: writing.batch[key] for key in (STREAMED if rollout.batches_ahead else WHOLE)}
            | shared
            | rollout.ahead,
        ),
        "log_probabilities": forward(
            "log_probabilities", 0.0 if work.rollout_log_probabilities else 1.0
        ),
        "reference": forward("reference", 1.0 if work.reference_model else 0.0),
        "reward": forward("reward", _reward_passes(argument, bench)),
        "update": seconds(
            "update",
            update_seconds,
            {
                "training_pass": one_pass,
                "epochs": bench.epochs,
            },
        ),
        "weight_transfer": seconds(
            "weight_transfer", seconds_per_step, {"seconds": transfer} | shared
        ),
        "fixed": seconds(
            "fixed",
            seconds_per_step,
            {"seconds": argument.assume("reinforcement.fixed_seconds")} | shared,
        ),
    }


def _reward_passes(argument: Argument, bench: Bench) -> float:
    """Forward passes of a reward model, in those of the policy; none where rules judge."""
    if bench.work.reward_model is UNSET:
        return 0.0
    pointer = f"{bench.place.work_pointer}/reward_model"
    reward = description_of(argument, bench.work.reward_model, pointer=pointer)
    if isinstance(reward, Contradictory):
        argument.warn("contradictory", f"no reward pass: {reward.detail}", pointer=reward.pointer)
        return 0.0
    return float(reward_passes(reward=reward.architecture, policy=bench.described.architecture))
