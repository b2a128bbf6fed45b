"""Claims: a published figure, put to the test."""

from typing import Final

from service.answering.base_quotes import base_quotes_of, base_totals
from service.answering.kind import Kind, Means, Question, valid_until
from service.core.answer import ClaimAnswer
from service.core.claims.claim import check_claim, judgement
from service.core.request.claim import ClaimedRuns, ClaimRequest
from service.identity.canonical import read_canonical


def judgement_of(question: Question[ClaimRequest], means: Means) -> ClaimAnswer:
    """The judgement of a claim. Raises `NotQuotable`. It goes by the canonical form, as a quote."""
    check_claim(question.request, means.catalog)
    return judgement(
        read_canonical(question.canonical, asked=ClaimRequest),
        means.catalog,
        id=question.id,
        canonical_request=question.canonical,
        engine=means.engine,
        valid_until=valid_until(means.catalog.published_at),
        memo=means.memo,
        base_quote=base_totals(question.request.what.accounting, means.kept, at="/what/accounting"),
    )


def _subjects(claim: ClaimRequest) -> int:
    """How many stages, or reference runs, a claim is about."""
    return len(claim.what.ids if isinstance(claim.what, ClaimedRuns) else claim.what.run.stages)


CLAIM: Final = Kind(
    name="claim",
    request=ClaimRequest,
    prefix="c_",
    domain=b"runquote/claim/1",
    check=check_claim,
    answer=judgement_of,
    builds_on=lambda claim: base_quotes_of(claim.what.accounting),
    costly="/what",
    size=_subjects,
)
