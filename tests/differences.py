"""Pairs of requests that differ, for the laws of differences."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from service.answering import answer_of, question_of
from service.api.refusing.decoding import decode_request
from service.core.answer.difference import ChangeParts, QuoteDifference
from service.core.differing.difference import Anew, difference
from service.core.differing.kept import KeptQuote, kept_quote
from tests.worlds import MEMO, TEST_ENGINE, embedded

H100 = "nvidia-h100-sxm-80gb"
DEVICES = (H100, "nvidia-h800-sxm-80gb", "nvidia-a100-sxm-80gb", "amd-mi300x")

amounts = st.floats(min_value=0.5, max_value=5e6).map(lambda number: float(f"{number:.4g}"))
rates = st.decimals("0.1", "20", places=3).map(float)
shares = st.sampled_from([0.01, 0.05, 0.19, 0.333])
works = st.one_of(
    st.builds(lambda hours: {"kind": "metered", "device_hours": hours}, amounts),
    st.builds(
        lambda hours: {"kind": "timed", "hours": hours},
        st.floats(min_value=0.5, max_value=5000.0).map(lambda number: float(f"{number:.3g}")),
    ),
    st.builds(
        lambda flop: {"kind": "compute", "flop": flop, "precision": "bf16"},
        st.sampled_from([1e20, 3e21, 2.2e23]),
    ),
)
supplies = st.one_of(
    st.builds(lambda usd: {"kind": "rate", "usd_per_device_hour": usd}, rates),
    st.sampled_from(
        [{"kind": "market"}, {"kind": "market", "term": "reserved_1y"}, {"kind": "owned"}]
    ),
)


@st.composite
def requests(draw: Any) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, min_size=1))
    accounting: dict[str, Any] = {}
    if draw(st.booleans()):
        accounting["discounts"] = [{"label": "volume", "share": draw(shares)}]
    if draw(st.booleans()):
        accounting["uplifts"] = [
            {"kind": kind, "label": kind, "share": draw(shares)} for kind in ("markup", "tax")
        ]
    if draw(st.booleans()):
        accounting["storage"] = {"gigabytes": draw(amounts)}
    if draw(st.booleans()):
        accounting["support"] = {}
    return {
        "run": {"name": "run", "stages": [{"name": one, "work": draw(works)} for one in names]},
        "cluster": {
            "accelerator": draw(st.sampled_from(DEVICES)),
            "devices": draw(st.sampled_from([8, 12, 512])),
            "supply": draw(supplies),
        },
        "accounting": accounting,
        "options": {"currency": draw(st.sampled_from(["USD", "USD", "USD", "EUR", "JPY"]))},
    }


def quoted(request: Mapping[str, Any], **options: Any) -> KeptQuote:
    """The quote of a request, as it is kept."""
    said = {**request, "options": {**request.get("options", {}), **options}}
    question = question_of(
        decode_request(msgspec.json.encode(said)), engine=TEST_ENGINE, catalog=embedded()
    )
    answer = answer_of(question, engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, kept={})
    return kept_quote(msgspec.json.encode(answer))


def compared(before: KeptQuote, after: KeptQuote, anew: Anew | None = None) -> QuoteDifference:
    return difference(before, after, anew or Anew(), engine=TEST_ENGINE)


def parts(found: ChangeParts) -> list[Decimal]:
    """Price, hours, accounting and rounding."""
    said = (found.price.amount, found.hours.amount, found.accounting, found.rounding)
    return [Decimal(one) for one in said]
