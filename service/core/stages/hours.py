"""A stage in its place, and the hours of one attempt at its work."""

from collections.abc import Mapping

from msgspec import Struct

from service.core.figures.ledger import Term
from service.core.request.request import Cluster, Stage
from service.core.serving.decoding import Serving
from service.core.serving.replicas import Bound
from service.core.training.step import Step


class Place(Struct, frozen=True, kw_only=True):
    """A stage of the request, its cluster, and where both stand."""

    stage: Stage
    pointer: str
    cluster: Cluster
    cluster_pointer: str
    devices: Term

    @property
    def work_pointer(self) -> str:
        """Where the work stands."""
        return f"{self.pointer}/work"

    @property
    def prefix(self) -> str:
        """The ledger's prefix for what is derived about this stage."""
        return prefix_of(self.pointer)


class Held(Struct, frozen=True, kw_only=True):
    """Which share of the held time moves the work forward, and what takes the rest."""

    goodput: Term
    evaluation_share: Term | None = None
    idle_share: Term | None = None
    disclosed_over_expected: Term | None = None
    losses: Mapping[str, Term] = {}  # of goodput, where it follows from failures


class Written(Struct, frozen=True, kw_only=True):
    """How a stage generates, what it writes, and what binds it."""

    serving: Serving
    replicas: float
    parts: Mapping[str, Term]
    concurrent: Term
    longest_tokens: Term
    tokens_per_s_per_device: Term
    bound: Bound


class Hours(Struct, frozen=True, kw_only=True):
    """Device-hours of one attempt, or why they are not known, and what they follow from."""

    device_hours: Term | None
    mfu: Term | None = None
    held: Held | None = None
    step: Step | None = None
    steps: Term | None = None
    written: Written | None = None
    phases: Mapping[str, Term] = {}
    tokens: Mapping[str, Term] = {}
    unknown: str = ""
    contradictory: bool = False
    does_not_fit: bool = False


def prefix_of(pointer: str) -> str:
    """The ledger's prefix for what is derived about the stage at this pointer."""
    return pointer.removeprefix("/run/")
