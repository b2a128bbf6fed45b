"""What was solved for, exactly as the contract prints it."""

from typing import Literal, TypeAlias

from msgspec import UNSET, Raw, UnsetType

from service.core.answer.base import Answer
from service.core.answer.bills import BreakEven
from service.core.answer.comparison import CandidateCost, CandidateLevels, OrderedCluster
from service.core.answer.quote import CatalogStamp, EngineStamp

What: TypeAlias = Literal["price", "tokens", "model", "devices", "owning"]
SolutionStatus: TypeAlias = Literal["solved", "unbounded", "infeasible"]


class Tried(Answer, frozen=True, kw_only=True):
    """A value that was looked at, what the run comes to with it, and whether it keeps the limits.

    Without a cost or hours, it has none: `detail` says why.
    """

    value: float | UnsetType = UNSET
    name: str | UnsetType = UNSET
    keeps: bool
    cost: CandidateCost | UnsetType = UNSET
    wall_clock_hours: CandidateLevels | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class Solution(Answer, frozen=True, kw_only=True):
    """The number that was asked for, and what the run comes to with it.

    `solved`: there is one. `infeasible`: no value keeps the limits. `unbounded`: every value does.
    `quote` is the request of the quote that has these amounts, to the cent. `wasteful` are numbers
    of devices that take as long as a smaller one that was looked at.
    """

    id: str
    issued_at: str
    valid_until: str
    engine: EngineStamp
    catalog: CatalogStamp
    request: Raw
    find: What
    status: SolutionStatus
    detail: str
    usd_per_device_hour: float | UnsetType = UNSET
    tokens: float | UnsetType = UNSET
    model: str | UnsetType = UNSET
    devices: float | UnsetType = UNSET
    rental: OrderedCluster | UnsetType = UNSET
    break_even: BreakEven | UnsetType = UNSET
    cost: CandidateCost | UnsetType = UNSET
    wall_clock_hours: CandidateLevels | UnsetType = UNSET
    quote: Raw | UnsetType = UNSET
    tried: tuple[Tried, ...] = ()
    wasteful: tuple[float, ...] = ()
