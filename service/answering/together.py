"""Quotes of one shape are answered together, byte for byte as each alone.

The shape of a question is its canonical form without its numbers. Questions of one shape are argued
once, see `service.core.together`. The first answer of each shape is computed alone as well, and
unless it is the same, questions of that shape are answered one by one from then on.
"""

import re
from collections.abc import Sequence
from typing import Final

from cachetools import LRUCache

from service.answering.kind import AnyQuestion, Means, Question, valid_until
from service.core.figures.lanes import TEXT_BEGINS, TEXT_ENDS
from service.core.request.request import QuoteRequest
from service.core.request.work import Compute, Metered, Timed
from service.core.together.quotes import LaneQuestion, Together, quotes_together
from service.identity.canonical import read_canonical

LEAST_TOGETHER: Final = 8
"""Fewer questions are answered sooner one by one."""
MOST_TOGETHER: Final = 512
"""Most questions that are argued at once. What they are argued with takes some 40 MB."""
SHARE_TOGETHER: Final = 0.2
"""What a question takes together with others, as a part of what it takes alone, at most."""
MOST_SHAPES: Final = 4096
NUMBER: Final = re.compile(
    rb'":(?<!"devices":)(?<!"devices_per_instance":)-?[0-9][0-9.eE+-]*(?=[,}\]])'
)
"""A number of a canonical request that questions of one shape may differ in. By the number of
devices much is decided, so that has to be the same."""
MARKS: Final = (TEXT_BEGINS.encode(), TEXT_ENDS.encode())


class Shapes:
    """The shapes whose questions may be answered together, as far as was seen."""

    def __init__(self) -> None:
        self._sound: LRUCache[bytes, bool] = LRUCache(MOST_SHAPES)

    def verdict(self, shape: bytes) -> bool | None:
        """Whether questions of a shape are answered together. None if that was never tried."""
        return self._sound.get(shape)

    def note(self, shape: bytes, *, sound: bool) -> None:
        """Remember whether questions of a shape can be answered together."""
        self._sound[shape] = sound


def shape_of(question: AnyQuestion) -> bytes | None:
    """The shape of a question. None if it is answered alone."""
    request = question.request
    if not isinstance(request, QuoteRequest) or any(mark in question.canonical for mark in MARKS):
        return None
    for stage in request.run.stages:
        if not isinstance(stage.work, Metered | Timed | Compute):
            return None
    return NUMBER.sub(b'":#', question.canonical)


def as_read(question: AnyQuestion) -> Question[QuoteRequest]:
    """A question with the request of its canonical form, which is what it is answered from."""
    request = read_canonical(question.canonical, asked=QuoteRequest)
    return Question(question.kind, request, question.canonical, question.id)


def together_by_shape(questions: Sequence[AnyQuestion]) -> list[list[int]]:
    """The places of questions that are worth answering together."""
    found: dict[bytes, list[int]] = {}
    for place, question in enumerate(questions):
        shape = shape_of(question)
        if shape is not None:
            found.setdefault(shape, []).append(place)
    return [
        places[start : start + MOST_TOGETHER]
        for places in found.values()
        for start in range(0, len(places), MOST_TOGETHER)
        if len(places) - start >= LEAST_TOGETHER
    ]


def quotes_of(
    questions: Sequence[Question[QuoteRequest]], means: Means, shapes: Shapes
) -> Together | None:
    """The quotes of questions of one shape, of those that are answered together, if any are.

    Their requests are those of their canonical forms, see `as_read`.
    """
    shape = shape_of(questions[0])
    if shape is None or shapes.verdict(shape) is False:
        return None
    found = quotes_together(
        [LaneQuestion(one.id, one.canonical, one.request) for one in questions],
        means.catalog,
        engine=means.engine,
        valid_until=valid_until(means.catalog.published_at),
        memo=means.memo,
    )
    if found is None:
        shapes.note(shape, sound=False)
    return found
