"""A stage in its place, and the hours of one attempt at its work."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from service.core.argument import Argument, Cursor, Unknown
from service.core.figures.ledger import Term
from service.core.request.request import Cluster, Stage
from service.core.serving.decoding import Serving
from service.core.serving.replicas import Bound
from service.core.training.step import Step

TAKEN_OF_HELD_TIME: Final = ("goodput", "evaluation_share", "idle_share")
"""Members of a request by which held hours are divided to get those that move the work forward."""


class StageContext(Struct, frozen=True, kw_only=True):
    """A stage of the request and the cluster that it runs on, with its devices as a term."""

    stage: Cursor[Stage]
    cluster: Cursor[Cluster]
    devices: Term

    @property
    def argument(self) -> Argument:
        """State of the quote."""
        return self.stage.argument

    @property
    def work(self) -> Cursor[Any]:
        """The cursor at the work of the stage."""
        return self.stage.at("work")


class TimeShares(Struct, frozen=True, kw_only=True):
    """Which share of the held time moves the work forward, and what takes the rest.

    `losses` are the shares that `goodput` leaves out, if it follows from failures.
    """

    goodput: Term
    evaluation_share: Term | None = None
    idle_share: Term | None = None
    disclosed_over_expected: Term | None = None
    losses: Mapping[str, Term] = {}


class Written(Struct, frozen=True, kw_only=True):
    """How a stage generates, what it writes, and what binds it."""

    serving: Serving
    replicas: float
    parts: Mapping[str, Term]
    concurrent: Term
    longest_tokens: Term
    tokens_per_s_per_device: Term
    bound: Bound
    memory: Mapping[str, Term] = {}
    capacity: Term | None = None


class Hours(Struct, frozen=True, kw_only=True):
    """Device-hours of one attempt, or why they are not known, and what they follow from."""

    device_hours: Term | Unknown
    mfu: Term | None = None
    shares: TimeShares | None = None
    startup: Term | None = None
    step: Step | None = None
    steps: Term | None = None
    written: Written | None = None
    phases: Mapping[str, Term] = {}
    tokens: Mapping[str, Term] = {}
