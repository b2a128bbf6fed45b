"""A check of our own for the fuzzer, which loads this file: why valid data may be refused."""

from typing import Any

import schemathesis

UNKNOWN_NAMES = frozenset(
    {
        "unknown_accelerator",
        "unknown_book_rate",
        "unknown_catalog",
        "unknown_cursor",
        "unknown_entry",
        "unknown_generation",
        "unknown_model",
        "unknown_offer",
        "unknown_provider",
        "unknown_region",
        "unknown_run",
        "unknown_site",
    }
)
IMPOSSIBLE_SPEED = "speed_above_peak"
"""Which speeds a device cannot have follows from the catalog, so no schema can say it."""
UNKNOWN_VALUES_OF_A_QUERY = frozenset({"not_allowed"})
NOT_KEPT = frozenset(
    {
        "/problems/quote-not-kept",
        "/problems/claim-not-kept",
        "/problems/comparison-not-kept",
        "/problems/solution-not-kept",
        "/problems/base-quote-not-kept",
        "/problems/named-quote-not-kept",
        "/problems/unknown-catalog",
        "/problems/bill-not-whole",
    }
)
VERIFY = "/quote/verify"
"""Its schema leaves the request of a filed quote open; whether it can be asked, the answer says."""


@schemathesis.serializer("application/x-ndjson")
def lines_of(ctx: Any, value: Any) -> Any:
    """A batch as it is sent: the text itself."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.check
def valid_data_is_refused_for_unknown_names_only(ctx: Any, response: Any, case: Any) -> None:
    """No schema can rule out unknown names, quotes that are not kept and impossible speeds."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code < 400:
        return
    problem = response.json()
    if problem["type"] in NOT_KEPT:
        return
    of_names = UNKNOWN_NAMES | {IMPOSSIBLE_SPEED}
    allowed = of_names if response.status_code in {404, 422} else UNKNOWN_VALUES_OF_A_QUERY
    faults = problem.get("errors", ())
    if (
        case.path == VERIFY
        and faults
        and all(one["pointer"].startswith("/request") for one in faults)
    ):
        return
    codes = {fault["code"] for fault in faults}
    if not codes or not codes <= allowed:
        raise AssertionError(f"valid data is refused: {problem}")
