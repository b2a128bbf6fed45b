"""A fuzzer that believes the contract finds nothing: all phases, all checks, the same cases."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.api.contract import known_names
from tests.contract.document import catalog, document
from tests.server import Service, start_service

ALL_PHASES = "examples,coverage,fuzzing,stateful"
LEAST_CASES = {"examples,coverage": 2000, "fuzzing,stateful": 50, ALL_PHASES: 1000}
LONGEST_S = 540
MOST_NAMES = 5
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def thinned(contract: dict[str, Any]) -> dict[str, Any]:
    """The contract with a sample of each long list of known names; what is left stays valid.

    The fuzzer tries every name wherever it may stand, and there are over a thousand offers; that
    each of them can be quoted is tested one by one. It cannot know that `after` takes the names of
    the run's own stages, which no schema can say: it leaves those lists empty.
    """
    contract = copy.deepcopy(contract)
    contract["components"]["schemas"]["Stage"]["properties"]["after"]["maxItems"] = 0
    lists = [contract["components"]["schemas"][name] for name in known_names(catalog())]
    for item in contract["paths"].values():
        for operation in item.values():
            lists += [one["schema"] for one in operation["parameters"] if "schema" in one]
    for schema in lists:
        if names := schema.get("enum"):
            schema["enum"] = names[:: -(-len(names) // MOST_NAMES)]
    return contract


def fuzz(service: Service, directory: Path, *options: str, phases: str = ALL_PHASES) -> int:
    """Run the fuzzer; how many cases it made. Fails the test on any finding."""
    contract = directory / "openapi.json"
    contract.write_text(json.dumps(thinned(document())))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={CONFIGURATION}",
            "run",
            str(contract),
            f"--url={service.url}",
            f"--phases={phases}",
            "--checks=all",
            "--no-color",
            *options,
        ],
        capture_output=True,
        check=False,
        text=True,
        cwd=directory,
        timeout=LONGEST_S,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-20_000:]
    (generated,) = re.findall(r"(\d+) generated", said)[:1]
    return int(generated)


@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
def test_the_fuzzer_finds_nothing_in_quotes(service, tmp_path, phases):
    cases = fuzz(service, tmp_path, "--include-path-regex=^/quote", phases=phases)
    assert cases >= LEAST_CASES[phases]


@pytest.mark.timeout(LONGEST_S)
def test_the_fuzzer_finds_nothing_in_everything_else(service, tmp_path):
    cases = fuzz(service, tmp_path, "--exclude-path-regex=^/quote")
    assert cases >= LEAST_CASES[ALL_PHASES]
