"""From a request to the bytes of its answer, without cache and counters.

All code from here on that can move a byte of an answer is part of the engine's digest. See
`service.identity.engine`, which starts from this package.
"""

from service.answering.claims import CLAIM
from service.answering.comparisons import COMPARE
from service.answering.kind import AnyKind, AnyQuestion, Question, Request
from service.answering.kinds import (
    BY_NAME,
    KINDS,
    REQUESTS,
    answer_of,
    encoded,
    kind_of,
    question_of,
)
from service.answering.quotes import QUOTE
from service.answering.solutions import SOLVE

__all__ = [
    "BY_NAME",
    "CLAIM",
    "COMPARE",
    "KINDS",
    "QUOTE",
    "REQUESTS",
    "SOLVE",
    "AnyKind",
    "AnyQuestion",
    "Question",
    "Request",
    "answer_of",
    "encoded",
    "kind_of",
    "question_of",
]
