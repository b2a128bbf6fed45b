"""When software changed in kind: each era gives way to the next over months, not in a day.

The ramps are not fitted. A run of a given date may still be on the old stack or on the new one; its
step is timed between the two.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real, maximum, minimum


class Era(NamedTuple):
    """Years between which stacks leave an era: until `begins` none has, from `ends` on all have."""

    begins: float
    ends: float

    def remains(self, year: Real) -> Real:
        """The share of stacks of a year that are still in the era, 1 to 0."""
        left = (self.ends - year) / (self.ends - self.begins)
        return minimum(1.0, maximum(0.0, left))


UNFUSED_ATTENTION = Era(2022.5, 2023.5)
"""Attention scores stand in memory, and collectives are not overlapped.

Source: FlashAttention (arXiv 2205.14135, 2022-05); that all training stacks had it a year later is
judged.
"""
EAGER_ATTENTION = Era(2023.5, 2024.75)
"""The same in eager frameworks that leave attention to the code of the model.

Source: releases of Transformers whose attention is fused by default: 4.36 (2023-12) for Llama, 4.45
(2024-09) for GPT-2.
"""
FIRST_FLASH_ATTENTION = Era(2023.5, 2024.25)
"""Stacks have the first flash kernels.

Source: FlashAttention-2 (arXiv 2307.08691, 2023-07); how long until all stacks had it is judged.
"""
PORTED_ATTENTION = Era(2025.5, 2026.5)
"""Frameworks without kernels of their own run attention that was written for older devices.

Source: releases of FlashAttention-3 (2024-07) and -4 (2026) and of the frameworks that take them.
"""
UNEVEN_STAGES = Era(2024.5, 2025.25)
"""Pipeline stages are not balanced around embedding and logits. Judged."""
QUANTISED_APART = Era(2026.25, 2026.42)
"""Grouped products are quantised and activated by kernels of their own. Judged by releases."""


def mixed(old: Real, new: Real, *, remains: Real) -> Real:
    """Between the constant of an era and the one that follows: new + remains * (old - new)."""
    return new + remains * (old - new)
