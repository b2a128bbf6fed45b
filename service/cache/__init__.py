"""Where encoded quotes are kept: in this process, and in a Redis that replicas share."""

from service.cache.connecting.address import InvalidRedisAddress, RedisAddress, redis_address
from service.cache.observing import (
    BREAKER_STATES,
    OPERATIONS,
    REASONS,
    RESULTS,
    TIERS,
    BreakerState,
    CacheObserver,
    Operation,
    Reason,
    Result,
    Tier,
)
from service.cache.tiers import Answer, CacheUnavailable, QuoteCache

__all__ = [
    "BREAKER_STATES",
    "OPERATIONS",
    "REASONS",
    "RESULTS",
    "TIERS",
    "Answer",
    "BreakerState",
    "CacheObserver",
    "CacheUnavailable",
    "InvalidRedisAddress",
    "Operation",
    "QuoteCache",
    "Reason",
    "RedisAddress",
    "Result",
    "Tier",
    "redis_address",
]
