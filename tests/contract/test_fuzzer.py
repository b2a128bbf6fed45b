"""A fuzzer that believes the contract finds nothing: all phases, all checks, the same cases."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract.document import closed_document, document
from tests.server import Service, start_service

ALL_PHASES = "examples,coverage,fuzzing,stateful"
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
    least_cases: int,
    phases: str = ALL_PHASES,
) -> None:
    """Run the fuzzer. Fails the test on any finding, and if it made fewer cases."""
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
    assert int(generated) >= least_cases


FEW: Final = ("--max-examples=12",)
"""As many cases of each operation as there is time for before every push."""
MANY: Final = ("--max-examples=60",)


@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize(
    ("phases", "options", "least"),
    [
        ("fuzzing", FEW, 12),
        pytest.param("examples,coverage", MANY, 2000, marks=pytest.mark.exhaustive),
        pytest.param("fuzzing,stateful", MANY, 50, marks=pytest.mark.exhaustive),
    ],
)
def test_the_fuzzer_finds_nothing_in_quotes_of_known_names(
    service, tmp_path, phases, options, least
):
    contract = closed_document(most_names=MOST_NAMES)
    only = "--include-path-regex=^/quote(/.id.*)?$"
    fuzz(service, tmp_path, only, *options, contract=contract, phases=phases, least_cases=least)


@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize(
    ("phases", "options", "least"),
    [
        ("examples,fuzzing", FEW, 40),
        pytest.param("examples,fuzzing,stateful", MANY, 50, marks=pytest.mark.exhaustive),
    ],
)
def test_the_fuzzer_finds_nothing_in_claims_and_in_questions_about_quotes(
    service, tmp_path, phases, options, least
):
    """Without the phase `coverage`: they are made of the parts of a quote, covered above."""
    contract = closed_document(most_names=MOST_NAMES)
    only = "--include-path-regex=^/(claim|quote/(diff|batch)|reconcile)"
    fuzz(service, tmp_path, only, *options, contract=contract, phases=phases, least_cases=least)


@pytest.mark.timeout(LONGEST_S)
def test_the_fuzzer_finds_nothing_in_decisions(service, tmp_path):
    """Few cases: each is many quotes, and the parts of its request are covered above."""
    contract = closed_document(most_names=MOST_NAMES)
    only = ("--include-path-regex=^/(compare|solve)", f"--max-examples={FEW_DECISIONS}")
    fuzz(service, tmp_path, *only, contract=contract, phases="examples,fuzzing", least_cases=20)


@pytest.mark.exhaustive
@pytest.mark.timeout(LONGEST_S)
def test_the_fuzzer_finds_nothing_in_everything_else_by_known_names(service, tmp_path):
    contract = closed_document(most_names=MOST_NAMES)
    others = "--exclude-path-regex=^/(quote|claim|compare|solve|reconcile)"
    fuzz(service, tmp_path, others, contract=contract, least_cases=1000)


@pytest.mark.exhaustive
@pytest.mark.timeout(LONGEST_S)
def test_what_the_published_contract_calls_valid_is_refused_for_unknown_names_only(
    service, tmp_path
):
    """Here the fuzzer makes names up; a check of our own says what may be said of them."""
    contract = copy.deepcopy(document())
    options = ("--exclude-checks=positive_data_acceptance", f"--max-examples={FEW_EXAMPLES}")
    fuzz(service, tmp_path, *options, contract=contract, phases="examples,fuzzing", least_cases=200)
