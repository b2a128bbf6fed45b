"""Comparisons over the embedded catalog, and the quotes that they stand for."""

from decimal import Decimal
from typing import Any

import msgspec

from service.core.answer import EstimateWithOutcomes, PricedBill, Quote
from service.core.answer.comparison import ComparedCandidate
from service.core.comparing.comparison import comparison
from service.core.request.decisions.compare import CompareRequest
from tests.worlds import MEMO, TEST_ENGINE, answer, embedded

Json = dict[str, Any]


def compare(asked: Json) -> Any:
    """The comparison that is asked for, over the embedded catalog, with a stand-in id."""
    return comparison(
        msgspec.convert(asked, CompareRequest),
        embedded(),
        id="k_" + "0" * 64,
        canonical_request=msgspec.json.encode(asked),
        engine=TEST_ENGINE,
        valid_until="2026-02-01T00:00:00Z",
        memo=MEMO,
    )


def quote_of(asked: Json, cluster: Any) -> Quote:
    """The quote for the cluster of a candidate."""
    said: Json = msgspec.to_builtins(cluster)
    common = {"accounting", "as_of"} & asked.keys()
    return answer(
        {
            "run": asked["run"],
            "cluster": asked.get("cluster", {}) | said,
            **{name: asked[name] for name in common},
        },
        embedded(),
    )


def total_of(quote: Quote, basis: str) -> PricedBill | None:
    """The priced bill of a basis. None if it has no total."""
    bills = (bill for bill in quote.bases if bill.basis == basis)
    return next((bill for bill in bills if isinstance(bill, PricedBill)), None)


def hours_of(quote: Quote) -> EstimateWithOutcomes:
    """The hours of the whole run, which are known."""
    assert quote.wall_clock_hours
    return quote.wall_clock_hours


def hardware_of(candidate: ComparedCandidate) -> str:
    """The basis that has the hardware of a candidate."""
    return "owned" if candidate.cluster.supply.kind == "owned" else "rental"


def cost_at(candidate: ComparedCandidate, level: str, basis: str = "") -> Decimal:
    """A quantile of a candidate's cost."""
    (found,) = (one for one in candidate.costs if one.basis == (basis or hardware_of(candidate)))
    return Decimal(getattr(found, level))
