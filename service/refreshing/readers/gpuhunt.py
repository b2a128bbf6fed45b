"""gpuhunt's catalog (github.com/dstackai/gpuhunt): instances of ten sellers, on demand and spot.

Where it is read from is gpuhunt's own matter: `GPUHUNT_CATALOG_DIR` is a directory of its files,
`GPUHUNT_CATALOG_URL` an address other than that where it is published. It has no reserved prices,
and the memory of some devices in it is wrong, so only names tell devices apart that have one size.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from service.core.catalog.catalog import PriceKind
from service.refreshing.listing import MALFORMED, LeftOut, Listing, Origin, Read, Unreadable
from service.refreshing.readers.dates import Dated, day_of_file

DIRECTORY: Final = "GPUHUNT_CATALOG_DIR"
COUNTRY_LETTERS: Final = 2
MISSING: Final = "gpuhunt is not installed; install runquote with its extra: runquote[refresh]"


class Warnings(logging.Handler):
    """What gpuhunt says of rows and files that it cannot read."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[LeftOut] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of the log, with what was raised."""
        cause = f": {record.exc_info[1]}" if record.exc_info and record.exc_info[1] else ""
        self.told.append(LeftOut("gpuhunt", record.getMessage() + cause, MALFORMED))


def read_gpuhunt(*, observed_on: str, today: str) -> Read:
    """All listings of gpuhunt's published catalogs. Raises `Unreadable`."""
    try:
        import gpuhunt  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Unreadable(MISSING) from error
    directory = os.environ.get(DIRECTORY)
    with _warnings() as warnings:
        catalog = gpuhunt.Catalog(balance_resources=False, auto_reload=False)
        if directory is None:
            try:
                catalog.load()
            except gpuhunt.GPUHuntError as error:
                raise Unreadable(f"gpuhunt: {error}") from error
            files = {
                provider: Dated(observed_on or today, "source") for provider in catalog.catalog
            }
        else:
            files = {
                file.stem: day_of_file(file, stated=observed_on)
                for file in sorted(Path(directory).glob("*.csv"))
            }
        if not files:
            raise Unreadable(f"gpuhunt: there is no catalog in {directory}")
        for provider, dated in files.items():
            try:
                items = catalog.query(provider=provider, min_gpu_count=1)
            except ValueError as error:
                yield LeftOut(f"gpuhunt {provider}.csv", str(error))
                continue
            for number, item in enumerate(items, 1):
                yield listing_of(item, number=number, dated=dated)
        yield from warnings.told


@contextmanager
def _warnings() -> Iterator[Warnings]:
    log, handler = logging.getLogger("gpuhunt"), Warnings()
    propagates, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.propagate = propagates


def listing_of(item: Any, *, number: int, dated: Dated) -> Listing | LeftOut:
    """An item of gpuhunt as a listing."""
    file = f"{item.provider}.csv"
    where = f"gpuhunt {file}, item {number} ({item.instance_name}, {item.location})"
    if not item.gpu_name:
        return LeftOut(where, "names no device")
    if "runpod-cluster" in item.flags:
        return LeftOut(where, "the price of a whole cluster, beside that of its nodes")
    return Listing(
        where=where,
        origin=Origin(
            name="gpuhunt",
            part=item.provider,
            title="gpuhunt catalog by dstack",
            locator=file,
            licence="MPL-2.0; prices are the sellers'",
            url="https://github.com/dstackai/gpuhunt",
        ),
        provider=item.provider,
        accelerator=f"{item.gpu_name}",
        devices=item.gpu_count,
        price_per_hour=item.price,
        price_kind=_kind(item),
        region=_region(item),
        instance_type=item.instance_name,
        observed_on=dated.day,
        date_basis=dated.basis,
        memory_gb=item.gpu_memory or None,
        vcpus=item.cpu or None,
        ram_gb=item.memory or None,
    )


def _kind(item: Any) -> PriceKind:
    """RunPod's community hosts stand under a country, its own under a data centre."""
    if item.provider == "runpod" and len(item.location) == COUNTRY_LETTERS:
        return "community"
    return "spot" if item.spot else "on_demand"


def _region(item: Any) -> str:
    """Google's zones as regions; all other places as they are."""
    location: str = item.location
    return location.rsplit("-", 1)[0] if item.provider == "gcp" else location
