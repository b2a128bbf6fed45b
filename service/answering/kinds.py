"""The kinds of questions that there are, and what they have in common."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.answering.claims import CLAIM
from service.answering.comparisons import COMPARE
from service.answering.kind import AnyKind, AnyQuestion, Asked, Means, Question
from service.answering.quotes import QUOTE
from service.answering.solutions import SOLVE
from service.core.answer import EngineStamp
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.core.request.names import with_known_names
from service.identity.canonical import canonical_request, content_id

KINDS: Final[tuple[AnyKind, ...]] = (QUOTE, CLAIM, COMPARE, SOLVE)
REQUESTS: Final[tuple[type[Any], ...]] = tuple(kind.request for kind in KINDS)
BY_NAME: Final = {kind.name: kind for kind in KINDS}
BY_REQUEST: Final = {kind.request: kind for kind in KINDS}


def kind_of(request: Any) -> AnyKind:
    """The kind of a request. Each has a type of its own."""
    return BY_REQUEST[type(request)]


def question_of(request: Asked, *, engine: EngineStamp, catalog: Catalog) -> Question[Asked]:
    """A request with its canonical form and the id of its answer by this engine and catalog.

    Names become those of the catalog, so that all spellings of a request have one answer.
    """
    kind = kind_of(request)
    request = with_known_names(request, catalog)
    canonical = canonical_request(request)
    id = content_id(
        canonical,
        prefix=kind.prefix,
        domain=kind.domain,
        engine_digest=engine.digest,
        catalog_digest=catalog.digest,
    )
    return Question(kind.name, request, canonical, id)


def answer_of(
    question: AnyQuestion,
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    kept: Mapping[str, bytes],
) -> Any:
    """The answer to a question. Raises `NotQuotable`. `kept` holds what it builds on."""
    means = Means(engine=engine, catalog=catalog, memo=memo, kept=kept)
    return BY_NAME[question.kind].answer(question, means)


def encoded(answer: Struct) -> bytes:
    """An answer as it is sent and kept."""
    return msgspec.json.encode(answer)
