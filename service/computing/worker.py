"""Computes an answer, here or in a worker process. A worker is forked after this was imported."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

from cachetools import LRUCache
from msgspec import Struct
from msgspec.structs import replace

from service.answering import QUOTE, AnyQuestion, Question, answer_of, encoded
from service.answering.kind import Means
from service.answering.together import (
    LEAST_TOGETHER,
    Shapes,
    quotes_of,
    shape_of,
    together_by_shape,
)
from service.computing.heap import Heap
from service.computing.kinds import Tally, handled
from service.core.answer import EngineStamp
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable, Portable
from service.core.draws.memo import Memo
from service.editions.edition import Recipe
from service.identity.canonical import read_canonical
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


def computed_all(
    questions: Sequence[AnyQuestion],
    *,
    engine: EngineStamp,
    catalog: Catalog,
    memo: Memo,
    shapes: Shapes,
) -> list[Computed | Portable]:
    """The answers to questions that build on nothing, or why there is none, in their order.

    Those that differ in some numbers alone are argued together.
    """
    means = Means(engine=engine, catalog=catalog, memo=memo, kept={})
    found: dict[int, Computed | Portable] = {}

    def alone(place: int) -> Computed | Portable:
        try:
            return computed(questions[place], engine=engine, catalog=catalog, memo=memo, kept={})
        except NotQuotable as error:
            return error

    for places in together_by_shape(questions):
        found |= _together(questions, places, means, shapes, alone)
    return [found[place] if place in found else alone(place) for place in range(len(questions))]


def _together(
    questions: Sequence[AnyQuestion],
    places: list[int],
    means: Means,
    shapes: Shapes,
    alone: Callable[[int], Computed | Portable],
) -> dict[int, Computed | Portable]:
    """The answers to questions of one shape, of those that are answered together.

    Those that are left by the others are tried again among themselves. What is counted of all is
    counted with the first of them.
    """
    found: dict[int, Computed | Portable] = {}
    left = places
    while len(left) >= LEAST_TOGETHER:
        answered = quotes_of([questions[place] for place in left], means, shapes)
        if answered.answer is None:
            break
        bodies = dict(zip(left, answered.bodies, strict=True))
        new = {place: Computed(body) for place, body in bodies.items() if body is not None}
        tallies = tuple(handled(questions[left[0]]).tallies(answered.answer))
        first = next(iter(new))
        if not _is_sound(questions, first, Computed(new[first].body, tallies), shapes, alone):
            return {}
        new[first] = Computed(
            new[first].body,
            tuple(replace(one, amount=one.amount * len(new)) for one in tallies),
        )
        found |= new
        left = [place for place in left if place not in new]
    return found


def _is_sound(
    questions: Sequence[AnyQuestion],
    place: int,
    answer: Computed,
    shapes: Shapes,
    alone: Callable[[int], Computed | Portable],
) -> bool:
    """Whether an answer to questions of a shape is that of the question alone."""
    shape = shape_of(questions[place])
    assert shape is not None
    if shapes.verdict(shape) is None:
        shapes.note(shape, sound=alone(place) == answer)
    return shapes.verdict(shape) is True


class Workshop(Struct, frozen=True):
    """What a worker computes with: an edition, and a memo that all editions share."""

    catalog: Catalog
    memo: Memo
    engine: EngineStamp
    heap: Heap
    shapes: Shapes


class EditionMissing(Portable):
    """This worker has not loaded the edition that a question is put to"""


MOST_EDITIONS: Final = 4
"""Editions that a worker keeps loaded, at some 5 MB each."""
_memo: Final = Memo()
_heap: Final = Heap()
_shapes: Final = Shapes()
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
    return Workshop(
        catalog=_editions[digest], memo=_memo, engine=engine_stamp(), heap=_heap, shapes=_shapes
    )


def computed_together_apart(
    questions: Sequence[AnyQuestion], digest: str, recipe: Recipe | None = None
) -> list[Computed | Portable]:
    """The answers to questions by the edition of this digest, or why there is none.

    Raises `EditionMissing`.
    """
    own = workshop(digest, recipe)
    found = computed_all(
        questions, engine=own.engine, catalog=own.catalog, memo=own.memo, shapes=own.shapes
    )
    own.heap.answered(sum(len(one.body) for one in found if isinstance(one, Computed)))
    return found


class Alike(Struct, frozen=True):
    """Answers to questions of one shape, or why there is none, and what is counted of all."""

    bodies: list[bytes | Portable]
    tallies: tuple[Tally, ...]


def computed_alike_apart(
    asked: Sequence[tuple[str, bytes]], digest: str, recipe: Recipe | None = None
) -> Alike:
    """The answers to quotes of one shape, by their ids and canonical forms.

    All their names are known. Raises `EditionMissing`.
    """
    own = workshop(digest, recipe)
    questions = [
        Question(QUOTE.name, read_canonical(canonical, asked=QUOTE.request), canonical, id)
        for id, canonical in asked
    ]
    found = computed_all(
        questions, engine=own.engine, catalog=own.catalog, memo=own.memo, shapes=own.shapes
    )
    answers = [one for one in found if isinstance(one, Computed)]
    own.heap.answered(sum(len(one.body) for one in answers))
    bodies = [one.body if isinstance(one, Computed) else one for one in found]
    return Alike(bodies, tuple(chain.from_iterable(one.tallies for one in answers)))


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
