"""A check of our own for the fuzzer, which loads this file: why valid data may be refused."""

from typing import Any

import schemathesis

UNKNOWN_NAMES = frozenset(
    {
        "unknown_accelerator",
        "unknown_entry",
        "unknown_model",
        "unknown_offer",
        "unknown_provider",
        "unknown_region",
        "unknown_run",
        "unknown_site",
    }
)
UNKNOWN_VALUE_OF_A_FILTER = "not_allowed"
NOT_KEPT = frozenset({"/problems/quote-not-kept", "/problems/base-quote-not-kept"})


@schemathesis.check
def valid_data_is_refused_for_unknown_names_only(ctx: Any, response: Any, case: Any) -> None:
    """An unknown name is the one thing that no schema can rule out, but for quotes not kept."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code < 400:
        return
    problem = response.json()
    if problem["type"] in NOT_KEPT:
        return
    allowed = UNKNOWN_NAMES if response.status_code in {404, 422} else {UNKNOWN_VALUE_OF_A_FILTER}
    codes = {fault["code"] for fault in problem.get("errors", ())}
    if not codes or not codes <= allowed:
        raise AssertionError(f"valid data is refused: {problem}")
