"""The image: clean under hadolint, and confined in the ways that hadolint does not look at."""

import json
import re

import pytest

from tests.deploy.programs import DOCKERFILE, run

SHIPPED_STAGE = DOCKERFILE.read_text().rpartition("\nFROM ")[2]


def instruction(name: str) -> str:
    """The only instruction of this name in the stage that ships, its lines joined."""
    (found,) = re.findall(rf"^{name} ((?:.*\\\n)*.*)$", SHIPPED_STAGE, flags=re.MULTILINE)
    return str(found).replace("\\n\\\n", "\\n").replace("\\\n", "")


def test_hadolint_finds_nothing():
    outcome = run("hadolint", "--no-color", "--failure-threshold", "style", str(DOCKERFILE))
    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_it_runs_as_a_number_that_is_not_root():
    user, group = instruction("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD", "HEALTHCHECK"])
def test_nothing_starts_through_a_shell(name):
    options_and_command = instruction(name)
    words = json.loads(options_and_command[options_and_command.index("[") :])
    assert all(isinstance(word, str) for word in words)


def test_python_runs_isolated_from_its_environment():
    for name in ("ENTRYPOINT", "HEALTHCHECK"):
        assert '"/opt/runquote/bin/python", "-I"' in instruction(name)


def test_every_dependency_is_installed_by_hash():
    commands = DOCKERFILE.read_text().replace("\\\n", "").replace("&&", "\n").splitlines()
    installs = [command for command in commands if re.search(r"pip .*\binstall\b", command)]
    assert installs
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)
