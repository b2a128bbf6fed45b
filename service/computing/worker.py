"""Computes an answer, here or in a worker process. A worker is forked after this was imported."""

from functools import cache

from msgspec import Struct

from service.answering import ClaimQuestion, Question, answer_of, encoded, judgement_of
from service.catalog_files import load_catalog, under_policy
from service.core.answer import EngineStamp, PricedBill
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.identity.engine import engine_stamp


class Computed(Struct, frozen=True):
    """An answer as bytes, and what is counted of it."""

    body: bytes
    outcomes: tuple[tuple[str, str], ...] = ()
    """The basis of each bill of a quote, and whether it is priced."""
    warnings: tuple[tuple[str, str], ...] = ()
    """The severity and the code of each warning of a quote."""
    verdict: str = ""
    """The verdict of a claim."""


def computed(
    question: Question | ClaimQuestion,
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    base_quote: bytes | None,
) -> Computed:
    """The answer to a question. Raises `NotQuotable`."""
    if isinstance(question, ClaimQuestion):
        judged = judgement_of(
            question, engine=engine, catalog=catalog, memo=memo, base_quote=base_quote
        )
        return Computed(body=encoded(judged), verdict=judged.verdict.verdict)
    answer = answer_of(question, engine=engine, catalog=catalog, memo=memo, base_quote=base_quote)
    return Computed(
        body=encoded(answer),
        outcomes=tuple(
            (bill.basis, "priced" if isinstance(bill, PricedBill) else "unpriced")
            for bill in answer.bases
        ),
        warnings=tuple((one.severity, one.code) for one in (*answer.warnings, *answer.notes)),
    )


class Workshop(Struct, frozen=True):
    """What a worker computes with."""

    catalog: Catalog
    memo: Memo
    engine: EngineStamp


@cache
def workshop(stale_price_days: int | None) -> Workshop:
    """The embedded catalog under a policy, a memo and the engine of this process."""
    catalog = under_policy(load_catalog(), stale_price_days=stale_price_days)
    return Workshop(catalog=catalog, memo=Memo(), engine=engine_stamp())


def computed_apart(
    question: Question | ClaimQuestion, base_quote: bytes | None, stale_price_days: int | None
) -> Computed:
    """The answer to a question, computed in a worker. Raises `NotQuotable`."""
    own = workshop(stale_price_days)
    return computed(
        question, engine=own.engine, catalog=own.catalog, memo=own.memo, base_quote=base_quote
    )
