"""A fuzzer that believes the contract finds nothing: all phases, all checks, the same cases."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.document import closed_document, document
from tests.server import Service, start_service

ALL_PHASES = "examples,coverage,fuzzing,stateful"
CLAIM_PHASES = "examples,fuzzing,stateful"
LEAST_CASES = {
    CLAIM_PHASES: 50,
    "examples,coverage": 2000,
    "fuzzing,stateful": 50,
    "examples,fuzzing": 200,
    ALL_PHASES: 1000,
    "decisions": 20,
}
LONGEST_S = 1200
"""Of a fuzzer beside others on a busy machine: it is only to end one that hangs."""
PATIENCE_S = 90
"""How long one answer may take there."""
FEW_EXAMPLES = 20
FEW_DECISIONS = 15
MOST_NAMES = 5
"""Of each kind that the fuzzer tries; that every offer can be quoted is tested one by one."""

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
OWN_CHECKS = Path(__file__).with_name("fuzzer_checks.py")


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def without_order(contract: dict[str, Any]) -> dict[str, Any]:
    """The contract without names in `after`: they are those of the run's own stages.

    No schema can say so, and a name that is not is refused.
    """
    contract["components"]["schemas"]["Stage"]["properties"]["after"]["maxItems"] = 0
    return contract


def fuzz(
    service: Service,
    directory: Path,
    *options: str,
    contract: dict[str, Any],
    phases: str = ALL_PHASES,
) -> int:
    """Run the fuzzer; how many cases it made. Fails the test on any finding."""
    file = directory / "openapi.json"
    file.write_text(json.dumps(without_order(contract)))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={CONFIGURATION}",
            "run",
            str(file),
            f"--url={service.url}",
            f"--phases={phases}",
            "--checks=all",
            f"--request-timeout={PATIENCE_S}",
            f"--max-response-time={PATIENCE_S}",
            "--no-color",
            *options,
        ],
        capture_output=True,
        check=False,
        text=True,
        cwd=directory,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(OWN_CHECKS)},
        timeout=LONGEST_S,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-400_000:]
    (generated,) = re.findall(r"(\d+) generated", said)[:1]
    return int(generated)


@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize(
    "phases",
    [pytest.param("examples,coverage", marks=pytest.mark.exhaustive), "fuzzing,stateful"],
)
def test_the_fuzzer_finds_nothing_in_quotes_of_known_names(service, tmp_path, phases):
    contract = closed_document(most_names=MOST_NAMES)
    only = "--include-path-regex=^/quote(/.id.*)?$"
    cases = fuzz(service, tmp_path, only, contract=contract, phases=phases)
    assert cases >= LEAST_CASES[phases]


@pytest.mark.timeout(LONGEST_S)
def test_the_fuzzer_finds_nothing_in_claims_and_in_questions_about_quotes(service, tmp_path):
    """Without the phase `coverage`: they are made of the parts of a quote, covered above."""
    contract = closed_document(most_names=MOST_NAMES)
    only = "--include-path-regex=^/(claim|quote/(diff|batch)|reconcile)"
    cases = fuzz(service, tmp_path, only, contract=contract, phases=CLAIM_PHASES)
    assert cases >= LEAST_CASES[CLAIM_PHASES]


@pytest.mark.timeout(LONGEST_S)
def test_the_fuzzer_finds_nothing_in_decisions(service, tmp_path):
    """Few cases: each is many quotes, and the parts of its request are covered above."""
    contract = closed_document(most_names=MOST_NAMES)
    only = ("--include-path-regex=^/(compare|solve)", f"--max-examples={FEW_DECISIONS}")
    cases = fuzz(service, tmp_path, *only, contract=contract, phases="examples,fuzzing")
    assert cases >= LEAST_CASES["decisions"]


@pytest.mark.exhaustive
@pytest.mark.timeout(LONGEST_S)
def test_the_fuzzer_finds_nothing_in_everything_else_by_known_names(service, tmp_path):
    contract = closed_document(most_names=MOST_NAMES)
    others = "--exclude-path-regex=^/(quote|claim|compare|solve|reconcile)"
    cases = fuzz(service, tmp_path, others, contract=contract)
    assert cases >= LEAST_CASES[ALL_PHASES]


@pytest.mark.exhaustive
@pytest.mark.timeout(LONGEST_S)
def test_what_the_published_contract_calls_valid_is_refused_for_unknown_names_only(
    service, tmp_path
):
    """Here the fuzzer makes names up; a check of our own says what may be said of them."""
    contract = copy.deepcopy(document())
    options = ("--exclude-checks=positive_data_acceptance", f"--max-examples={FEW_EXAMPLES}")
    cases = fuzz(service, tmp_path, *options, contract=contract, phases="examples,fuzzing")
    assert cases >= LEAST_CASES["examples,fuzzing"]
