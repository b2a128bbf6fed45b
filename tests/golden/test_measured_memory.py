"""Are layouts that published steps really ran on found to fit in memory?

A row that does not say how it recomputes is taken as the service takes such a request: with the
least that fits. Left out are policies of compilers on TPUs, which say by name what is kept and what
goes to the host, and state-space hybrids, whose memory no transformer's formula knows. At most 3%
may be called infeasible.
"""

import re
from typing import Any

from lab.files import STEP_MEASUREMENTS
from service.core.argument import Argument, Fixed, Unknown
from service.core.cluster.hardware import capacity_of, hardware_of
from service.core.request.request import Cluster
from service.core.training.formats import STACK_BYTES, MemoryRecipe, MemoryStack
from service.core.training.memory import bytes_per_device
from service.core.training.parallelism import RECOMPUTE_CODE, Layout
from service.scoring.steps.inputs import Expressed, architecture_of_row, expressed
from service.scoring.steps.measurements import Measurement, read_measurements
from tests.worlds import embedded

MOST_INFEASIBLE = 0.03
FEWEST_ROWS = 800


def stack_of(row: Expressed) -> MemoryStack:
    """The software whose memory the model knows, by its kind and year."""
    if row.recipe.framework == "xla":
        return "xla"
    if row.recipe.software_year < 2023:
        return "megatron_2021"
    return "megatron_bridge" if row.recipe.software_year > 2025 else "megatron_core"


def is_in_terms_of_a_layout(measured: Measurement, row: Expressed) -> bool:
    if measured.arch.hybrid:
        return False
    return row.recipe.framework != "xla" or measured.activation_recompute in (None, "none", "full")


def layouts_of(measured: Measurement, row: Expressed, layers: float) -> list[Layout]:
    """What the row may have run on: one layout, or one for each way to recompute."""
    layout = offloaded(row.layout, measured, layers)
    if measured.activation_recompute is not None:
        return [layout]
    return [layout._replace(recompute=code) for code in RECOMPUTE_CODE.values()]


def offloaded(layout: Layout, measured: Measurement, layers: float) -> Layout:
    """The layout with the share of a device's layers whose activations go to the host."""
    found = re.search(r"activations of (\d+) layers offloaded", measured.activation_recompute or "")
    if found is None:
        return layout
    share = float(found[1]) * float(layout.pipeline_parallel) / layers
    return layout._replace(offload_share=min(1.0, share))


def needed_over_capacity(measured: Measurement, row: Expressed) -> float | None:
    architecture = architecture_of_row(measured)
    device = embedded().accelerators.get(row.machine.device)
    if architecture is None or device is None:
        return None
    needed: list[Any] = [
        bytes_per_device(
            architecture=architecture,
            layout=layout,
            sequence_length=float(measured.arch.seq_len or 0.0),
            global_batch=row.global_batch,
            recipe=MemoryRecipe(precision=row.recipe.precision, stack=STACK_BYTES[stack_of(row)]),
        )
        for layout in layouts_of(measured, row, architecture.layers)
    ]
    return min(map(float, needed)) / capacity_bytes(device.id)


def capacity_bytes(device: str) -> float:
    """Bytes that a program finds on a device."""
    cluster = Argument(embedded()).at(
        Cluster(device=device, devices=1.0), pointer="/cluster", prefix="cluster"
    )
    hardware = hardware_of(cluster, Fixed("bf16", "/precision"))
    assert not isinstance(hardware, Unknown)
    return float(capacity_of(cluster, hardware).central)


def test_layouts_that_were_run_are_hardly_ever_called_infeasible():
    shares = []
    for measured in read_measurements(STEP_MEASUREMENTS):
        row = expressed(measured, embedded())
        if isinstance(row, Expressed) and is_in_terms_of_a_layout(measured, row):
            share = needed_over_capacity(measured, row)
            shares += [] if share is None else [share]
    assert len(shares) >= FEWEST_ROWS
    refused = 1.0 + STACK_BYTES["megatron_core"].error
    assert sum(share > refused for share in shares) <= MOST_INFEASIBLE * len(shares)
