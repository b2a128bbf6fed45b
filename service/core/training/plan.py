"""The layouts of one pretraining stage on several numbers of devices, side by side.

This is the search behind a quote, with all of its runners-up. Nothing is drawn or priced.
"""

from msgspec import Struct

from service.core.argument import Argument, Unknown
from service.core.catalog.catalog import Catalog
from service.core.cluster.hardware import hardware_of
from service.core.model.named import named_model
from service.core.request.names import PlacedStage, placed_stages
from service.core.request.request import QuoteRequest
from service.core.request.work import Pretraining
from service.core.training.search import Search, search_range
from service.core.training.step import StepBuilder
from service.core.training.step_spec import spec_of
from service.core.training.steptime import StepParts


class NothingToPlan(Exception):
    """The stage has no layout that could be chosen"""

    def __init__(self, detail: str, *, pointer: str) -> None:
        super().__init__(f"{detail} ({pointer})")


class Plan(Struct, frozen=True, kw_only=True):
    """The search for one number of devices, and the seconds of its best step by part."""

    devices: float
    search: Search
    parts: StepParts | None
    tokens_per_step: float

    @property
    def seconds(self) -> float | None:
        """Seconds of the best step, as predicted."""
        return None if self.search.best is None else self.search.best.step_time_s


def plans(
    request: QuoteRequest,
    catalog: Catalog,
    *,
    stage: int,
    devices: tuple[float, ...],
    runners_up: int,
) -> tuple[Plan, ...]:
    """The layouts of one stage on each number of devices; raises `NothingToPlan`."""
    placed = tuple(placed_stages(request))[stage]
    builder = builder_of(Argument(catalog), placed)
    searches = search_range(
        problem=builder.problem,
        devices=devices,
        step_time=lambda layout: builder.central_parts(layout).total,
        runners_up=runners_up,
        reasons=True,
    )
    return tuple(
        Plan(
            devices=found.devices,
            search=found,
            parts=None if found.best is None else builder.central_parts(found.best.layout),
            tokens_per_step=builder.tokens_per_step.central,
        )
        for found in searches
    )


def builder_of(argument: Argument, placed: PlacedStage) -> StepBuilder:
    """The builder of the step of one pre-training stage. Raises `NothingToPlan`."""
    stage = argument.at(placed.stage, pointer=placed.pointer, prefix="plan")
    cluster = argument.at(placed.cluster, pointer=placed.cluster_pointer, prefix="plan")
    work = stage.at("work")
    if not isinstance(work.said, Pretraining):
        raise NothingToPlan(
            "only pretraining has a layout to plan", pointer=work.pointer_of("kind")
        )
    model = named_model(work.at("model"))
    if isinstance(model, Unknown):
        raise NothingToPlan(model.detail, pointer=model.pointer)
    spec = spec_of(work, model)
    hardware = hardware_of(cluster, spec.precision)
    if isinstance(hardware, Unknown):
        raise NothingToPlan(hardware.detail, pointer=hardware.pointer)
    return StepBuilder(spec, hardware, cluster, cluster.quantity("devices", unit="count"))
