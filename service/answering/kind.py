"""What the engine must know of a kind of question in order to answer it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Generic, Protocol, TypeVar

from msgspec import Struct, UnsetType

from service.core.answer import EngineStamp
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo

VALIDITY: Final = timedelta(days=30)
"""How long the prices of a catalog edition count as current."""


class Request(Protocol):
    """What all requests have."""

    @property
    def catalog(self) -> str | UnsetType:
        """The edition that is asked."""


Asked = TypeVar("Asked", bound=Request)


class Question(Struct, Generic[Asked], frozen=True):
    """A request as it was sent, but for its names, its canonical form, and the id of its answer."""

    kind: str
    request: Asked
    canonical: bytes
    id: str


class Means(Struct, frozen=True, kw_only=True):
    """What an answer is made with."""

    engine: EngineStamp
    catalog: Catalog
    memo: Memo
    kept: Mapping[str, bytes]
    """The bodies of the answers that the question builds on, by their ids, where they are kept."""


class Kind(Struct, Generic[Asked], frozen=True, kw_only=True):
    """A kind of question: `POST` of a request to the path of its name, and the answer."""

    name: str
    """The name of the kind, which is that of its path."""
    request: type[Asked]
    prefix: str
    """How ids of its answers begin."""
    domain: bytes
    """What ids of its answers are digests over, beside engine, catalog and request."""
    check: Callable[[Asked, Catalog], None]
    """Raises `NotQuotable` for names that a request says and the catalog lacks."""
    answer: Callable[[Question[Asked], Means], Struct]
    """The answer to a question. Raises `NotQuotable`."""
    builds_on: Callable[[Asked], tuple[str, ...]]
    """The ids of the answers that a request takes something from."""
    costly: str
    """Where the part of a request stands that takes most of the time."""
    size: Callable[[Asked], int]
    """How many stages, or reference runs, a request is about."""


AnyKind = Kind[Any]
AnyQuestion = Question[Any]


@cache
def valid_until(published_at: str) -> str:
    """The RFC 3339 instant until which the prices of a catalog edition are current."""
    return (datetime.fromisoformat(published_at) + VALIDITY).isoformat().replace("+00:00", "Z")
