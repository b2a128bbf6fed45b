"""The servers of a Redis, each behind a breaker of its own: a lost one costs its own keys only."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from redis.exceptions import InvalidResponse, MovedError

from service.cache.breaker import Breaker
from service.cache.connecting.clients import Client
from service.cache.failures import Complaints, Failure, failure_of
from service.cache.key import KEY_SCHEMA
from service.cache.observing import BREAKER_STATES, BreakerState, CacheObserver, Operation, Result

PROBE_TIMEOUT_S: Final = 2.0
"""A probe delays no request. It may have to find a master or read a cluster's map first."""

_PROBE_KEY: Final = f"rq:{KEY_SCHEMA}:probe"


class Unanswered(Exception):
    """A command has no reply that could be used"""

    def __init__(self, result: Result) -> None:
        super().__init__(result)
        self.result = result


Told: TypeAlias = Callable[[bytes | Unanswered | None], None]
"""Takes a reply, or why there is none. None stands for a server that says to ask another one."""


def no_string() -> InvalidResponse:
    """A reply that is no string: Redis answers our commands with nothing else."""
    return InvalidResponse("the reply is no string")


class Server:
    """One server as requests see it: a breaker, and a bound on commands at once."""

    def __init__(self, name: str, breaker: Breaker, *, max_connections: int) -> None:
        self.name = name
        self.breaker = breaker
        self.connections = asyncio.Semaphore(max_connections)
        self.is_given_up = False
        """Whether the log says that it is not asked any more."""


class Servers:
    """Sends commands to the server that has their key, unless it does not work.

    `failures_to_open` failures in a row open the breaker of a server. It is probed each `pause_s`.
    """

    def __init__(
        self,
        client: Client,
        *,
        max_connections: int,
        failures_to_open: int,
        pause_s: float,
        observer: CacheObserver,
        log: Any,
    ) -> None:
        self._client = client
        self._max_connections = max_connections
        self._failures_to_open = failures_to_open
        self._pause_s = pause_s
        self._observer = observer
        self._log = log
        self._complaints = Complaints(log)
        self._servers: dict[str, Server] = {}
        self._server_of(_PROBE_KEY)

    async def start(self) -> None:
        """Connect, so that no request has to. A Redis that is away is connected to later."""
        with suppress(Exception):  # the servers that are known then say what is wrong
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._client.look_around()
        await asyncio.gather(*(self._begin(self._server(name)) for name in self._client.servers()))

    async def close(self) -> None:
        """Close the connections. A Redis that hangs delays this only briefly."""
        for server in tuple(self._servers.values()):
            await server.breaker.close()
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._client.close()
        except Exception as error:  # noqa: BLE001 - nobody can act on it any more
            self._log.info("cache_redis_close_failed", detail=failure_of(error).detail)

    @property
    def breaker_states(self) -> dict[str, BreakerState]:
        """The state of the breaker of each server."""
        return {server.name: server.breaker.state for server in self._servers.values()}

    def asks_for(self, key: str) -> bool:
        """Whether the server that has a key is asked now."""
        return self._server_of(key).breaker.is_closed

    def complain(self, event: str, *, reason: str, key: str, **facts: str | int) -> None:
        """Log what is wrong with a key, unless its like was logged just now."""
        name = self._client.server_of(key)
        self._complaints.make(event, server=name, reason=reason, key=key, **facts)

    async def command(
        self,
        operation: Operation,
        name: str,
        key: str,
        *arguments: str | bytes | int,
        deadline_s: float,
        takes_long: bool = False,
        redirects: int = 1,
    ) -> bytes:
        """The reply to one command. Raises `Unanswered`; breaker, metrics and log then know why."""
        server = self._server_of(key)
        if not server.breaker.is_closed:
            raise Unanswered("open")
        try:
            reply = await self._execute(
                server, name, key, *arguments, deadline_s=deadline_s, takes_long=takes_long
            )
        except Exception as error:  # noqa: BLE001 - fail open: whatever went wrong is no reply
            failure = failure_of(error)
            if isinstance(error, MovedError) and redirects:
                server.breaker.succeeded()
                self._client.follow(error, asked=server.name)
                return await self.command(
                    operation,
                    name,
                    key,
                    *arguments,
                    deadline_s=deadline_s,
                    takes_long=takes_long,
                    redirects=redirects - 1,
                )
            self._failed(server, failure, operation=operation)
            raise Unanswered(failure.result) from None
        server.breaker.succeeded()
        return reply

    async def _execute(
        self,
        server: Server,
        *command: str | bytes | int,
        deadline_s: float,
        takes_long: bool = False,
    ) -> bytes:
        # When the deadline cancels a command, its connection takes no more commands.
        async with asyncio.timeout(deadline_s), server.connections:
            reply = await self._client.execute(server.name, *command, takes_long=takes_long)
        if not isinstance(reply, bytes):
            raise no_string()
        return reply

    def ask_now(
        self, operation: Operation, packed: bytes, key: str, *, deadline_s: float, told: Told
    ) -> bool:
        """Send a command without a task, if its server works and is connected. Otherwise False.

        `told` is given the reply, or why there is none. Breaker, metrics and log know it too.
        """
        server = self._server_of(key)
        line = self._client.line_to(server.name) if server.breaker.is_closed else None
        if line is None:
            return False
        take = partial(self._take, told, server, operation)
        line.ask(packed, take, within_s=deadline_s)
        return True

    def _take(self, told: Told, server: Server, operation: Operation, reply: Any) -> None:
        if isinstance(reply, bytes):
            server.breaker.succeeded()
            told(reply)
        else:
            told(self._without_value(server, reply, operation=operation))

    def _without_value(
        self, server: Server, reply: Any, *, operation: Operation
    ) -> Unanswered | None:
        """Why a reply has no value that could be used. None if another server is to be asked."""
        if isinstance(reply, MovedError):
            server.breaker.succeeded()
            self._client.follow(reply, asked=server.name)
            return None
        failure = failure_of(reply if isinstance(reply, Exception) else no_string())
        self._failed(server, failure, operation=operation)
        return Unanswered(failure.result)

    def _server_of(self, key: str) -> Server:
        return self._server(self._client.server_of(key))

    def _server(self, name: str) -> Server:
        known = self._servers.get(name)
        if known is not None:
            return known
        breaker = Breaker(
            failures_to_open=self._failures_to_open,
            pause_s=self._pause_s,
            probe=lambda: self._works(server),
            moved=lambda state: self._breaker_moved(server, state),
        )
        server = Server(name, breaker, max_connections=self._max_connections)
        self._servers[name] = server
        self._forget_the_gone()
        return server

    async def _begin(self, server: Server) -> None:
        """Connect to a server. If it does not work, no request asks it until it does."""
        failure = await self._trouble(server)
        if failure is not None:
            server.breaker.open()
            self._give_up(server, failure)

    async def _works(self, server: Server) -> bool:
        """Whether a server works, or has no part in this Redis any more, so that nobody asks it."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._client.look_around()
        except Exception as error:  # noqa: BLE001 - whatever it is, no server works
            self._note(server, failure_of(error), operation="probe")
            return False
        return not self._client.knows(server.name) or await self._trouble(server) is None

    async def _trouble(self, server: Server) -> Failure | None:
        """Why a server does not answer the command of a request. None if it answers.

        A refusal counts as an answer.
        """
        probe = ("GETRANGE", _PROBE_KEY, 0, 0)
        try:
            await self._execute(server, *probe, deadline_s=PROBE_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server does not work
            failure = failure_of(error)
            if failure.is_outage:
                self._note(server, failure, operation="probe")
                return failure
        return None

    def _failed(self, server: Server, failure: Failure, *, operation: Operation) -> None:
        """A command to a server failed: count it, log it, and give the server up in time."""
        self._note(server, failure, operation=operation)
        if not failure.is_outage:
            server.breaker.succeeded()
        elif server.breaker.failed():
            self._give_up(server, failure)

    def _note(self, server: Server, failure: Failure, *, operation: str) -> None:
        self._observer.failed(failure.reason)
        self._complaints.make(
            "cache_redis_failed",
            server=server.name,
            reason=failure.reason,
            operation=operation,
            detail=failure.detail,
        )

    def _give_up(self, server: Server, failure: Failure) -> None:
        server.is_given_up = self._complaints.make(
            "cache_redis_unavailable",
            server=server.name,
            reason=failure.reason,
            detail=failure.detail,
        )

    def _breaker_moved(self, server: Server, state: BreakerState) -> None:
        self._servers[server.name] = server
        if state == "closed" and server.is_given_up:
            server.is_given_up = False
            self._log.info("cache_redis_recovered", server=server.name)
        self._forget_the_gone()

    def _forget_the_gone(self) -> None:
        """Let go of servers that have no part in this Redis any more, and count the others."""
        for name, server in tuple(self._servers.items()):
            if server.breaker.is_closed and not self._client.knows(name):
                del self._servers[name]
        states = Counter(server.breaker.state for server in self._servers.values())
        self._observer.breakers({state: states[state] for state in BREAKER_STATES})
