"""The end of a server that loses no request: it says so, accepts what has come, and finishes."""

import asyncio
import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
from typing import Final

import structlog
import uvicorn
from prometheus_client import Histogram

from service.lifecycle import Lifecycle
from service.serving.guard import GuardState
from service.serving.protocol import GuardedProtocol

log = structlog.get_logger("runquote")

ATTACH_FILTER: Final = 26
"""SO_ATTACH_FILTER of Linux, which Python does not name."""
SYN_DROPPING: Final = (
    (0x30, 0, 0, 13),  # load the byte of the TCP flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # if it is SYN alone, go on; otherwise skip one
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # accept
)
"""A classic BPF program: no new handshake begins, and those under way are finished."""
HANDSHAKES_S: Final = 0.1
"""Time for handshakes that are under way."""
TICK_S: Final = 0.1
"""The pause between two ticks of uvicorn."""
POLL_S: Final = 0.05


class GuardedServer(uvicorn.Server):
    """uvicorn's server, with limits on its connections and an orderly end."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        state: GuardState,
        lifecycle: Lifecycle,
        drain_s: float,
        loop_lag: Histogram,
        beside: uvicorn.Config | None = None,
    ) -> None:
        super().__init__(config)
        self.server_state: GuardState = state
        self._lifecycle = lifecycle
        self._drain_s = drain_s
        self._loop_lag = loop_lag
        self._ticked_at: float | None = None
        self._beside = beside
        """Another application, on a listener of its own."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that no more is taken, take what has come, finish it, and end with status 0.

        1. `/readyz` answers 503, and each answer ends its connection. Idle connections stay open.
        2. Requests are taken for some seconds more, until balancers have noticed.
        3. No new handshake begins. Connections that wait in the kernel are accepted.
        4. The listeners close. Requests under way are finished, within the time for a shutdown.
        """
        self._lifecycle.draining = self.server_state.draining = True
        log.info("draining", connections=len(self.server_state.connections))
        for connection in list(self.server_state.connections):
            connection.drain()  # type: ignore[union-attr]
        if not self._told_twice():
            await self._take_for(self._drain_s)
            await self._take_what_waits()
        for server in self.servers:
            server.close()
        await self._finish(self.config.timeout_graceful_shutdown or 0)
        await super().shutdown(sockets)
        self._captured_signals.clear()

    async def on_tick(self, counter: int) -> bool:
        """Observe how late the tick is, and do what is done at every tick."""
        now = asyncio.get_running_loop().time()
        if self._ticked_at is not None:
            self._loop_lag.observe(max(now - self._ticked_at - TICK_S, 0.0))
        self._ticked_at = now
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen. From now on a SIGHUP asks for the catalog to be read again."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hung_up)
        await super().startup(sockets)
        if self._beside is not None and not self.should_exit:
            await self._listen_beside(self._beside)
        size = self.server_state.limits.send_buffer_bytes
        with contextlib.ExitStack() as stack:
            for one in self._listeners(stack):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        leave_to_the_process()

    async def _listen_beside(self, config: uvicorn.Config) -> None:
        """Serve another application within the same limits."""
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: GuardedProtocol(config, self.server_state, {}, loop),
            host=config.host,
            port=config.port,
            backlog=config.backlog,
        )
        self.servers.append(server)
        port = server.sockets[0].getsockname()[1]
        log.info("metrics listener", host=config.host, port=port)

    def _hung_up(self) -> None:
        """A SIGHUP asks for the catalog to be read again."""
        self._lifecycle.reload()

    def _told_twice(self) -> bool:
        """Whether a second signal, or a person at a terminal, asks for a quick end."""
        return (
            self.force_exit
            or signal.SIGINT in self._captured_signals
            or len(self._captured_signals) > 1
        )

    async def _take_for(self, seconds: float) -> None:
        """Go on as before for some seconds, or until told again."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(POLL_S)
            if self._told_twice():
                return

    async def _take_what_waits(self) -> None:
        """Let no handshake begin, and wait until no connection waits to be accepted."""
        with contextlib.ExitStack() as stack:
            waiting = select.poll()
            for one in filter(stop_handshakes, self._listeners(stack)):
                waiting.register(one, select.POLLIN)
            await asyncio.sleep(HANDSHAKES_S)
            while waiting.poll(0):
                await asyncio.sleep(0)
                if self._told_twice():
                    return

    def _listeners(self, stack: contextlib.ExitStack) -> list[socket.socket]:
        """The listening sockets, under file descriptors that the stack closes."""
        own = (one for server in self.servers for one in server.sockets)
        return [stack.enter_context(socket.socket(fileno=os.dup(one.fileno()))) for one in own]

    async def _finish(self, seconds: float) -> None:
        """Wait for requests under way, and for idle connections to end by themselves."""
        end = asyncio.get_running_loop().time() + seconds
        while self.server_state.connections and not self._told_twice():
            if asyncio.get_running_loop().time() >= end:
                return
            await asyncio.sleep(POLL_S)


def leave_to_the_process() -> None:
    """Let the collector of cycles pass over what is there now, which lasts as long as the process.

    Catalog and code are over 100,000 objects. All requests wait some 100 ms for a look at them.
    The collector is off while the service starts, and goes on from here.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def stop_handshakes(listener: socket.socket) -> bool:
    """Let a listener answer no new handshake. False where the kernel cannot or may not."""
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return False
    program = b"".join(struct.pack("HBBI", *one) for one in SYN_DROPPING)
    kept = ctypes.create_string_buffer(program)
    fprog = struct.pack("HP", len(SYN_DROPPING), ctypes.addressof(kept))
    try:
        listener.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, fprog)
    except OSError as error:
        log.warning("handshakes go on while draining", error=str(error))
        return False
    return True
