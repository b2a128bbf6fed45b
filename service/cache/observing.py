"""What the cache reports to an observer, in closed sets of words that can label a metric."""

from typing import Literal, Protocol, get_args

Tier = Literal["memory", "redis"]
Operation = Literal["get", "put"]
Result = Literal[
    "hit",  # get: the bytes were there
    "miss",  # get: they were not
    "stored",  # put: the tier took them
    "oversized",  # larger than the tier keeps
    "invalid",  # get: something else lies under the key
    "unauthentic",  # get: what lies under the key is not signed with our secret
    "timeout",  # no answer in time
    "error",  # refused, unreachable, or answered with an error
    "open",  # not asked, because the breaker is open
    "dropped",  # put: too many stores were already under way
]
BreakerState = Literal["closed", "open", "half_open"]

TIERS: tuple[Tier, ...] = get_args(Tier)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
RESULTS: tuple[Result, ...] = get_args(Result)
BREAKER_STATES: tuple[BreakerState, ...] = get_args(BreakerState)

UNTOLD: frozenset[Result] = frozenset(("timeout", "error", "open"))
"""Results of a get that leave open whether the bytes are there."""


class CacheObserver(Protocol):
    """Counts what the tiers do. It is called on the event loop and must neither wait nor raise."""

    def observe(self, tier: Tier, operation: Operation, result: Result) -> None:
        """One operation on one tier has ended with `result`."""

    def breaker_state(self, state: BreakerState) -> None:
        """The breaker before Redis is now in `state`. Never called without a Redis."""


class Unobserved:
    """An observer that counts nothing."""

    def observe(self, tier: Tier, operation: Operation, result: Result) -> None:
        """Nobody counts."""

    def breaker_state(self, state: BreakerState) -> None:
        """Nobody counts."""
