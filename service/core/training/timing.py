"""A cluster and its software as the engine sees them, and the seconds that it gives for a step."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Argument
from service.core.catalog.engine import Constants
from service.core.cluster.hardware import Hardware
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.model import Architecture
from service.core.training.formats import Precision
from service.core.training.parallelism import Layout
from service.core.training.step_spec import Ask
from service.core.training.steptime import Machine, Recipe, StepParts, step_parts

SAME_IN_A_STEP: Final[dict[str, Precision]] = {
    "bf16": "bf16",
    "fp16": "fp16",
    "fp8": "fp8",
    "mxfp8": "mxfp8",
    "fp4": "nvfp4",
    "nvfp4": "nvfp4",
}
"""The recipe that a peak is used by, where another than the asked one stands in for it."""


class Bench(Struct, frozen=True, kw_only=True):
    """A cluster and its software as the engine sees them: figures to draw, and structure."""

    figures: Mapping[str, Term]
    machine: Machine
    recipe: Recipe
    constants: Constants


@formula("step_parts", parts=dict.fromkeys(StepParts._fields, "second"))
def timed_parts(
    *,
    peak_flop_per_s: Real,
    bf16_peak_flop_per_s: Real,
    memory_bandwidth_byte_per_s: Real,
    scale_up_byte_per_s: Real,
    scale_out_byte_per_s: Real,
    software_year: Real,
    architecture: Architecture,
    layout: Layout,
    sequence_length: float,
    global_batch: float,
    bench: Bench,
) -> StepParts:
    """Seconds of one step by part, from the figures of devices, links and software.

    Formula: `service.core.training.steptime.step_parts`.
    """
    machine = bench.machine._replace(
        peak_flop_per_s=peak_flop_per_s,
        bf16_peak_flop_per_s=bf16_peak_flop_per_s,
        memory_bandwidth_byte_per_s=memory_bandwidth_byte_per_s,
        scale_up_byte_per_s=scale_up_byte_per_s,
        scale_out_byte_per_s=scale_out_byte_per_s,
    )
    return step_parts(
        architecture=architecture,
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        machine=machine,
        recipe=bench.recipe._replace(software_year=software_year),
        constants=bench.constants,
    )


def bench_of(argument: Argument, ask: Ask, hardware: Hardware) -> Bench:
    """The figures that a step is timed by on this hardware, and the software asked for."""
    where = f"{ask.pointer}/software_year"
    year = (
        argument.assume("engine.software_year", pointer=where)
        if ask.software_year is UNSET
        else argument.quantity(ask.software_year, pointer=where, unit="year")
    )
    return Bench(
        figures={
            "peak_flop_per_s": hardware.peak_flop_per_s,
            "bf16_peak_flop_per_s": hardware.bf16_peak_flop_per_s,
            "memory_bandwidth_byte_per_s": hardware.memory_bandwidth_byte_per_s,
            "scale_up_byte_per_s": hardware.scale_up_byte_per_s,
            "scale_out_byte_per_s": hardware.scale_out_byte_per_s,
            "software_year": year,
        },
        machine=_machine(hardware),
        recipe=_recipe(hardware, ask),
        constants=argument.catalog.engine.constants,
    )


def _machine(hardware: Hardware) -> Machine:
    """The device and its links with central values, and what constants are looked up by."""
    return Machine(
        peak_flop_per_s=hardware.peak_flop_per_s.central,
        bf16_peak_flop_per_s=hardware.bf16_peak_flop_per_s.central,
        memory_bandwidth_byte_per_s=hardware.memory_bandwidth_byte_per_s.central,
        scale_up_byte_per_s=hardware.scale_up_byte_per_s.central,
        scale_up_domain=hardware.scale_up_domain,
        scale_out_byte_per_s=hardware.scale_out_byte_per_s.central,
        kind=hardware.device.kind,
        generation=hardware.device.generation,
        device=hardware.device.id,
    )


def _recipe(hardware: Hardware, ask: Ask) -> Recipe:
    """How the step is computed, on the stack that is usual for the device."""
    return Recipe(
        precision=SAME_IN_A_STEP.get(hardware.precision, ask.precision),
        stack="xla" if hardware.device.kind == "tpu" else "megatron",
        gated_experts=ask.described.architecture.ffn_matrices > 2,
        expert_kernels=ask.expert_kernels,
        frozen_weights=ask.trained.adapters,
    )
