"""Computes a quote, in this process or in a worker. A worker is forked after this was imported."""

from functools import cache

from msgspec import Struct

from service.answering import Question, answer_of, encoded
from service.catalog_files import load_catalog, under_policy
from service.core.answer import EngineStamp, PricedBill
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.identity.engine import engine_stamp


class Computed(Struct, frozen=True):
    """A quote as bytes, and what is counted of it."""

    body: bytes
    outcomes: tuple[tuple[str, str], ...]
    """The basis of each bill, and whether it is priced."""
    warnings: tuple[tuple[str, str], ...]
    """The severity and the code of each warning."""


def computed(
    question: Question,
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    base_quote: bytes | None,
) -> Computed:
    """The quote of a question. Raises `NotQuotable`."""
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
    question: Question, base_quote: bytes | None, stale_price_days: int | None
) -> Computed:
    """The quote of a question, computed in a worker. Raises `NotQuotable`."""
    own = workshop(stale_price_days)
    return computed(
        question, engine=own.engine, catalog=own.catalog, memo=own.memo, base_quote=base_quote
    )
