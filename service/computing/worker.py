"""Computes an answer, here or in a worker process. A worker is forked after this was imported."""

from collections.abc import Mapping, Sequence
from typing import Final

from cachetools import LRUCache
from msgspec import Struct

from service.answering import AnyQuestion, answer_of, encoded
from service.computing.heap import Heap
from service.computing.kinds import Tally, handled
from service.core.answer import EngineStamp
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable, Portable
from service.core.draws.memo import Memo
from service.editions.edition import Recipe
from service.identity.engine import engine_stamp


class Computed(Struct, frozen=True):
    """An answer as bytes, and what is counted of it."""

    body: bytes
    tallies: tuple[Tally, ...] = ()


def computed(
    question: AnyQuestion,
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    kept: Mapping[str, bytes],
) -> Computed:
    """The answer to a question. Raises `NotQuotable`. `kept` holds what it builds on."""
    answer = answer_of(question, engine=engine, catalog=catalog, memo=memo, kept=kept)
    return Computed(encoded(answer), tuple(handled(question).tallies(answer)))


class Workshop(Struct, frozen=True):
    """What a worker computes with: an edition, and a memo that all editions share."""

    catalog: Catalog
    memo: Memo
    engine: EngineStamp
    heap: Heap


class EditionMissing(Portable):
    """This worker has not loaded the edition that a question is put to"""


MOST_EDITIONS: Final = 4
"""Editions that a worker keeps loaded, at some 5 MB each."""
_memo: Final = Memo()
_heap: Final = Heap()
_editions: Final[LRUCache[str, Catalog]] = LRUCache(MOST_EDITIONS)


def embedded_workshop() -> Workshop:
    """The embedded edition, from now on at hand."""
    catalog = Recipe().made()
    _editions[catalog.digest] = catalog
    return workshop(catalog.digest, None)


def workshop(digest: str, recipe: Recipe | None) -> Workshop:
    """The edition of this digest, made by its recipe if it is not at hand.

    Raises `EditionMissing` if it is neither at hand nor is there a recipe.
    """
    if digest not in _editions:
        if recipe is None:
            raise EditionMissing(digest)
        catalog = recipe.made()
        assert catalog.digest == digest, "one recipe makes one catalog"
        _editions[digest] = catalog
    return Workshop(catalog=_editions[digest], memo=_memo, engine=engine_stamp(), heap=_heap)


def computed_together_apart(
    questions: Sequence[AnyQuestion], digest: str, recipe: Recipe | None = None
) -> list[Computed | Portable]:
    """The answers to questions by the edition of this digest, or why there is none.

    Raises `EditionMissing`.
    """
    own = workshop(digest, recipe)
    found: list[Computed | Portable] = []
    for question in questions:
        try:
            one = computed(question, engine=own.engine, catalog=own.catalog, memo=own.memo, kept={})
        except NotQuotable as error:
            found.append(error)
        else:
            own.heap.answered(len(one.body))
            found.append(one)
    return found


def computed_apart(
    question: AnyQuestion,
    kept: Mapping[str, bytes],
    digest: str,
    recipe: Recipe | None = None,
) -> Computed:
    """The answer to a question by the edition of this digest, computed in a worker.

    Raises `NotQuotable` or `EditionMissing`.
    """
    own = workshop(digest, recipe)
    found = computed(question, engine=own.engine, catalog=own.catalog, memo=own.memo, kept=kept)
    own.heap.answered(len(found.body))
    return found
