"""Computes an answer, here or in a worker process. A worker is forked after this was imported."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    as_read,
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
from service.core.together.quotes import Printed
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
    groups, read = together_by_shape(questions), list(questions)
    for place in chain.from_iterable(groups):
        read[place] = as_read(questions[place])
    means = Means(engine=engine, catalog=catalog, memo=memo, kept={})
    found: dict[int, Computed | Portable] = {}
    for places in groups:
        for argued in _together(read, places, means, shapes):
            found.update(zip(argued.places, argued.answers(), strict=True))
    return [
        found[place] if place in found else _alone(one, means) for place, one in enumerate(read)
    ]


class Argued(Struct, frozen=True):
    """Answers that were argued together: the places of their questions, and what is counted."""

    places: list[int]
    printed: Printed
    tallies: tuple[Tally, ...]

    def answers(self) -> Iterator[Computed]:
        """The answers. What is counted of all of them is counted with the first."""
        bodies = self.printed.bodies()
        yield Computed(next(bodies), self.tallies)
        yield from map(Computed, bodies)


def _alone(question: AnyQuestion, means: Means) -> Computed | Portable:
    try:
        return computed(
            question, engine=means.engine, catalog=means.catalog, memo=means.memo, kept={}
        )
    except NotQuotable as error:
        return error


def _together(
    questions: Sequence[AnyQuestion],
    places: Sequence[int],
    means: Means,
    shapes: Shapes,
) -> list[Argued]:
    """The answers to questions of one shape, of those that are answered together.

    Those that are left by the others are tried again among themselves.
    """
    found: list[Argued] = []
    left = list(places)
    while len(left) >= LEAST_TOGETHER:
        answered = quotes_of([questions[place] for place in left], means, shapes)
        if answered is None:
            break
        some = [left[lane] for lane in answered.printed.lanes]
        first = questions[some[0]]
        tallies = tuple(handled(first).tallies(answered.answer))
        if not _is_sound(first, Argued(some, answered.printed, tallies), means, shapes):
            return []
        of_all = tuple(replace(one, amount=one.amount * len(some)) for one in tallies)
        found.append(Argued(some, answered.printed, of_all))
        left = sorted(set(left).difference(some))
    return found


def _is_sound(question: AnyQuestion, argued: Argued, means: Means, shapes: Shapes) -> bool:
    """Whether the first of some answers to questions of a shape is that of the question alone."""
    shape = shape_of(question)
    assert shape is not None
    if shapes.verdict(shape) is None:
        shapes.note(shape, sound=_alone(question, means) == next(argued.answers()))
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
    own.heap.answered(bytes_of(found))
    return found


class Alike(Struct, frozen=True):
    """Answers to questions of one shape: those that were argued together, and others by place."""

    argued: list[Argued]
    alone: dict[int, Computed | Portable]

    def answers(self) -> Iterator[tuple[int, Computed | Portable]]:
        """The place of each question, and its answer, or why there is none."""
        for one in self.argued:
            yield from zip(one.places, one.answers(), strict=True)
        yield from self.alone.items()


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
    means = Means(engine=own.engine, catalog=own.catalog, memo=own.memo, kept={})
    argued = _together(questions, range(len(questions)), means, own.shapes)
    left = set(range(len(questions))).difference(*(one.places for one in argued))
    alone = {place: _alone(questions[place], means) for place in sorted(left)}
    own.heap.answered(sum(one.printed.mean_bytes for one in argued) + bytes_of(alone.values()))
    return Alike(argued, alone)


def bytes_of(found: Iterable[Computed | Portable]) -> int:
    """The bytes of some answers."""
    return sum(len(one.body) for one in found if isinstance(one, Computed))


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
