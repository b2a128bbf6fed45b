"""A process answers some typical questions before it is asked any.

The first answer of a process takes several times as long as the next: types are compiled for
decoding, tables of the catalog are indexed, and columns of draws are made. The first caller should
not wait for that. Nothing of it is counted, and no answer is kept.
"""

from typing import Any, Final

import msgspec

from service.answering import question_of
from service.computing.worker import computed
from service.core.answer import EngineStamp
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.draws.memo import Memo
from service.core.request.claim import ClaimRequest
from service.core.request.request import QuoteRequest

DEVICES: Final = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64}
MODEL: Final = {"kind": "preset", "id": "llama-3.1-8b"}
RANGE: Final = {"low": 1.5, "high": 2.5}
KNOWN_HOURS: Final = {"kind": "metered", "device_hours": 1000}
WORKS: Final[tuple[dict[str, Any], ...]] = (
    KNOWN_HOURS,
    {"kind": "finetuning", "model": MODEL, "data": {"kind": "tokens", "tokens": 1e9}},
    {
        "kind": "reinforcement",
        "model": MODEL,
        "steps": 100,
        "prompts_per_step": 64,
        "samples_per_prompt": 8,
        "placement": {"kind": "disaggregated"},
    },
)
"""Work of known hours, a step that is trained, and responses that are written."""


def _run(*works: dict[str, Any]) -> dict[str, Any]:
    stages = [{"name": f"stage {place}", "work": work} for place, work in enumerate(works)]
    rate = {"kind": "rate", "usd_per_device_hour": RANGE}
    return {"run": {"name": "typical", "stages": stages}, "cluster": DEVICES | {"supply": rate}}


QUOTE: Final = msgspec.json.encode(_run(*WORKS))
CLAIM: Final = msgspec.json.encode(
    {"amount": 2000, "said_on": "2025-01-01", "what": {"kind": "request", **_run(KNOWN_HOURS)}}
)
_warmed: Final[set[str]] = set()
"""The editions that this process has answered typical questions with."""


def warm_up(*, engine: EngineStamp, catalog: Catalog, memo: Memo) -> None:
    """Answer typical questions once in a process for an edition. Look-ups are not counted.

    An edition that lacks what they name stays as it is.
    """
    if catalog.digest in _warmed:
        return
    _warmed.add(catalog.digest)
    quote = msgspec.json.decode(QUOTE, type=QuoteRequest)
    claim = msgspec.json.decode(CLAIM, type=ClaimRequest)
    try:
        for request in (quote, claim):
            question = question_of(request, engine=engine, catalog=catalog)
            computed(question, engine=engine, catalog=catalog, memo=memo, kept={})
    except NotQuotable:
        pass
    finally:
        memo.count_anew()
