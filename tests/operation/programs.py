"""Prometheus and its tools: those of the machine, or what toolchain.sh has fetched."""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.deploy.programs import RULES, TOP
from tests.redis_server import unused_port

FETCHED = TOP / ".cache" / "operation" / "usr" / "bin"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
START_TIMEOUT_S = 60.0


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(FETCHED))
    assert found, f"{name} is not here: run tests/operation/toolchain.sh"
    return found


def told(name: str, *arguments: str | Path, cwd: Path = TOP) -> str:
    """What a program says, once it has ended well."""
    done = subprocess.run(
        [program(name), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def quickened(rules: Path = RULES, *, windows: int = 60, holds: int = 120) -> str:
    """The rules in a world that turns faster: windows and delays are so much shorter."""

    def shorter(found: re.Match[str]) -> str:
        return f"[{max(int(found[1]) * SECONDS[found[2]] // windows, 4)}s]"

    made = yaml.safe_load(rules.read_text())
    for group in made["groups"]:
        group["interval"] = "500ms"
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"\[(\d+)([smhd])\]", shorter, rule["expr"])
            if "for" in rule:
                number, unit = re.fullmatch(r"(\d+)([smhd])", rule["for"]).groups()  # type: ignore[union-attr]
                rule["for"] = f"{max(int(number) * SECONDS[unit] // holds, 1)}s"
    return yaml.safe_dump(made)


class Prometheus:
    """A Prometheus that scrapes twice a second."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0)

    def ready(self) -> bool:
        return self._client.get("/-/ready").status_code == 200

    def asked(self, path: str, **query: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=query).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def firing(self) -> set[str]:
        alerts = self.asked("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def fires(self, names: set[str], *, within_s: float) -> set[str]:
        """Those of these alerts that have not fired when the time is over."""
        left = set(names)
        deadline = time.monotonic() + within_s
        while left and time.monotonic() < deadline:
            left -= self.firing()
            time.sleep(0.5)
        return left

    def scrapes(self, targets: list[str]) -> bool:
        """Whether each target has been scraped, and the rules have been evaluated since then.

        A Prometheus looks for its targets only seconds after it is ready. Until then it says,
        rightly, that it knows none: the alert on that goes with the first evaluation afterwards.
        """
        scraped = {one["metric"]["instance"] for one in self.asked("query", query="up")["result"]}
        return scraped >= set(targets) and "RunquoteGone" not in self.firing()


@contextlib.contextmanager
def start_prometheus(directory: Path, targets: list[str]) -> Iterator[Prometheus]:
    """A Prometheus that scrapes these targets, with the rules quickened, until the `with` ends."""
    (directory / "rules.yml").write_text(quickened())
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "runquote", "static_configs": [{"targets": targets}]}],
    }
    config["global"]["evaluation_interval"] = "500ms"  # type: ignore[index]
    (directory / "prometheus.yml").write_text(json.dumps(config))
    port = unused_port()
    with subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=(directory / "log").open("wb"),
    ) as process:
        prometheus = Prometheus(port)
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(httpx.TransportError):
                    if prometheus.ready() and prometheus.scrapes(targets):
                        break
                time.sleep(0.1)
            else:
                raise AssertionError((directory / "log").read_text())
            yield prometheus
        finally:
            process.terminate()
