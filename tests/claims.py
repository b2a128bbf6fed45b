"""Claims that several tests make, and a judgement without a service."""

from typing import Any

import msgspec

from service.core.catalog.catalog import Catalog
from service.core.claims.claim import judgement
from service.core.request.claim import ClaimRequest
from tests.worlds import MEMO, TEST_ENGINE, embedded

R1_RUNS = ["deepseek-r1", "deepseek-r1-sft-data", "deepseek-r1-zero"]


def of_runs(amount: Any, *ids: str, **more: Any) -> dict[str, Any]:
    """A claim about reference runs."""
    accounting = more.pop("accounting", {})
    what = {"kind": "runs", "ids": ids, "accounting": accounting}
    return {"amount": amount, "said_on": "2025-09-17", "what": what} | more


def of_work(amount: Any, work: dict[str, Any], *, cluster: dict[str, Any], **more: Any) -> Any:
    """A claim about a run of one stage that starts from nothing."""
    what = {
        "kind": "request",
        "run": {"name": "run", "stages": [{"name": "stage", "work": work}]},
        "cluster": cluster,
        "accounting": more.pop("accounting", {"base_model": {"kind": "none"}}),
    } | more.pop("what", {})
    return {"amount": amount, "said_on": "2025-09-17", "what": what} | more


def judge(claim: dict[str, Any], catalog: Catalog | None = None) -> Any:
    """The judgement of a claim over a catalog, with a stand-in id."""
    return judgement(
        msgspec.json.decode(msgspec.json.encode(claim), type=ClaimRequest),
        embedded() if catalog is None else catalog,
        id="c_" + "0" * 64,
        canonical_request=msgspec.json.encode(claim),
        engine=TEST_ENGINE,
        valid_until="2026-02-01T00:00:00Z",
        memo=MEMO,
    )


def reading(answer: Any, basis: str, scope: str) -> Any:
    """The reading of this basis and scope, which has to have a total."""
    (found,) = (one for one in answer.readings if (one.basis, one.scope) == (basis, scope))
    return found
