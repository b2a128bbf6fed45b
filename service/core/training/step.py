"""One optimizer step of a model on a cluster: its layout, what it holds, how long it takes.

The step time that the engine predicts is a figure with the engine's own error, as measured on
published steps; a measured speed (an anchor) replaces most of that error.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET, Struct, UnsetType, structs

from service.core.argument import Argument, Unknown
from service.core.cluster.hardware import Hardware, capacity_bytes, hardware_of
from service.core.figures.ledger import Term
from service.core.model import train_flop_per_token_causal
from service.core.request.request import Cluster
from service.core.request.work import Anchor
from service.core.training import formulas as training
from service.core.training.formats import OPTIMIZER_BYTES, STACK_BYTES, MemoryRecipe, Stack
from service.core.training.memory import DeviceMemory, memory_per_device
from service.core.training.parallelism import RECOMPUTE_NAME, RECOMPUTE_NONE, Layout, devices_of
from service.core.training.placement import Laid, Placement, Unlaid, placement_of
from service.core.training.search import Problem
from service.core.training.step_spec import Ask, ask_of_anchor, sequences_of
from service.core.training.steptime import StepParts
from service.core.training.timing import bench_of, timed_parts

ADAPTER_WEIGHT_BYTES: Final = 2.0
BYTE_PARTS: Final = DeviceMemory._fields
SECOND_PARTS: Final = StepParts._fields


class Step(Struct, frozen=True, kw_only=True):
    """One step: its layout, its figures, and how long it takes with the engine's error.

    Where the step time follows from a stated MFU, the placement may say that nothing fits.
    """

    placement: Placement
    memory: Mapping[str, Term]
    capacity: Term
    parts: Mapping[str, Term]
    predicted_s: Term | None
    seconds: Term | Unknown
    mfu: Term | None
    hfu: Term | None
    tokens_per_s_per_device: Term | None
    tokens_per_step: Term


def step_of(
    argument: Argument,
    ask: Ask,
    cluster: Cluster,
    *,
    cluster_pointer: str,
    devices: Term,
    mfu: Term | None = None,
    anchor: Anchor | UnsetType = UNSET,
) -> Step | Unknown:
    """A step of this kind on this cluster, or why nothing can be said of it.

    A stated `mfu` sets the step time; then layout and memory are only shown.
    """
    hardware = hardware_of(
        argument,
        cluster,
        pointer=cluster_pointer,
        precision=ask.precision,
        precision_pointer=f"{ask.pointer}/precision",
    )
    if isinstance(hardware, Unknown):
        return hardware
    desk = Desk(argument, ask, hardware, devices)
    placement = desk.placement()
    seconds: Term | Unknown
    if isinstance(placement, Unlaid):
        seconds = placement.why if mfu is None else desk.seconds_at(mfu)
        return desk.step(placement, None, seconds, mfu)
    predicted = desk.predicted_s(placement)
    if mfu is not None:
        seconds = desk.seconds_at(mfu)
    elif anchor is UNSET:
        seconds = desk.with_error(predicted)
    else:
        seconds = desk.anchored(predicted, anchor, cluster, cluster_pointer=cluster_pointer)
        if isinstance(seconds, Unknown):
            return seconds
    return desk.step(placement, predicted, seconds, mfu)


class Desk:
    """Writes the figures of one step into the ledger."""

    def __init__(self, argument: Argument, ask: Ask, hardware: Hardware, devices: Term) -> None:
        self.argument = argument
        self.ledger = argument.ledger
        self.ask = ask
        self.hardware = hardware
        self.devices = devices
        self.bench = bench_of(argument, ask, hardware)
        self.batch = sequences_of(argument, ask)
        self.parts: Mapping[str, Term] = {}
        self.stands = {
            "architecture": ask.described.stands_at,
            "sequence_length": f"{ask.pointer}/sequence_length",
            "global_batch": f"{ask.pointer}/global_batch_tokens",
        }
        self.tokens_per_step = self._tokens_per_step()
        self.flop_per_token = ask.trained.flop_per_token or self.ledger.derive(
            train_flop_per_token_causal,
            name=f"{ask.prefix}/flop_per_token",
            inputs={},
            fixed={
                "architecture": ask.described.architecture,
                "sequence_length": ask.sequence_length,
            },
            stands={key: self.stands[key] for key in ("architecture", "sequence_length")},
        )
        self.capacity = self.ledger.derive_once(
            capacity_bytes,
            name=f"accelerators/{hardware.device.id}/capacity_bytes",
            inputs={"memory_bytes": hardware.memory_bytes},
        )

    def _tokens_per_step(self) -> Term:
        """What a step really trains on: whole sequences, as many as divide."""
        ask, given, at = self.ask, self.ledger.given, self.ask.pointer
        if ask.tokens is not None:
            return ask.tokens
        return self.ledger.derive(
            training.whole_batch_tokens,
            name=f"{ask.prefix}/tokens_per_step",
            inputs={
                "global_batch_tokens": given(
                    ask.global_batch_tokens, pointer=f"{at}/global_batch_tokens", unit="token"
                ),
                "sequence_length": given(
                    ask.sequence_length, pointer=f"{at}/sequence_length", unit="token"
                ),
            },
        )

    @property
    def recipe(self) -> MemoryRecipe:
        """What memory depends on beside the layout."""
        stack: Stack = "xla" if self.bench.recipe.stack == "xla" else "megatron_core"
        trained, optimizer = self.ask.trained, OPTIMIZER_BYTES[self.ask.optimizer]
        if trained.adapters:
            optimizer = optimizer._replace(master=optimizer.master + ADAPTER_WEIGHT_BYTES)
        return MemoryRecipe(
            precision=self.ask.precision,
            optimizer=optimizer,
            stack=STACK_BYTES[stack],
            trained_share=trained.params_share,
            weight_bytes=trained.weight_bytes,
            fused_experts=self.ask.expert_kernels == "fused",
        )

    @property
    def problem(self) -> Problem:
        """What a search for layouts needs to know."""
        return Problem(
            architecture=self.ask.described.architecture,
            sequence_length=self.ask.sequence_length,
            global_batch=self.batch,
            scale_up_domain=self.hardware.scale_up_domain,
            memory_bytes=self.capacity.central,
            recipe=self.recipe,
        )

    def central_parts(self, layout: Layout) -> StepParts:
        """Seconds by part of one layout or many, every figure at its central value."""
        numbers = {key: term.central for key, term in self.bench.figures.items()}
        return timed_parts(
            **numbers,
            architecture=self.ask.described.architecture,
            layout=layout,
            sequence_length=self.ask.sequence_length,
            global_batch=self.batch,
            bench=self.bench,
        )

    def placement(self) -> Placement:
        """The layout asked for, or the best, with a warning where it is ours."""
        pointer = f"{self.ask.pointer}/layout"
        placement = placement_of(
            self.ask.layout,
            pointer=pointer,
            problem=self.problem,
            devices=self.devices.central,
            step_time=lambda layout: self.central_parts(layout).total,
        )
        self._warn_of(placement, pointer=pointer)
        return placement

    def _warn_of(self, placement: Placement, *, pointer: str) -> None:
        if isinstance(placement, Unlaid):
            self.argument.warn_of(placement.why)
            return
        if placement.chosen:
            self.argument.warn(
                "assumed_layout",
                "no layout is given; the fastest that fits was chosen",
                pointer=pointer,
            )
        if placement.recompute_chosen and placement.layout.recompute > RECOMPUTE_NONE:
            chosen = RECOMPUTE_NAME[float(placement.layout.recompute)]
            self.argument.warn(
                "assumed_layout",
                f"the layout leaves recompute open; {chosen} is the least that fits",
                pointer=f"{pointer}/recompute",
            )
        if placement.tight:
            self.argument.warn(
                "memory_tight",
                f"{placement.tight}; that is within what the estimate errs by",
                pointer=pointer,
            )
        used = float(devices_of(placement.layout))
        if used < self.devices.central:
            self.argument.warn(
                "devices_idle",
                f"the layout uses {used:g} of {self.devices.central:g} devices",
                pointer=pointer,
            )

    def predicted_s(self, placement: Laid) -> Term:
        """Seconds of a step as the engine predicts them, and its parts."""
        prefix = f"{self.ask.prefix}/step"
        self.parts = self._timed(self.ask, placement.layout, self.batch, prefix=prefix)
        return self.ledger.derive(
            training.sum_of_parts_s,
            name=f"{prefix}/predicted_s",
            inputs=self.parts,
        )

    def _timed(self, ask: Ask, layout: Layout, batch: float, *, prefix: str) -> Mapping[str, Term]:
        return self.ledger.derive_parts(
            timed_parts,
            name=f"{prefix}/parts",
            inputs=self.bench.figures,
            fixed={
                "architecture": ask.described.architecture,
                "layout": layout,
                "sequence_length": ask.sequence_length,
                "global_batch": batch,
                "bench": self.bench,
            },
            stands={
                **self.stands,
                "architecture": ask.described.stands_at,
                "layout": f"{ask.pointer}/layout" if ask.layout is not UNSET else "layouts.search",
            },
        )

    def with_error(self, predicted: Term) -> Term:
        """Seconds of a step with the error that the engine has on measured steps."""
        return self.ledger.derive(
            training.scaled_s,
            name=f"{self.ask.prefix}/step/seconds",
            inputs={
                "predicted_s": predicted,
                "measured_over_predicted": self.argument.assume(self._error_of()),
            }
            | self._method(),
        )

    def _method(self) -> dict[str, Term]:
        """What the method of tuning costs over what the engine times, if it is not the same."""
        ratio = self.ask.trained.flop_ratio
        return {} if ratio is None else {"flop_ratio": ratio}

    def _error_of(self) -> str:
        """The measured error of such a step; a layout that was chosen here is nobody's habit."""
        if self.ask.layout is UNSET:
            return "engine.measured_over_predicted.chosen"
        return f"engine.measured_over_predicted.{self._kind()}"

    def _kind(self) -> str:
        return "moe" if self.ask.described.architecture.moe_layers else "dense"

    def seconds_at(self, mfu: Term) -> Term:
        """Seconds of a step at a stated MFU."""
        return self.ledger.derive(
            training.seconds_at_mfu,
            name=f"{self.ask.prefix}/step/seconds",
            inputs={
                "flop_per_token": self.flop_per_token,
                "tokens_per_step": self.tokens_per_step,
                "devices": self.devices,
                "peak_flop_per_s": self.hardware.peak_flop_per_s,
                "mfu": mfu,
            },
        )

    def anchored(
        self, predicted: Term, anchor: Anchor, cluster: Cluster, *, cluster_pointer: str
    ) -> Term | Unknown:
        """Seconds of a step, with what the engine missed at a measured speed carried over."""
        pointer = f"{self.ask.pointer}/anchor"
        asked = ask_of_anchor(self.argument, self.ask, anchor, pointer=pointer)
        if isinstance(asked, Unknown):
            return asked
        devices = self.argument.quantity(anchor.devices, pointer=f"{pointer}/devices", unit="count")
        hardware = hardware_of(
            self.argument,
            cluster,
            pointer=cluster_pointer,
            precision=asked.precision,
            precision_pointer=f"{pointer}/precision",
        )
        assert isinstance(hardware, Hardware)  # the stage itself has its peak
        desk = Desk(self.argument, asked, hardware, devices)
        placement = desk.placement()
        if isinstance(placement, Unlaid):
            return structs.replace(placement.why, reason="contradictory")
        measured = self.argument.quantity(
            anchor.tokens_per_s_per_device,
            pointer=f"{pointer}/tokens_per_s_per_device",
            unit="token/s",
        )
        return self.ledger.derive(
            training.anchored_s,
            name=f"{self.ask.prefix}/step/seconds",
            inputs={
                "predicted_s": predicted,
                "anchor_predicted_s": desk.predicted_s(placement),
                "anchor_tokens_per_step": desk.tokens_per_step,
                "anchor_tokens_per_s_per_device": measured,
                "anchor_devices": devices,
                "measured_over_predicted": self.argument.assume(
                    f"engine.measured_over_predicted.anchored_{self._kind()}"
                ),
            },
        )

    def step(
        self,
        placement: Placement,
        predicted: Term | None,
        seconds: Term | Unknown,
        mfu: Term | None,
    ) -> Step:
        """All figures of the step, whether or not its time is known."""
        prefix, layout = self.ask.prefix, placement.layout
        rate: Term | None = None
        if isinstance(seconds, Term):
            mfu = mfu or self._mfu(seconds)
            rate = self.ledger.derive(
                training.tokens_per_s_per_device,
                name=f"{prefix}/tokens_per_s_per_device",
                inputs={
                    "tokens_per_step": self.tokens_per_step,
                    "seconds": seconds,
                    "devices": self.devices,
                },
            )
        return Step(
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
        )

    def _mfu(self, seconds: Term) -> Term:
        return self.ledger.derive(
            training.mfu_of_step,
            name=f"{self.ask.prefix}/mfu",
            inputs={
                "flop_per_token": self.flop_per_token,
                "tokens_per_step": self.tokens_per_step,
                "devices": self.devices,
                "peak_flop_per_s": self.hardware.peak_flop_per_s,
                "seconds": seconds,
            },
        )

    def _hfu(self, mfu: Term, layout: Layout) -> Term:
        executed = self.ledger.derive(
            training.executed_over_model_flop,
            name=f"{self.ask.prefix}/executed_over_model_flop",
            inputs={},
            fixed={
                "architecture": self.ask.described.architecture,
                "layout": layout,
                "sequence_length": self.ask.sequence_length,
            },
            stands=self.stands,
        )
        return self.ledger.derive(
            training.hfu_of_mfu,
            name=f"{self.ask.prefix}/hfu",
            inputs={"mfu": mfu, "executed_over_model_flop": executed},
        )

    def _memory(self, layout: Layout) -> Mapping[str, Term]:
        return self.ledger.derive_parts(
            memory_per_device,
            name=f"{self.ask.prefix}/memory",
            inputs={},
            fixed={
                "architecture": self.ask.described.architecture,
                "layout": layout,
                "sequence_length": self.ask.sequence_length,
                "global_batch": self.batch,
                "recipe": self.recipe,
            },
            stands=self.stands,
        )
