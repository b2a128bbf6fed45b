"""The same question gets the same bytes on any processor.

Libraries choose instructions by the processor that they find, and those differ in the last digit of
a logarithm or of a long sum. The choice is forced here to what an older processor would get.
"""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from service.api.contract.examples import REQUESTS
from service.local import quote_bytes


def answers() -> list[str]:
    """Of the examples, in their order."""
    return [quote_bytes(msgspec.json.encode(example.request)).decode() for example in REQUESTS]


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3"},
        {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX2_Usable"},
    ],
    ids=["other instructions in linear algebra", "other instructions in logarithms"],
)
def test_another_processor_answers_with_the_same_bytes(environment):
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    for example, here, elsewhere in zip(REQUESTS, answers(), json.loads(done.stdout), strict=True):
        assert elsewhere == here, example.name


if __name__ == "__main__":
    json.dump(answers(), sys.stdout)
