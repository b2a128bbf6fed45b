"""The software of a published run, by the rules that hold for all of them alike."""

from typing import Any, Final

from service.core.catalog.catalog import ReferenceRun
from service.core.training.frameworks import WRAPPERS
from service.scoring.steps.software import (
    PUBLISHED_LATER,
    kernel_by_words,
    stack_by_words,
    year_of,
)

EARLIEST: Final = 2018.0
TIMED: Final = "timed_benchmark"
"""Hours from the start to the target quality, evaluations included."""


def software_of(run: ReferenceRun) -> dict[str, Any]:
    """What a request says of the software: its year, and its framework as far as it is known.

    The attention kernel is said where the framework leaves it to the model.

    Timed benchmarks are entered by makers of devices, on stacks of their own.
    """
    said: dict[str, Any] = {"software_year": software_year(run)}
    named = str(run.facts.get("framework") or "")
    if named:
        said["framework"] = stack_by_words(named, otherwise="megatron")
    elif run.device_hours_basis == TIMED:
        said["framework"] = "megatron"
    kernel = kernel_by_words(str(run.facts.get("attention_kernel") or ""))
    if kernel is not None and said.get("framework") in WRAPPERS:
        said["attention_kernel"] = kernel
    if run.facts.get("compile") is not None:
        said["compile"] = bool(run.facts["compile"])
    return said


def software_year(run: ReferenceRun) -> float:
    """The date of the software, or that of the publication less the time that publishing takes."""
    dated = year_of(str(run.facts.get("software_date") or ""))
    published = year_of(run.date)
    assert published is not None, f"{run.id} has no date"
    return max(EARLIEST, published - PUBLISHED_LATER if dated is None else dated)
