"""What the cache reports to an observer, in closed sets of words that can label a metric."""

from collections.abc import Mapping
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
Reason = Literal[
    "certificate",  # the server's certificate is not trusted, or is not of this host
    "cluster_down",  # the cluster says that it does not work, or not for this key
    "cut",  # the connection ended before the reply did
    "loading",  # the server still reads what it had on disk
    "moved",  # another server has this key, or is the master now
    "no_master",  # no Sentinel knows a master, or none answers
    "not_permitted",  # the user may not give this command or touch this key
    "not_redis",  # something else answers
    "out_of_memory",  # the server is full
    "own_limit",  # all connections that we allow ourselves are in use
    "password",  # user or password are wrong or missing
    "read_only",  # a replica, which takes no writes
    "refused",  # nothing listens there
    "refused_command",  # the server answered with an error
    "timeout",  # no answer in time
    "tls",  # TLS could not be agreed on
    "unknown_host",  # the name has no address
    "unreachable",  # the network does not lead there
    "wrong_type",  # something else than a string lies under the key
    "other",
]
BreakerState = Literal["closed", "open", "half_open"]

TIERS: tuple[Tier, ...] = get_args(Tier)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
RESULTS: tuple[Result, ...] = get_args(Result)
REASONS: tuple[Reason, ...] = get_args(Reason)
BREAKER_STATES: tuple[BreakerState, ...] = get_args(BreakerState)

UNTOLD: frozenset[Result] = frozenset(("timeout", "error", "open"))
"""Results of a get that leave open whether the bytes are there."""


class CacheObserver(Protocol):
    """Counts what the tiers do. It is called on the event loop and must neither wait nor raise."""

    def observe(self, tier: Tier, operation: Operation, result: Result) -> None:
        """One operation on one tier has ended with `result`."""

    def failed(self, reason: Reason) -> None:
        """A command gave nothing, or a probe found that a server does not work."""

    def breakers(self, states: Mapping[BreakerState, int]) -> None:
        """So many servers of the Redis have their breaker in each state. Never without a Redis."""


class Unobserved:
    """An observer that counts nothing."""

    def observe(self, tier: Tier, operation: Operation, result: Result) -> None:
        """Nobody counts."""

    def failed(self, reason: Reason) -> None:
        """Nobody counts."""

    def breakers(self, states: Mapping[BreakerState, int]) -> None:
        """Nobody counts."""
