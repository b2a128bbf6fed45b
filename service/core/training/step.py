"""One optimizer step of a model on a cluster: its layout, its memory, and how long it takes.

The predicted step time is a figure with the error that the engine has on published steps. A
measured speed (an anchor) replaces most of that error.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct, structs

from service.core.argument import Cursor, Fixed, Unknown
from service.core.cluster.hardware import Hardware, capacity_of, hardware_of
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import Framework
from service.core.model.flop import train_flop_per_token_causal
from service.core.plausible import MFU_CHECK, GivenNumber, warn_if_far
from service.core.request.request import Cluster
from service.core.request.work import Anchor, Reinforcement, Tuning
from service.core.training import formulas
from service.core.training.frameworks import FRAMEWORKS
from service.core.training.memory import memory_per_device
from service.core.training.parallelism import RECOMPUTE_NAME, RECOMPUTE_NONE, Layout, devices_of
from service.core.training.placement import RUNNERS_UP, Placed, Unplaced, placement_of
from service.core.training.search import Problem, Search, search_range
from service.core.training.step_spec import StepSpec, sequences_of, spec_of_anchor
from service.core.training.steptime import StepParts
from service.core.training.timing import step_inputs

ERROR: Final = "engine.measured_over_predicted"
CHOSEN: Final = "chosen"
FRAMEWORK: Final = f"{ERROR}.framework"
DEVICE: Final = f"{ERROR}.device"
LEAST_ALIKE: Final = 0.5
"""From which likeness on what was measured of another device counts as measured of this one."""


class StepError(NamedTuple):
    """The kinds of error that a step has: as it is asked for, and with more said of it.

    `in_layout` is that in the layout which was taken, if the request said it, and `on_framework`
    that on the framework which was taken.
    """

    taken: str
    in_layout: str
    on_framework: str


class Step(Struct, frozen=True, kw_only=True):
    """One step: its layout, its figures, and how long it takes with the engine's error.

    If the step time follows from a stated MFU, the placement may say that nothing fits.
    """

    spec: StepSpec
    placement: Placed | Unplaced
    memory: Mapping[str, Term]
    capacity: Term
    parts: Mapping[str, Term]
    predicted_s: Term | None
    seconds: Term | Unknown
    mfu: Term | None
    hfu: Term | None
    tokens_per_s_per_device: Term | None
    tokens_per_step: Term
    flop_per_token: Term
    peak_flop_per_s: Term
    framework: Framework
    host_ratio: str
    error: StepError


def step_of(spec: StepSpec, cluster: Cursor[Cluster], devices: Term) -> Step | Unknown:
    """A step on this many devices of a cluster, or why nothing is known of it.

    A stated MFU sets the step time. Layout and memory are then only shown.
    """
    builder = _builder_of(spec, cluster, devices)
    if isinstance(builder, Unknown):
        return builder
    timed, anchor = builder.timed(), spec.anchor
    if isinstance(timed.placement, Placed) and isinstance(timed.seconds, Unknown):
        return timed.seconds
    step = builder.step(timed)
    if anchor is not None and step.mfu is not None and step.mfu.central > 1.0:
        return anchor.unknown(
            "contradictory",
            f"the measured speed would make an MFU of {step.mfu.central:.2f} of this stage; "
            "no step runs above the peak of its devices",
            member="tokens_per_s_per_device",
        )
    return step


def seconds_on_each(
    spec: StepSpec, cluster: Cursor[Cluster], devices: Sequence[float]
) -> tuple[float | None, ...]:
    """Central seconds of a step on some numbers of devices, whose layouts are searched together.

    None where nothing fits, or nothing is known of the devices. Figures and warnings are thrown
    away.
    """
    seconds: list[float | None] = []
    for count in devices:
        aside = cluster.argument.aside()
        tried = structs.replace(spec, work=spec.work.on(aside), at=spec.at.on(aside))
        builder = _builder_of(tried, cluster.on(aside), Term("devices", count))
        if isinstance(builder, Unknown):
            seconds.append(None)
            continue
        if not seconds and not spec.at.states("layout"):
            builder.searched(devices)
        found = builder.timed(tried=True).seconds
        seconds.append(None if isinstance(found, Unknown) else found.central)
    return tuple(seconds)


def _builder_of(spec: StepSpec, cluster: Cursor[Cluster], devices: Term) -> "StepBuilder | Unknown":
    """The builder of a step, with the MFU that the work states, or what the catalog lacks."""
    mfu = spec.work.quantity("mfu", unit="share") if spec.work.states("mfu") else None
    hardware = hardware_of(cluster, spec.precision)
    if isinstance(hardware, Unknown):
        return hardware
    return StepBuilder(spec, hardware, cluster, devices, mfu=mfu)


class TimedStep(NamedTuple):
    """Where a step is placed, its seconds as predicted, and as they are taken."""

    placement: Placed | Unplaced
    predicted: Term | None
    seconds: Term | Unknown


class StepBuilder:
    """Writes the figures of one step into the ledger."""

    def __init__(
        self,
        spec: StepSpec,
        hardware: Hardware,
        cluster: Cursor[Cluster],
        devices: Term,
        *,
        mfu: Term | None = None,
    ) -> None:
        self.spec = spec
        self.at = spec.at
        self.hardware = hardware
        self.cluster = cluster
        self.devices = devices
        self.inputs = step_inputs(spec, hardware, devices=devices.central)
        self.batch = sequences_of(spec)
        self.mfu = mfu
        self.parts: Mapping[str, Term] = {}
        self.model = {
            "architecture": spec.model.fixed,
            "sequence_length": spec.sequence_length,
        }
        self.shape = {
            **self.model,
            "global_batch": Fixed(self.batch, spec.global_batch_tokens.stands),
        }
        self.tokens_per_step = spec.tokens or self._tokens_per_step()
        self.flop_per_token = spec.trainable.flop_per_token or self.at.derive(
            train_flop_per_token_causal, "flop_per_token", **self.model
        )
        self.capacity = capacity_of(cluster, hardware)

    def _tokens_per_step(self) -> Term:
        """Tokens that a step trains on: a whole number of sequences that can be divided."""

        def given(tokens: Fixed) -> Term:
            return self.at.argument.quantity(tokens.value, pointer=tokens.stands, unit="token")

        return self.at.derive(
            formulas.whole_batch_tokens,
            "tokens_per_step",
            global_batch_tokens=given(self.spec.global_batch_tokens),
            sequence_length=given(self.spec.sequence_length),
        )

    @property
    def problem(self) -> Problem:
        """The input of a search for layouts: of those that the framework offers.

        Nobody tunes on one node in stages as long as something else fits.
        """
        offers = FRAMEWORKS[self.inputs.recipe.framework]
        together = self.devices.central <= self.hardware.scale_up_domain
        staged = offers.model_parallel and not (
            together and isinstance(self.spec.work.said, Tuning)
        )
        return Problem(
            architecture=self.spec.model.architecture,
            sequence_length=self.spec.sequence_length.value,
            global_batch=self.batch,
            scale_up_domain=self.hardware.scale_up_domain,
            memory_bytes=self.capacity.central,
            recipe=self.inputs.memory_recipe,
            fused_recipe=self.inputs.fused_memory_recipe,
            model_parallel=offers.model_parallel,
            context_degrees=offers.context_parallel,
            pipelines=staged,
            interleaves=staged,
        )

    def central_parts(self, layout: Layout) -> StepParts:
        """Seconds by part of one layout or many, every figure at its central value."""
        numbers: dict[str, Any] = {key: term.central for key, term in self.inputs.figures.items()}
        numbers |= {key: fixed.value for key, fixed in self.shape.items()}
        return formulas.timed_parts(
            **numbers,
            layout=layout,
            machine=self.inputs.machine,
            recipe=self.inputs.recipe,
            constants=self.inputs.constants,
        )

    def timed(self, *, tried: bool = False) -> TimedStep:
        """The layout of the step, and its seconds: predicted, or at a stated MFU or speed.

        A step that is only `tried` takes the seconds that its layout was found by.
        """
        placement, anchor = self.placement(), self.spec.anchor
        if isinstance(placement, Unplaced):
            return TimedStep(
                placement, None, placement if self.mfu is None else self.seconds_at(self.mfu)
            )
        if tried and placement.chosen:
            predicted = Term("predicted_s", placement.best_s)
        else:
            predicted = self.predicted_s(placement)
        if self.mfu is not None:
            return TimedStep(placement, predicted, self.seconds_at(self.mfu))
        if anchor is None:
            return TimedStep(
                placement, predicted, self.with_error(predicted, self._error(placement.layout))
            )
        return TimedStep(placement, predicted, self.anchored(predicted, anchor))

    def searched(self, devices: Sequence[float]) -> tuple[Search, ...]:
        """The layouts for some numbers of devices. Those that a quote needs again are kept.

        What fits in none that the framework offers is searched for in all without stages, and then
        in all.
        """
        offered = self.problem
        cut = offered._replace(model_parallel=True, context_degrees=True)
        found = self._searched(offered, devices)
        for problem in dict.fromkeys((cut, cut._replace(pipelines=True))):
            unplaced = [each.devices for each in found if each.best is None]
            if not unplaced or problem == offered:
                continue
            others = {each.devices: each for each in self._searched(problem, unplaced)}
            found = tuple(others.get(each.devices, each) for each in found)
        return found

    def _searched(self, problem: Problem, devices: Sequence[float]) -> tuple[Search, ...]:
        inputs, kept = self.inputs, self.at.argument.found
        numbers = tuple(term.central for term in inputs.figures.values())
        step = (problem, numbers, inputs.machine, inputs.recipe)
        new = [count for count in dict.fromkeys(devices) if (step, count) not in kept]
        if new:
            searches = search_range(
                problem=problem,
                devices=new,
                step_time=lambda layout: self.central_parts(layout).total,
                runners_up=RUNNERS_UP,
            )
            kept |= {(step, found.devices): found for found in searches}
        return tuple(kept[step, count] for count in devices)

    def placement(self) -> Placed | Unplaced:
        """The layout asked for, or the best one with a warning that it was chosen here."""
        placement = placement_of(
            self.at,
            problem=self.problem,
            devices=self.devices.central,
            searched=lambda: self.searched((self.devices.central,))[0],
        )
        if isinstance(placement, Unplaced):
            self.at.argument.warn_of(placement)
        else:
            self._warn_of(placement)
        return placement

    def _warn_of(self, placement: Placed) -> None:
        """Warn of a chosen layout, of idle devices, and of memory that is slightly too small."""
        at = self.at
        if placement.chosen:
            at.warn(
                "assumed_layout",
                "no layout is given; the fastest that fits was chosen",
                member="layout",
            )
        if placement.recompute_chosen and placement.layout.recompute > RECOMPUTE_NONE:
            chosen = RECOMPUTE_NAME[float(placement.layout.recompute)]
            at.warn(
                "assumed_layout",
                f"the layout leaves recompute open; {chosen} is the least that fits",
                member="layout/recompute",
            )
        if placement.tight:
            at.warn(
                "memory_tight",
                f"{placement.tight}; {placement.tight_because}",
                member="layout",
            )
        used = float(devices_of(placement.layout))
        if used < self.devices.central:
            at.warn(
                "devices_idle",
                f"the layout uses {used:g} of {self.devices.central:g} devices",
                member="layout",
            )

    def predicted_s(self, placement: Placed) -> Term:
        """Seconds of a step as the engine predicts them, and its parts."""
        step = self.at.under(f"{self.at.prefix}/step")
        chosen = self.at.pointer_of("layout") if self.at.states("layout") else "layouts.search"
        self.parts = step.derive_parts(
            formulas.timed_parts,
            "parts",
            **self.inputs.figures,
            **self.shape,
            layout=Fixed(placement.layout, chosen),
            machine=self.inputs.machine,
            recipe=self.inputs.recipe,
            constants=self.inputs.constants,
        )
        return step.derive(formulas.sum_of_parts_s, "predicted_s", **self.parts)

    def with_error(self, predicted: Term, error: StepError) -> Term:
        """Seconds of a step with the error that the engine has on measured steps."""
        ratio = self.spec.trainable.flop_ratio
        factors = {} if ratio is None else {"flop_ratio": ratio}
        if self.spec.model.architecture.unmeasured:
            factors["unmeasured_model"] = self.at.assume("engine.unmeasured_model")
        return self.at.derive(
            formulas.scaled_s,
            "step/seconds",
            predicted_s=predicted,
            measured_over_predicted=self.at.assume(f"{ERROR}.{error.taken}"),
            **self._of_unknowns(),
            **factors,
        )

    def _error(self, layout: Layout | None) -> StepError:
        """The kinds of error of such a step. Layouts chosen here have an error of their own."""
        own, kind = FRAMEWORKS[self.inputs.recipe.framework].own_kernels, self._kind()
        in_layout = "ordinary" if not own or self._may_be_ordinary(layout) else kind
        if not self.at.states("layout"):
            return StepError(CHOSEN, in_layout, CHOSEN)
        return StepError(in_layout, in_layout, kind if own else "ordinary")

    def _of_unknowns(self) -> dict[str, Term]:
        """What a framework that is not said adds, and a device on which no step was measured.

        The error of ordinary steps is that of steps whose framework is known. An eager framework
        that is taken has slower and faster ones about it. Reinforcement has constants of its own,
        which were fitted to frameworks that nobody said.
        """
        said, known = self.spec.work.said, self.at.argument.catalog.assumptions
        terms: dict[str, Term] = {}
        is_open = not isinstance(said, Reinforcement) and said.framework is UNSET
        is_tuned = FRAMEWORKS[self.inputs.recipe.framework].own_kernels
        is_spread = self.hardware.device.kind == "tpu" or not is_tuned
        if is_open and not is_spread and FRAMEWORK in known:
            terms["unsaid_framework"] = self.spec.work.assume(FRAMEWORK, member="framework")
        if not self._is_measured() and DEVICE in known:
            terms["unmeasured_device"] = self.at.assume(DEVICE)
        return terms

    def _is_measured(self) -> bool:
        """Whether steps were measured on this device, or on one that is much the same."""
        device, measured = self.hardware.device, self.at.argument.catalog.engine.measured
        return device.timed_as in measured and device.timed_alike >= LEAST_ALIKE

    def _may_be_ordinary(self, layout: Layout | None) -> bool:
        """Whether the framework was not said of a layout that cuts nothing."""
        if layout is None:
            return False
        cuts = layout.tensor_parallel * layout.pipeline_parallel * layout.expert_parallel > 1
        unsaid = self.spec.work.said.framework is UNSET and self.hardware.device.kind != "tpu"
        return unsaid and not cuts

    def _kind(self) -> str:
        return "moe" if self.spec.model.architecture.moe_layers else "dense"

    def seconds_at(self, mfu: Term) -> Term:
        """Seconds of a step at a stated MFU."""
        return self.at.derive(
            formulas.seconds_at_mfu,
            "step/seconds",
            flop_per_token=self.flop_per_token,
            tokens_per_step=self.tokens_per_step,
            devices=self.devices,
            peak_flop_per_s=self.hardware.peak_flop_per_s,
            mfu=mfu,
        )

    def anchored(self, predicted: Term, anchor: Cursor[Anchor]) -> Term | Unknown:
        """Seconds of a step, corrected by the engine's error at a measured speed.

        A measured layout that cannot run contradicts the measurement.
        """
        spec = spec_of_anchor(self.spec, anchor)
        if isinstance(spec, Unknown):
            return spec
        devices = anchor.quantity("devices", unit="count")
        hardware = hardware_of(self.cluster, spec.precision)
        if isinstance(hardware, Unknown):
            return hardware
        builder = StepBuilder(spec, hardware, self.cluster, devices)
        placement = builder.placement()
        if isinstance(placement, Unplaced):
            return structs.replace(placement, reason="contradictory")
        measured = anchor.quantity("tokens_per_s_per_device", unit="token/s")
        mfu = builder.at.derive(
            formulas.mfu_at_speed,
            flop_per_token=builder.flop_per_token,
            tokens_per_s_per_device=measured,
            peak_flop_per_s=hardware.peak_flop_per_s,
        )
        warn_if_far(
            anchor.argument,
            GivenNumber(mfu.central, anchor.pointer_of("tokens_per_s_per_device"), "", MFU_CHECK),
            because=f"{measured.central:,.6g} tokens/s as an MFU: ",
        )
        ratios = {"flop_ratio": self.spec.trainable, "anchor_flop_ratio": spec.trainable}
        return self.at.derive(
            formulas.anchored_s,
            "step/seconds",
            **{name: of.flop_ratio for name, of in ratios.items() if of.flop_ratio is not None},
            predicted_s=predicted,
            anchor_predicted_s=builder.predicted_s(placement),
            anchor_tokens_per_step=builder.tokens_per_step,
            anchor_tokens_per_s_per_device=measured,
            anchor_devices=devices,
            measured_over_predicted=self.at.assume(
                f"engine.measured_over_predicted.anchored_{self._kind()}"
            ),
        )

    def step(self, timed: TimedStep) -> Step:
        """All figures of the step, even if its time is not known."""
        placement, predicted, seconds = timed
        layout, mfu = placement.layout, self.mfu
        rate: Term | None = None
        if isinstance(seconds, Term):
            mfu = mfu or self._mfu(seconds)
            rate = self.at.derive(
                formulas.tokens_per_s_per_device,
                tokens_per_step=self.tokens_per_step,
                seconds=seconds,
                devices=self.devices,
            )
        return Step(
            spec=self.spec,
            placement=placement,
            memory={} if layout is None else self._memory(layout),
            capacity=self.capacity,
            parts=self.parts,
            predicted_s=predicted,
            seconds=seconds,
            mfu=mfu,
            hfu=None if mfu is None or layout is None else self._hfu(mfu, layout),
            tokens_per_s_per_device=rate,
            tokens_per_step=self.tokens_per_step,
            flop_per_token=self.flop_per_token,
            peak_flop_per_s=self.hardware.peak_flop_per_s,
            framework=self.inputs.recipe.framework,
            host_ratio=self.inputs.figures["host_ratio"].name,
            error=self._error(layout),
        )

    def _mfu(self, seconds: Term) -> Term:
        return self.at.derive(
            formulas.mfu_of_step,
            flop_per_token=self.flop_per_token,
            tokens_per_step=self.tokens_per_step,
            devices=self.devices,
            peak_flop_per_s=self.hardware.peak_flop_per_s,
            seconds=seconds,
        )

    def _hfu(self, mfu: Term, layout: Layout) -> Term:
        executed = self.at.derive(formulas.executed_over_model_flop, **self.model, layout=layout)
        return self.at.derive(formulas.hfu_of_mfu, mfu=mfu, executed_over_model_flop=executed)

    def _memory(self, layout: Layout) -> Mapping[str, Term]:
        return self.at.derive_parts(
            memory_per_device,
            "memory",
            **self.shape,
            layout=layout,
            recipe=self.inputs.memory_recipe,
            capacity_bytes=self.capacity,
        )
