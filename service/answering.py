"""From a request to the bytes of its quote, without cache and counters.

All code from here on that can move a byte of an answer is part of the engine's digest. See
`service.identity.engine`, which starts from this module.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.core.answer import ClaimAnswer, EngineStamp, Quote
from service.core.bills.fully_loaded.bill import BaseTotal, BaseTotals
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import BaseQuoteNotKept, NotQuotable
from service.core.claims.claim import check_claim, judgement
from service.core.draws.memo import Memo
from service.core.figures.vocabulary import Currency
from service.core.quote import check_names, quote
from service.core.request.accounting import Accounting, BaseQuote
from service.core.request.claim import ClaimedRuns, ClaimRequest
from service.core.request.names import with_known_names
from service.core.request.request import QuoteRequest
from service.identity.canonical import (
    canonical_claim,
    canonical_request,
    claim_id,
    quote_id,
    read_canonical,
    read_canonical_claim,
)

VALIDITY: Final = timedelta(days=30)
"""How long the prices of a catalog edition count as current."""


class Question(Struct, frozen=True):
    """A request as it was sent, but for its names, its canonical form, and the id of its quote."""

    request: QuoteRequest
    canonical: bytes
    id: str

    @property
    def costly(self) -> str:
        """Where the part of the request stands that takes most of the time."""
        return "/run/stages"

    @property
    def stages(self) -> int:
        """How many stages the run has."""
        return len(self.request.run.stages)

    @property
    def base_quote(self) -> str | None:
        """The id of the quote that the request takes its base model from."""
        return base_quote_of(self.request.accounting)


class ClaimQuestion(Struct, frozen=True):
    """A claim as it was sent, but for its names, its canonical form and the id of its answer."""

    request: ClaimRequest
    canonical: bytes
    id: str

    @property
    def costly(self) -> str:
        """Where the part of the claim stands that takes most of the time."""
        return "/what"

    @property
    def stages(self) -> int:
        """How many stages, or reference runs, the claim is about."""
        what = self.request.what
        return len(what.ids if isinstance(what, ClaimedRuns) else what.run.stages)

    @property
    def base_quote(self) -> str | None:
        """The id of the quote that the claim takes its base model from."""
        return base_quote_of(self.request.what.accounting)


def base_quote_of(accounting: Accounting) -> str | None:
    """The id of the quote that is the base model. None if the base is none, or another."""
    base = accounting.base_model
    return base.id if isinstance(base, BaseQuote) else None


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


def question_of(request: QuoteRequest, *, engine: EngineStamp, catalog: Catalog) -> Question:
    """A request with its canonical form and the id of its quote by this engine and catalog.

    Names become those of the catalog, so that all spellings of a request have one quote.
    """
    request = with_known_names(request, catalog)
    canonical = canonical_request(request)
    id = quote_id(canonical, engine_digest=engine.digest, catalog_digest=catalog.digest)
    return Question(request, canonical, id)


def claim_question_of(
    claim: ClaimRequest, *, engine: EngineStamp, catalog: Catalog
) -> ClaimQuestion:
    """A claim with its canonical form and the id of its judgement by this engine and catalog."""
    claim = with_known_names(claim, catalog)
    canonical = canonical_claim(claim)
    id = claim_id(canonical, engine_digest=engine.digest, catalog_digest=catalog.digest)
    return ClaimQuestion(claim, canonical, id)


def answer_of(
    question: Question,
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    base_quote: bytes | None,
) -> Quote:
    """The quote of a question. Raises `NotQuotable`.

    It is computed from the canonical request alone, and its pointers lead into that. Unknown names
    are looked for in the request as it was sent, so that errors point into that.
    """
    check_names(question.request, catalog)
    return quote(
        read_canonical(question.canonical),
        catalog,
        id=question.id,
        canonical_request=question.canonical,
        engine=engine,
        valid_until=valid_until(catalog.published_at),
        memo=memo,
        base_quote=base_totals(question, base_quote),
    )


def judgement_of(
    question: ClaimQuestion,
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    base_quote: bytes | None,
) -> ClaimAnswer:
    """The judgement of a claim. Raises `NotQuotable`. It goes by the canonical form, as a quote."""
    check_claim(question.request, catalog)
    return judgement(
        read_canonical_claim(question.canonical),
        catalog,
        id=question.id,
        canonical_request=question.canonical,
        engine=engine,
        valid_until=valid_until(catalog.published_at),
        memo=memo,
        base_quote=base_totals(question, base_quote, at="/what/accounting"),
    )


def encoded(answer: Quote | ClaimAnswer) -> bytes:
    """An answer as it is sent and kept."""
    return msgspec.json.encode(answer)


def base_totals(
    question: Question | ClaimQuestion, base_quote: bytes | None, *, at: str = "/accounting"
) -> BaseTotals | None:
    """The totals of the quote that is the base model. None if the request names none.

    `at` is where the accounting stands. Raises `NotQuotable` if that quote is not kept: it cannot
    be computed from its id.
    """
    if question.base_quote is None:
        return None
    if base_quote is None:
        error = BaseQuoteNotKept(asked=question.base_quote, pointer=f"{at}/base_model/id")
        raise NotQuotable((error,))
    bills = msgspec.json.decode(base_quote, type=KeptQuote).bases
    kept = {bill.basis: bill.total for bill in bills if bill.total is not UNSET}
    totals = {
        bill.basis: BaseTotal(
            amount=float(kept[bill.basis].amount), outcomes=tuple(map(float, bill.outcomes))
        )
        for bill in bills
        if bill.basis in kept
    }
    return BaseTotals(
        rental=totals.get("rental"),
        fully_loaded=totals.get("fully_loaded"),
        currency=next((total.currency for total in kept.values()), "USD"),
    )


@cache
def valid_until(published_at: str) -> str:
    """The RFC 3339 instant until which the prices of a catalog edition are current."""
    return (datetime.fromisoformat(published_at) + VALIDITY).isoformat().replace("+00:00", "Z")
