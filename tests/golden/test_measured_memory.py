"""Are layouts that published steps really ran on found to fit in memory?

Only rows that say how they recompute are asked, in terms that a layout has: none, full or
selective, with layers offloaded. What compilers on TPUs keep under policies of their own, and what
a source leaves open, cannot be held against the model. At most 3% may be called infeasible.
"""

import re
from typing import Any

from service.accuracy.expressed import Expressed, architecture_of_row, expressed
from service.accuracy.measurements import Measurement, read_measurements
from service.accuracy.refit import MEASUREMENTS
from service.catalog_files import load_catalog
from service.core.memory import STACK_BYTES, MemoryRecipe, Stack, bytes_per_device
from service.core.parallelism import Layout
from service.core.provenance import Ledger
from service.core.training import capacity_bytes

CATALOG = load_catalog()
MOST_INFEASIBLE = 0.03
FEWEST_ROWS = 600


def stack_of(row: Expressed) -> Stack:
    """The software whose memory the model knows, by its kind and year."""
    if row.recipe.stack == "xla":
        return "xla"
    if row.recipe.software_year < 2023:
        return "megatron_2021"
    return "megatron_bridge" if row.recipe.software_year > 2025 else "megatron_core"


def says_what_it_keeps(measured: Measurement, row: Expressed) -> bool:
    stated = measured.activation_recompute
    if stated is None or measured.arch.hybrid:
        return False
    return row.recipe.stack != "xla" or stated in ("none", "full")


def offloaded(layout: Layout, measured: Measurement, layers: float) -> Layout:
    """The layout with the share of a device's layers whose activations go to the host."""
    found = re.search(r"activations of (\d+) layers offloaded", measured.activation_recompute or "")
    if found is None:
        return layout
    share = float(found[1]) * float(layout.pipeline_parallel) / layers
    return layout._replace(offload_share=min(1.0, share))


def needed_over_capacity(measured: Measurement, row: Expressed) -> float | None:
    architecture = architecture_of_row(measured)
    device = CATALOG.accelerators.get(row.machine.device)
    if architecture is None or device is None:
        return None
    memory = Ledger().take(device.memory_bytes).central
    needed: Any = bytes_per_device(
        architecture=architecture,
        layout=offloaded(row.layout, measured, architecture.layers),
        sequence_length=float(measured.arch.seq_len or 0.0),
        global_batch=row.global_batch,
        recipe=MemoryRecipe(precision=row.recipe.precision, stack=STACK_BYTES[stack_of(row)]),
    )
    return float(needed) / float(capacity_bytes(memory_bytes=memory))


def test_layouts_that_were_run_are_hardly_ever_called_infeasible():
    shares = []
    for measured in read_measurements(MEASUREMENTS):
        row = expressed(measured, CATALOG)
        if isinstance(row, Expressed) and says_what_it_keeps(measured, row):
            share = needed_over_capacity(measured, row)
            shares += [] if share is None else [share]
    assert len(shares) >= FEWEST_ROWS
    assert sum(share > 1.0 for share in shares) <= MOST_INFEASIBLE * len(shares)
