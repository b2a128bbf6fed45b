"""Amounts that come as decimal strings, as our own answers print them: they are read as numbers.

Only members that hold dollars may come so. The fast pass knows nothing of it.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from msgspec import inspect

from service.answering import REQUESTS
from service.core.request.about_quotes.difference import DifferenceRequest
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.core.request.wire import DECIMAL

Reader: TypeAlias = Callable[[Any], Any]
"""From a value in plain JSON types to the same with numbers for decimal strings."""
WRITTEN: Final = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


def with_numbers(document: Any, *, asked: type) -> Any:
    """A request with numbers where decimal strings stand for dollars. All else is the same."""
    reader = _reader_of(asked)
    return document if reader is None else reader(document)


def number_of(value: Any) -> Any:
    """A decimal string as a number."""
    return float(value) if isinstance(value, str) and WRITTEN.fullmatch(value) else value


def reader_of(kind: inspect.Type) -> Reader | None:
    """How decimal strings are read in values of a type. None if there can be none in them."""
    match kind:
        case inspect.Metadata(extra=dict(said)) if said == DECIMAL:
            return number_of
        case inspect.Metadata(type=inner):
            return reader_of(inner)
        case inspect.VarTupleType(item_type=item):
            each = reader_of(item)
            return each and _each(each)
        case inspect.StructType():
            members = {
                field.encode_name: reader
                for field in kind.fields
                if (reader := reader_of(field.type)) is not None
            }
            return _members(members) if members else None
        case inspect.UnionType(types=types):
            return _alternatives(types)
    return None


def _each(reader: Reader) -> Reader:
    return lambda values: [*map(reader, values)] if isinstance(values, list) else values


def _members(readers: dict[str, Reader]) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return value | {name: readers[name](value[name]) for name in readers.keys() & value}

    return read


def _alternatives(types: tuple[inspect.Type, ...]) -> Reader | None:
    """Objects by their tag, or the one object that there is, and everything else as a value."""
    objects = {
        one.tag: (one.tag_field, reader)
        for one in types
        if isinstance(one, inspect.StructType) and (reader := reader_of(one)) is not None
    }
    values = [reader_of(one) for one in types if not isinstance(one, inspect.StructType)]
    of_values = next((reader for reader in values if reader is not None), None)
    if not objects and of_values is None:
        return None

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value if of_values is None else of_values(value)
        for tag, (tag_field, reader) in objects.items():
            if tag_field is None or value.get(tag_field) == tag:
                return reader(value)
        return value

    return read


_ASKED: Final[tuple[type[Any], ...]] = (*REQUESTS, DifferenceRequest, ReconciliationRequest)
_READERS: Final[dict[type, Reader]] = {
    asked: reader
    for asked, kind in zip(_ASKED, inspect.multi_type_info(_ASKED), strict=True)
    if (reader := reader_of(kind)) is not None
}


@cache
def _reader_of(asked: type) -> Reader | None:
    return _READERS.get(asked) or reader_of(inspect.type_info(asked))
