"""Connections by TLS whose certificates are read once for all of them.

redis-py makes a context for each connection. That takes 90 ms of the event loop where the system's
authorities are read, within the time that a connection may take, so that a trusted server and an
untrusted one both looked like one that is late. It also trusts the system's authorities beside
those that it is given.
"""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.asyncio import SSLConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection

from service.cache.connecting.address import InvalidRedisAddress, RedisAddress


class Trust:
    """Whom we trust, and who we are. Raises InvalidRedisAddress for files that cannot be used."""

    def __init__(self, address: RedisAddress) -> None:
        self._authorities = address.ssl_ca_certs
        self._certificate = address.ssl_certfile
        self._key = address.ssl_keyfile
        try:
            self._changed_at = self._times()
            self.context = self._context()
        except OSError as error:
            raise InvalidRedisAddress(
                f"the certificates of the Redis address cannot be read: {error}"
            ) from error

    async def renew(self) -> None:
        """Read files that have changed. If they cannot be read now, the old ones stay in use."""
        with suppress(OSError):
            times = self._times()
            if times != self._changed_at:
                self.context = await asyncio.to_thread(self._context)
                self._changed_at = times

    def _times(self) -> tuple[int, ...]:
        files = (self._authorities, self._certificate, self._key)
        return tuple(Path(file).stat().st_mtime_ns for file in files if file)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._authorities)
        if self._certificate:
            context.load_cert_chain(self._certificate, self._key)
        return context


class TlsConnection(SSLConnection):
    """A connection that uses the certificates as they were read last."""

    def __init__(self, *, trust: Trust, **options: Any) -> None:
        super().__init__(**options)
        self._trust = trust

    async def connect(self) -> None:
        """Connect, if it is not connected."""
        self.ssl_context.context = self._trust.context
        await super().connect()  # type: ignore[no-untyped-call]


class ManagedTlsConnection(SentinelManagedSSLConnection):
    """The same, to the master that a Sentinel names."""

    def __init__(self, *, trust: Trust, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._trust = trust

    async def connect(self) -> None:
        """Connect, if it is not connected."""
        self.ssl_context.context = self._trust.context
        await super().connect()  # type: ignore[no-untyped-call]
