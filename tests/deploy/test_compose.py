"""The compose file: one that Compose reads, with services that can do little beyond their work."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis
import yaml
from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from service.access.shared_counts import SharedCounts
from service.cache.connecting.clients import Commands, OneServer
from service.settings import load_settings
from tests.deploy.programs import COMPOSE_FILE, PROMETHEUS_CONFIG, run
from tests.redis_server import server_binary

PASSWORD = "correcthorse"
KEY = "rq:4:q_0123456789abcdef"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project as Compose understands it, every default and reference resolved."""
    outcome = run(
        "docker-compose", "-f", str(COMPOSE_FILE), "config", "--format", "json",
        REDIS_PASSWORD=PASSWORD, HOME=os.devnull,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


@pytest.fixture
def cache(project) -> Iterator[redis.Redis]:
    """The service's way into a server that runs on the configuration in the compose file."""
    with TemporaryDirectory(prefix="redis-") as name:
        directory = Path(name)
        own = "\nport 0\nunixsocket redis.sock\n"
        (directory / "redis.conf").write_text(project["configs"]["redis"]["content"] + own)
        with subprocess.Popen(
            [server_binary(), "redis.conf"], cwd=directory, stdout=subprocess.DEVNULL
        ) as process:
            try:
                while not (directory / "redis.sock").exists():
                    assert process.poll() is None, "the server takes its configuration"
                    time.sleep(0.01)
                yield client(directory, "runquote")
            finally:
                process.terminate()


def client(directory: Path, user: str) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(directory / "redis.sock"),
        username=user,
        password=PASSWORD,
        protocol=2,
        driver_info=None,
    )


def test_the_password_must_be_chosen():
    outcome = run("docker-compose", "-f", str(COMPOSE_FILE), "config", HOME=os.devnull)
    assert outcome.returncode != 0
    assert "REDIS_PASSWORD" in outcome.stderr


def test_every_service_is_confined(project):
    for name, service in project["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) <= 512 * 2**20, name
        assert service["pids_limit"] <= 100, name
        assert service.get("user", "65532").partition(":")[0] != "0", name


def test_ports_are_open_to_this_machine_only_and_the_cache_to_nobody_outside(project):
    services = project["services"]
    assert {port["host_ip"] for each in services.values() for port in each.get("ports", ())} == {
        "127.0.0.1"
    }
    assert "ports" not in services["redis"]
    assert set(services["redis"]["networks"]) == {"cache"}
    assert project["networks"]["cache"]["internal"]


def test_quotes_do_not_wait_for_the_cache(project):
    assert "depends_on" not in project["services"]["quotes"]


def test_the_service_takes_the_settings_it_is_given(project):
    settings = load_settings(project["services"]["quotes"]["environment"])
    assert settings.redis_url == f"redis://runquote:{PASSWORD}@redis:6379/0"
    assert settings.open or settings.keys_file


def test_prometheus_scrapes_the_service_where_it_listens(project):
    scrapes = yaml.safe_load(PROMETHEUS_CONFIG.read_text())["scrape_configs"]
    targets = {each["job_name"]: each["static_configs"][0]["targets"] for each in scrapes}
    settings = load_settings(project["services"]["quotes"]["environment"])
    assert targets["runquote"] == [f"quotes:{settings.metrics_port}"]
    assert project["services"]["quotes"]["ports"][0]["target"] == 8000


def test_the_cache_lets_the_service_keep_and_find_its_quotes(cache):
    assert cache.set(KEY, b"bytes", ex=60)
    assert cache.get(KEY) == b"bytes"
    assert cache.execute_command("GETRANGE", KEY, 0, 0) == b"b"


async def counted(path: str) -> list[bool]:
    """Whether two charges of 600 fit into a quota of 1,000, counted as the service counts."""
    counts = SharedCounts("redis://127.0.0.1:1", timeout_s=10.0)
    server = Redis(unix_socket_path=path, username="runquote", password=PASSWORD, protocol=2)
    client = counts._scripts._client
    assert isinstance(client, OneServer)
    client._commands = Commands(server)
    limiter = SlidingWindowCounterRateLimiter(counts)
    came = [await limiter.hit(RateLimitItemPerMinute(1000), "a", cost=600) for _ in range(2)]
    await counts.get_sliding_window("a", 60)
    await counts.close()
    return came


def test_the_cache_lets_the_service_count(cache):
    assert asyncio.run(counted(cache.connection_pool.connection_kwargs["path"])) == [True, False]


@pytest.mark.parametrize(
    "command", [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("GET", "another:key")]
)
def test_the_cache_lets_the_service_do_nothing_else(cache, command):
    with pytest.raises(redis.exceptions.NoPermissionError):
        cache.execute_command(*command)


def test_the_cache_lets_nobody_in_without_a_name(cache):
    path = cache.connection_pool.connection_kwargs["path"]
    anybody = redis.Redis(unix_socket_path=path, protocol=2, driver_info=None)
    with pytest.raises(redis.exceptions.AuthenticationError):
        anybody.get(KEY)
