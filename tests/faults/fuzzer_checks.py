"""A check for schemathesis, which loads this file: what may be answered under faults.

It writes down each request and its answer, so that requests can be mutated, and answers compared.
"""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import schemathesis

RECORD = Path(os.environ["FUZZER_RECORD"])


@schemathesis.check
def what_fails_says_when_to_come_again(ctx: Any, response: Any, case: Any) -> None:
    """Under faults no status of 500 or more is given but a 503 with Retry-After."""
    asked, status = response.request, response.status_code
    body = asked.body
    told = {
        "method": asked.method,
        "path": asked.path_url,
        "body": body.decode(errors="replace") if isinstance(body, bytes) else body,
        "status": status,
        "digest": sha256(response.content).hexdigest(),
        "edition": _edition(response) if (asked.method, status) == ("POST", 200) else None,
    }
    with RECORD.open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    if status >= 500 and not (status == 503 and "retry-after" in response.headers):
        raise AssertionError(f"answered {status} with {dict(response.headers)}")


def _edition(response: Any) -> str | None:
    """The edition of the catalog that an answer is of."""
    edition: str | None = response.json().get("catalog", {}).get("version")
    return edition
