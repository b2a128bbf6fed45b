"""The stages of a request with their places, and every name in it: what each stands for.

A name may be spelled as people write it. The request is answered as if the name of the catalog had
been sent. A name that stands for nothing, or may stand for several, is an error. All errors are
found, not only the first.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from msgspec import UNSET, Struct, inspect
from msgspec.structs import replace

from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import QuoteError
from service.core.names.kinds import NameKind
from service.core.request.described import DescribedAccelerator
from service.core.request.ids import NAMES
from service.core.request.request import Cluster, QuoteRequest, Stage
from service.core.request.work import Metered

Asked = TypeVar("Asked")
Read: TypeAlias = Callable[[NameKind, str, str], str]
"""What a name of a kind stands for, by its pointer."""
Reader: TypeAlias = Callable[[Any, str, Read], Any]
"""A part of a request, by its pointer, with the names in it read."""
Fields: TypeAlias = dict[str, tuple[str, Reader]]

MOST_ERRORS: Final = 100
"""More names that stand for nothing are not looked up: finding the nearest takes time."""


class PlacedStage(Struct, frozen=True):
    """A stage and the cluster that it runs on, its own or the run's, with their JSON pointers."""

    stage: Stage
    pointer: str
    cluster: Cluster
    cluster_pointer: str


class PlacedDevice(NamedTuple):
    """A described device and where it is described first."""

    said: DescribedAccelerator
    pointer: str


def placed_stages(request: QuoteRequest) -> Iterator[PlacedStage]:
    """Every stage of a request, in order."""
    for index, stage in enumerate(request.run.stages):
        pointer = f"/run/stages/{index}"
        if stage.cluster is UNSET:
            yield PlacedStage(stage, pointer, request.cluster, "/cluster")
        else:
            yield PlacedStage(stage, pointer, stage.cluster, f"{pointer}/cluster")


def described_devices(request: QuoteRequest) -> Iterator[PlacedDevice]:
    """Every description of a device, in the order of the request."""
    if isinstance(request.cluster.device, DescribedAccelerator):
        yield PlacedDevice(request.cluster.device, "/cluster/accelerator")
    for placed in placed_stages(request):
        device, work = placed.cluster.device, placed.stage.work
        if placed.stage.cluster is not UNSET and isinstance(device, DescribedAccelerator):
            yield PlacedDevice(device, f"{placed.cluster_pointer}/accelerator")
        if isinstance(work, Metered) and isinstance(work.measured_on, DescribedAccelerator):
            yield PlacedDevice(work.measured_on, f"{placed.pointer}/work/measured_on")


def with_known_names(request: Asked, catalog: Catalog) -> Asked:
    """The request with the catalog's name for every spelling. Names that are unknown stay."""

    def read(kind: NameKind, asked: str, _: str) -> str:
        return catalog.names[kind].resolve(asked) or asked

    found: Asked = _reader_of_request(cast("Hashable", type(request)))(request, "", read)
    return found


def unknown_names(request: Any, catalog: Catalog) -> tuple[QuoteError, ...]:
    """An error for every name of the request that stands for nothing in the catalog."""
    errors: list[QuoteError] = []

    def read(kind: NameKind, asked: str, pointer: str) -> str:
        if len(errors) < MOST_ERRORS and catalog.names[kind].resolve(asked) is None:
            errors.append(catalog.unknown(kind, asked, pointer=pointer))
        return asked

    _reader_of_request(cast("Hashable", type(request)))(request, "", read)
    return tuple(errors)


def reader_of(kind: inspect.Type) -> Reader | None:
    """How names are read in values of a type. None if there can be none in them."""
    match kind:
        case inspect.Metadata(extra=dict(said)) if NAMES in said:
            return _name(said[NAMES])
        case inspect.Metadata(type=inner):
            return reader_of(inner)
        case inspect.VarTupleType(item_type=item):
            each = reader_of(item)
            return each and _each(each)
        case inspect.StructType():
            return _members(_readers_of_fields(kind))
        case inspect.UnionType(types=types):
            return _alternatives(types)
    return None


def _readers_of_fields(kind: inspect.StructType) -> Fields:
    """The members in which there may be names: as Python calls them, and as the request does."""
    readers = ((field, reader_of(field.type)) for field in kind.fields)
    return {
        field.name: (field.encode_name, reader) for field, reader in readers if reader is not None
    }


def _name(kind: NameKind) -> Reader:
    return lambda value, pointer, read: read(kind, value, pointer)


def _each(reader: Reader) -> Reader:
    def read_each(values: Any, pointer: str, read: Read) -> Any:
        return tuple(reader(one, f"{pointer}/{index}", read) for index, one in enumerate(values))

    return read_each


def _members(readers: Fields) -> Reader | None:
    """An object whose members are read where they can hold names."""
    if not readers:
        return None

    def read_members(value: Any, pointer: str, read: Read) -> Any:
        changed = {}
        for name, (said, reader) in readers.items():
            member = getattr(value, name)
            if member is not UNSET:
                found = reader(member, f"{pointer}/{said}", read)
                if found != member:
                    changed[name] = found
        return replace(value, **changed) if changed else value

    return read_members


def _alternatives(types: tuple[inspect.Type, ...]) -> Reader | None:
    """The reader of the alternative that a value is."""
    readers = {
        one.cls if isinstance(one, inspect.StructType) else str: reader
        for one in types
        if (reader := reader_of(one)) is not None
    }

    def read_alternative(value: Any, pointer: str, read: Read) -> Any:
        reader = readers.get(type(value))
        return value if reader is None else reader(value, pointer, read)

    return read_alternative if readers else None


@cache
def _reader_of_request(asked: Hashable) -> Reader:
    return reader_of(inspect.type_info(asked)) or _as_it_is


def _as_it_is(value: Any, pointer: str, read: Read) -> Any:  # noqa: ARG001 - has no names
    return value
