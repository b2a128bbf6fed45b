"""Who asks: set by the edge for the length of a request, read wherever it matters.

It is a context variable, and no argument, so that no route can forget it: what is kept and what is
looked for belong to the caller, whatever way the request took.
"""

from contextvars import ContextVar
from typing import Final, Protocol

from msgspec import Struct


class QuotaExceeded(Exception):
    """A caller has asked for more than it may in this window"""

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class Account(Protocol):
    """What a caller may still ask for."""

    async def spend(self, cpu_s: float) -> None:
        """Count so much work. Raises `QuotaExceeded`, and then counts nothing."""


class Caller(Struct, frozen=True):
    """Who asks. An `owner` reads what it asked for and nothing else; "" stands for everybody."""

    name: str = ""
    owner: str = ""
    account: Account | None = None


NOBODY: Final = Caller()
"""The caller of a service without keys and quotas, and of the command line."""
CALLER: Final[ContextVar[Caller]] = ContextVar("caller", default=NOBODY)
SEPARATOR: Final = "."
"""Stands in no content id, so nobody can ask for another's answer by a made-up id."""


def owned(id: str) -> str:
    """Where the answer of this id is kept for the caller of this request."""
    owner = CALLER.get().owner
    return f"{id}{SEPARATOR}{owner}" if owner else id


async def spend(cpu_s: float) -> None:
    """Count work that is about to be done for the caller. Raises `QuotaExceeded`."""
    account = CALLER.get().account
    if account is not None:
        await account.spend(cpu_s)
