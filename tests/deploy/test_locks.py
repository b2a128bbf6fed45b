"""The locks: every package by version and hash, and no word on where to get it."""

import json
import re

import pytest

from tests.deploy.programs import TOP

LOCKS = sorted((TOP / "requirements").glob("*.txt"))
NPM_LOCK = TOP / "tests" / "contract" / "lint" / "package-lock.json"
PINNED = re.compile(r"^(?P<package>[a-z0-9.-]+)(?:\[[a-z,]+\])?==(?P<version>\S+)(?: ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(name: str) -> dict[str, str]:
    """The version of each package in a lock."""
    lines = (TOP / "requirements" / name).read_text().splitlines()
    return {
        found["package"]: found["version"] for line in lines if (found := PINNED.fullmatch(line))
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_versions_and_hashes_and_nothing_else(lock):
    lines = lock.read_text().splitlines()
    assert lines
    assert [line for line in lines if not (PINNED.match(line) or HASH.match(line))] == []


def test_what_is_developed_with_is_what_runs():
    assert pins("dev.txt").items() >= pins("run.txt").items() | pins("build.txt").items()


def test_the_npm_lock_holds_hashes_and_no_address():
    packages = json.loads(NPM_LOCK.read_text())["packages"]
    installed = {path: package for path, package in packages.items() if path}
    assert all("integrity" in package for package in installed.values())
    assert not any("resolved" in package for package in installed.values())
    assert "://" not in NPM_LOCK.read_text()
