"""A balancer for tests: it asks replicas whether they are ready, and leads connections to those."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

EVERY_S: Final = 0.1
"""How often replicas are asked. Balancers ask each few seconds; a drain is so much shorter here."""


class Balancer:
    """Leads each connection to the ready replica that has the fewest."""

    def __init__(self) -> None:
        self.port = 0
        self._connections: dict[int, int] = {}
        self._ready: set[int] = set()
        self._stop: Callable[[], None] = lambda: None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def add(self, port: int) -> None:
        """Ask another replica from now on."""
        self._connections[port] = 0

    def is_ready(self, port: int) -> bool:
        """Whether a replica gets connections."""
        return port in self._ready

    def start(self) -> None:
        self._thread.start()
        self._listening.wait()

    def stop(self) -> None:
        self._stop()
        self._thread.join()

    async def _serve(self) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            loop.call_soon_threadsafe(ended.set)

        self._stop = stop
        async with await asyncio.start_server(self._lead, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            asking = loop.create_task(self._ask())
            self._listening.set()
            await ended.wait()
            asking.cancel()

    async def _ask(self) -> None:
        while True:
            for port in tuple(self._connections):
                ready = False
                with suppress(OSError, TimeoutError):
                    ready = await asyncio.wait_for(_says_ready(port), 1.0)
                (self._ready.add if ready else self._ready.discard)(port)
            await asyncio.sleep(EVERY_S)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = min(self._ready, key=lambda port: self._connections[port])
        self._connections[port] += 1
        try:
            onward, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_passed_on(reader, back), _passed_on(onward, writer))
        finally:
            self._connections[port] -= 1


async def _says_ready(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line.startswith(b"HTTP/1.1 200 ")


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All bytes of one side to the other, and then the end."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@contextmanager
def start_balancer() -> Iterator[Balancer]:
    """A balancer for the length of a `with`."""
    balancer = Balancer()
    balancer.start()
    try:
        yield balancer
    finally:
        balancer.stop()
