"""Stands between a client and a real Redis, and does what networks do: TLS, cuts, delays."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator

import trustme

LONGEST_READ = 65_536


class Proxy:
    """Passes bytes on to a server of this machine, from a thread of its own."""

    def __init__(self, server_port: int, *, tls: ssl.SSLContext | None) -> None:
        self.port = 0
        self.cut_after: int | None = None
        """Bytes of replies after which a connection ends, in the middle of a reply if need be."""
        self.delay_s = 0.0
        """How long each piece of a reply is held back."""
        self._server_port = server_port
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listens = threading.Event()

    def start(self) -> None:
        self._thread.start()
        assert self._listens.wait(30), "the proxy listens"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda _loop, _context: None)  # cuts are on purpose
        listener = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        )
        self.port = listener.sockets[0].getsockname()[1]
        self._listens.set()
        self._loop.run_forever()
        listener.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            redis_reader, redis_writer = await asyncio.open_connection(
                "127.0.0.1", self._server_port
            )
            asking = asyncio.create_task(self._ask(reader, redis_writer))
            await self._reply(redis_reader, writer)
            asking.cancel()
            redis_writer.close()
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(LONGEST_READ):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await reader.read(LONGEST_READ):
            await asyncio.sleep(self.delay_s)
            if self.cut_after is not None and passed + len(piece) > self.cut_after:
                writer.write(piece[: max(self.cut_after - passed, 0)])
                await writer.drain()
                return
            passed += len(piece)
            writer.write(piece)
            await writer.drain()


@contextlib.contextmanager
def start_proxy(server_port: int, *, authority: trustme.CA | None = None) -> Iterator[Proxy]:
    """A proxy for the length of a `with`, with a certificate for localhost by an authority."""
    tls = None
    if authority is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(tls)
    proxy = Proxy(server_port, tls=tls)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
