"""A price as somebody lists it, before it is known what that is here, and whether it is right."""

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from service.core.catalog.catalog import PriceKind

SourceName: TypeAlias = Literal["gpuhunt", "gpu-price-feed", "skypilot", "own"]


MALFORMED: Final = "a row that cannot be read"


class Origin(Struct, frozen=True, kw_only=True):
    """Where prices were read: what becomes a line of `sources.csv`."""

    name: SourceName
    part: str
    """What tells one file or seller of a source from the others."""
    title: str
    locator: str
    licence: str
    url: str = ""


class Listing(Struct, frozen=True, kw_only=True):
    """A price for the hour of an instance, with the names that its source uses.

    `form` is the form factor where the source states it: SXM, PCIE or NVL.
    """

    where: str
    origin: Origin
    provider: str
    accelerator: str
    devices: int
    price_per_hour: float
    price_kind: PriceKind
    region: str
    instance_type: str
    observed_on: str
    date_basis: Literal["source", "estimated"]
    currency: Literal["USD", "EUR"] = "USD"
    memory_gb: float | None = None
    form: str = ""
    country: str = ""
    vcpus: int | None = None
    ram_gb: float | None = None
    network_gbps: float | None = None
    note: str = ""


class LeftOut(Struct, frozen=True):
    """A row, or a whole source, that is not taken over, and why.

    `group` is what reasons with numbers of their own have in common.
    """

    where: str
    why: str
    group: str = ""


Read: TypeAlias = Iterator[Listing | LeftOut]
"""What a reader finds, row by row."""


class Unreadable(Exception):
    """A source that cannot be read as a whole; nothing of it is taken over"""
