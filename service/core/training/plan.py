"""The layouts of one pretraining stage on several numbers of devices, side by side.

Nothing here is drawn or priced: it is the search behind a quote, with all of its runners-up.
"""

from msgspec import UNSET, Struct

from service.core.argument import Argument, Unknown
from service.core.catalog.catalog import Catalog
from service.core.cluster.hardware import hardware_of
from service.core.model.named import description_of
from service.core.request.request import Cluster, QuoteRequest
from service.core.request.work import Pretraining
from service.core.training.search import Search, search_range
from service.core.training.step import Desk
from service.core.training.step_spec import ask_of
from service.core.training.steptime import StepParts


class NothingToPlan(Exception):
    """The stage has no layout that could be chosen"""

    def __init__(self, detail: str, *, pointer: str) -> None:
        super().__init__(f"{detail} ({pointer})")


class Plan(Struct, frozen=True, kw_only=True):
    """What the search found for one number of devices, and the best step by part, in seconds."""

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
    pointer = f"/run/stages/{stage}"
    asked = request.run.stages[stage]
    work = asked.work
    if not isinstance(work, Pretraining):
        raise NothingToPlan("only pretraining has a layout to plan", pointer=f"{pointer}/work/kind")
    own = asked.cluster is not UNSET
    cluster = asked.cluster if asked.cluster is not UNSET else request.cluster
    desk = desk_of(
        Argument(catalog),
        work,
        cluster,
        pointer=f"{pointer}/work",
        cluster_pointer=f"{pointer}/cluster" if own else "/cluster",
    )
    searches = search_range(
        problem=desk.problem,
        devices=devices,
        step_time=lambda layout: desk.central_parts(layout).total,
        runners_up=runners_up,
    )
    return tuple(
        Plan(
            devices=found.devices,
            search=found,
            parts=None if found.best is None else desk.central_parts(found.best.layout),
            tokens_per_step=desk.tokens_per_step.central,
        )
        for found in searches
    )


def desk_of(
    argument: Argument, work: Pretraining, cluster: Cluster, *, pointer: str, cluster_pointer: str
) -> Desk:
    """What writes the figures of one pretraining step; raises `NothingToPlan`."""
    described = description_of(argument, work.model, pointer=f"{pointer}/model")
    if isinstance(described, Unknown):
        raise NothingToPlan(described.detail, pointer=described.pointer)
    hardware = hardware_of(
        argument,
        cluster,
        pointer=cluster_pointer,
        precision=work.precision,
        precision_pointer=f"{pointer}/precision",
    )
    if isinstance(hardware, Unknown):
        raise NothingToPlan(hardware.detail, pointer=hardware.pointer)
    devices = argument.quantity(cluster.devices, pointer=f"{cluster_pointer}/devices", unit="count")
    ask = ask_of(work, described, pointer=pointer, prefix="plan")
    return Desk(argument, ask, hardware, devices)
