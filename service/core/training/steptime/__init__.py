"""How long one training step takes: analytic, on any device, layout and software."""

from service.core.training.steptime.constants import (
    Coefficients,
    Traits,
    coefficients_of,
    effect_names,
    traits_of,
)
from service.core.training.steptime.machine import Machine, Recipe
from service.core.training.steptime.parts import StepParts, parts_of, step_parts, step_seconds
from service.core.training.steptime.work import StepWork, work_of

__all__ = [
    "Coefficients",
    "Machine",
    "Recipe",
    "StepParts",
    "StepWork",
    "Traits",
    "coefficients_of",
    "effect_names",
    "parts_of",
    "step_parts",
    "step_seconds",
    "traits_of",
    "work_of",
]
