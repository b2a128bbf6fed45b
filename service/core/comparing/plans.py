"""The hours of a run on one kind and number of devices, and what a candidate adds to them."""

from msgspec import Struct
from msgspec.structs import replace

from service.core.argument import Argument, Cursor, Unknown
from service.core.figures.ledger import Term
from service.core.request.request import Cluster, QuoteRequest, Supply
from service.core.stages.effort import Effort, efforts_of
from service.core.stages.hours import StageContext
from service.core.stages.schedule import schedule_of


class RunPlan(Struct, frozen=True, kw_only=True):
    """A run on a cluster of one size: its hours. Only its price is open.

    `wall_clock_hours` is that of the whole run.
    """

    request: QuoteRequest
    argument: Argument
    efforts: tuple[Effort, ...]
    wall_clock_hours: Term

    @property
    def accelerator(self) -> str:
        """The id of the device."""
        return self.request.cluster.accelerator

    @property
    def devices(self) -> float:
        """How many devices the run holds."""
        return self.request.cluster.devices

    @property
    def device_hours(self) -> float:
        """Central device-hours of all stages."""
        hours = (one.device_hours for one in self.efforts)
        return sum(term.central for term in hours if isinstance(term, Term))


def plan_of(request: QuoteRequest, argument: Argument) -> RunPlan | Unknown:
    """The hours of a run on its cluster, or why they are not known. The argument is empty."""
    efforts = efforts_of(argument, request)
    for one in efforts:
        if isinstance(one.device_hours, Unknown):
            return one.device_hours
    hours = [one.wall_clock_hours for one in efforts]
    schedule = schedule_of(argument, request.run, hours)
    assert schedule is not None, "all hours are known"
    return RunPlan(
        request=request,
        argument=argument,
        efforts=efforts,
        wall_clock_hours=schedule.wall_clock_hours,
    )


class Branch(Struct, frozen=True, kw_only=True):
    """A plan under one supply of its cluster, in an argument of its own."""

    request: QuoteRequest
    argument: Argument
    efforts: tuple[Effort, ...]


def branch_at(
    request: QuoteRequest, argument: Argument, efforts: tuple[Effort, ...], supply: Supply
) -> Branch:
    """Some efforts under a supply, in a copy of their argument."""
    grown = argument.branch()
    cluster = replace(request.cluster, supply=supply)
    return Branch(
        request=replace(request, cluster=cluster),
        argument=grown,
        efforts=tuple(_moved(one, grown, cluster) for one in efforts),
    )


def _moved(effort: Effort, argument: Argument, cluster: Cluster) -> Effort:
    """An effort in another argument, on the run's cluster as it is supplied there."""
    context = effort.context
    at = context.cluster
    said = cluster if at.pointer == "/cluster" else at.said
    return replace(
        effort,
        context=StageContext(
            stage=context.stage.on(argument),
            cluster=Cursor(argument, said, pointer=at.pointer, prefix=at.prefix),
            devices=context.devices,
        ),
    )
