"""A quote that was issued before and is the base model of another run."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.answering.kind import Means, Question, valid_until
from service.core.bills.fully_loaded.bill import BaseTotal, BaseTotals
from service.core.catalog.errors import BaseQuoteNotKept, NotQuotable
from service.core.figures.vocabulary import Currency
from service.core.request.accounting import Accounting, BaseQuote
from service.identity.canonical import read_canonical

A = TypeVar("A")


class KeptTotal(Struct, frozen=True):
    """An amount of a kept quote."""

    amount: str
    currency: Currency = "USD"


class KeptBill(Struct, frozen=True):
    """The part of a kept bill that another quote may build on."""

    basis: str
    total: KeptTotal | UnsetType = UNSET
    outcomes: tuple[str, ...] = ()


class KeptQuote(Struct, frozen=True):
    """The part of a kept quote, of any version, that another quote may build on."""

    bases: tuple[KeptBill, ...]


def base_quotes_of(accounting: Accounting) -> tuple[str, ...]:
    """The id of the quote that is the base model. None if the base is none, or another."""
    base = accounting.base_model
    return (base.id,) if isinstance(base, BaseQuote) else ()


def argued(argue: Callable[..., A], question: Question[Any], means: Means) -> A:
    """The answer to a question about a run that may build on another quote.

    It goes by the canonical form of the request. Raises `NotQuotable`.
    """
    return argue(
        read_canonical(question.canonical, asked=type(question.request)),
        means.catalog,
        id=question.id,
        canonical_request=question.canonical,
        engine=means.engine,
        valid_until=valid_until(means.catalog.published_at),
        memo=means.memo,
        base_quote=base_totals(question.request.accounting, means.kept),
    )


def base_totals(
    accounting: Accounting, kept: Mapping[str, bytes], *, at: str = "/accounting"
) -> BaseTotals | None:
    """The totals of the quote that is the base model. None if the request names none.

    `at` is where the accounting stands. Raises `NotQuotable` if that quote is not kept: it cannot
    be computed from its id.
    """
    asked = next(iter(base_quotes_of(accounting)), None)
    if asked is None:
        return None
    if asked not in kept:
        raise NotQuotable((BaseQuoteNotKept(asked=asked, pointer=f"{at}/base_model/id"),))
    bills = msgspec.json.decode(kept[asked], type=KeptQuote).bases
    totals = {bill.basis: bill.total for bill in bills if bill.total is not UNSET}
    bases = {
        bill.basis: BaseTotal(
            amount=float(totals[bill.basis].amount), outcomes=tuple(map(float, bill.outcomes))
        )
        for bill in bills
        if bill.basis in totals
    }
    return BaseTotals(
        rental=bases.get("rental"),
        fully_loaded=bases.get("fully_loaded"),
        currency=next((total.currency for total in totals.values()), "USD"),
    )
