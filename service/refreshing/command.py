"""`runquote catalog refresh`: reads, checks, prints what moved, and writes an edition."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from service.catalog_files import CatalogError
from service.catalog_files.files import is_day, rank_of
from service.editions.edition import Edition, Recipe, made_of
from service.editions.shelf import Shelf, Sources, stocked_shelf
from service.refreshing.checking import FACTOR, Taken, by_reason, checked
from service.refreshing.composing import composed
from service.refreshing.listing import LeftOut, Read, Unreadable
from service.refreshing.moving import Moved, moved
from service.refreshing.readers.feed import read_feed
from service.refreshing.readers.gpuhunt import read_gpuhunt
from service.refreshing.readers.own import read_own
from service.refreshing.readers.skypilot import read_skypilot
from service.refreshing.writing import newest_version, next_version, write_overlay

SHOWN: Final = 20
"""Rows of each table that are shown unless all are asked for."""
SAME: Final = 0.0005
"""A price that moved by less than this share is the same, read in another file."""

out = Console()
err = Console(stderr=True)


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be read, and how it is dated."""

    gpuhunt: bool
    feed: Path | None
    skypilot: Path | None
    own: tuple[Path, ...]
    observed_on: str
    day: str


def fail(message: str, *, status: int = 1) -> NoReturn:
    """Print what is wrong on standard error and exit."""
    err.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(status)


def refresh(
    catalog_dir: Annotated[
        Path,
        typer.Option(
            "--catalog-dir",
            envvar="RUNQUOTE_CATALOG_DIR",
            help="Folder of editions, where the new one is written.",
        ),
    ],
    *,
    gpuhunt: Annotated[
        bool,
        typer.Option(
            "--gpuhunt",
            help="Read gpuhunt's catalog; GPUHUNT_CATALOG_DIR or GPUHUNT_CATALOG_URL say where. "
            "Needs the extra refresh.",
        ),
    ] = False,
    feed: Annotated[
        Path | None,
        typer.Option(help="prices.json of gpu-price-feed, schema 2.", metavar="FILE"),
    ] = None,
    skypilot: Annotated[
        Path | None,
        typer.Option(
            help="Directory of SkyPilot's catalog with vms.csv for each cloud.", metavar="DIR"
        ),
    ] = None,
    csv: Annotated[
        list[Path] | None,
        typer.Option("--csv", help="A price list of your own; may be repeated.", metavar="FILE"),
    ] = None,
    observed_on: Annotated[
        str,
        typer.Option(
            help="Day of prices whose file prints none; by default the day the file was changed.",
            metavar="DATE",
        ),
    ] = "",
    day: Annotated[
        str, typer.Option("--date", help="Day of the edition; by default today.", metavar="DATE")
    ] = "",
    factor: Annotated[
        float,
        typer.Option(min=1.0, max=1000.0, help="Leave out prices this far outside of the known."),
    ] = FACTOR,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print, and write nothing.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Show every row that is told of.")] = False,
) -> None:
    """Write a later edition of the catalog from newer prices, and print what moved.

    A row of an unknown seller or device, or at a price that cannot be right, is left out and told.
    """
    for name, text in (("--date", day), ("--observed-on", observed_on)):
        if text and not (is_day(text) and len(text) == len("2026-01-01")):
            fail(f"{name} is a date such as 2026-12-01, not {text!r}", status=2)
    now = datetime.now(UTC)
    today = day or now.date().isoformat()
    asked = Asked(
        gpuhunt=gpuhunt,
        feed=feed,
        skypilot=skypilot,
        own=tuple(csv or ()),
        observed_on=observed_on,
        day=today,
    )
    if not (gpuhunt or feed or skypilot or csv):
        fail("nothing to read: name --gpuhunt, --feed, --skypilot or --csv", status=2)
    shelf = shelf_at(catalog_dir)
    taken, left_out = taken_and_left_out(asked, shelf.current, factor=factor)
    print_left_out(left_out, every=every)
    if not taken:
        fail("nothing valid came; the catalog stays as it is")
    published = f"{today}T00:00:00Z" if day else now.strftime("%Y-%m-%dT%H:%M:%SZ")
    edition = edition_of(taken, shelf, catalog_dir, day=today, published_at=published)
    print_moved(moved(shelf.current.catalog, edition.catalog), every=every)
    told = f"edition {edition.version}: {len(taken)} rows taken over, {len(left_out)} left out"
    if dry_run:
        out.print(f"{told}; nothing is written", highlight=False, soft_wrap=True)
        return
    try:
        place = write_overlay(catalog_dir, edition.version, edition.recipe.overlay)
    except OSError as error:
        fail(f"the edition could not be written: {error}")
    out.print(f"{told}; written to {place}", highlight=False, soft_wrap=True)


def shelf_at(folder: Path) -> Shelf:
    """The editions of a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return stocked_shelf(Sources(folder=folder))
    except (CatalogError, OSError) as error:
        fail(str(error))


def taken_and_left_out(
    asked: Asked, current: Edition, *, factor: float
) -> tuple[list[Taken], list[LeftOut]]:
    """What is taken over of all sources, and what is not."""
    found = [*checked(read(asked), current.catalog, today=asked.day, factor=factor)]
    taken = [one for one in found if isinstance(one, Taken)]
    return taken, [one for one in found if isinstance(one, LeftOut)]


def read(asked: Asked) -> Read:
    """All listings of all sources. One that cannot be read does not stop the others."""
    if asked.gpuhunt:
        yield from _sound("gpuhunt", read_gpuhunt(observed_on=asked.observed_on, today=asked.day))
    if asked.feed is not None:
        yield from _sound(str(asked.feed), read_feed(asked.feed))
    if asked.skypilot is not None:
        listings = read_skypilot(asked.skypilot, observed_on=asked.observed_on)
        yield from _sound(str(asked.skypilot), listings)
    for path in asked.own:
        yield from _sound(str(path), read_own(path, observed_on=asked.observed_on))


def _sound(name: str, listings: Read) -> Read:
    """The listings of a source, or why it cannot be read."""
    try:
        yield from listings
    except Unreadable as error:
        yield LeftOut(name, f"cannot be read: {error}")


def edition_of(
    taken: Sequence[Taken], shelf: Shelf, folder: Path, *, day: str, published_at: str
) -> Edition:
    """The new edition, made and checked as the service would, before a byte is written."""
    embedded = shelf.standing.embedded
    version = next_version(folder, day, embedded=embedded.version)
    newest = newest_version(folder, embedded=embedded.version)
    if rank_of(version) < rank_of(newest):
        fail(f"edition {version} would not be the newest: there is {newest}; give a later --date")
    texts = composed(
        taken,
        version=version,
        published_at=published_at,
        before=shelf.current.recipe.overlay,
        used=embedded.catalog.offers,
    )
    try:
        return made_of(Recipe(overlay=texts))
    except CatalogError as error:
        fail(f"the new edition is not sound, and is not written:\n{error}")


def print_left_out(left_out: Sequence[LeftOut], *, every: bool) -> None:
    """What was left out, by reason, those with most rows first."""
    if not left_out:
        return
    groups = sorted(by_reason(left_out).items(), key=lambda group: -len(group[1]))
    table = Table(title=f"left out: {len(left_out)}", title_justify="left")
    for column in ("rows", "why", "where" if every else "the first of them"):
        table.add_column(column, overflow="fold")
    for why, rows in groups if every else groups[:SHOWN]:
        told = [f"{one.where}: {one.why}" if one.group else one.where for one in rows]
        table.add_row(str(len(rows)), why, "\n".join(told if every else told[:1]))
    err.print(table)
    if not every and len(groups) > SHOWN:
        err.print(f"and {len(groups) - SHOWN} more reasons; --all shows them")


def print_moved(found: Sequence[Moved], *, every: bool) -> None:
    """What moved, and how many prices are new or stayed."""
    changed = [one for one in found if one.ratio is not None and abs(one.ratio - 1.0) > SAME]
    fresh = [one for one in found if one.ratio is None]
    stayed = len(found) - len(changed) - len(fresh)
    table = Table(
        title=f"moved: {len(changed)} (dollars per device-hour, the newest of each seller)",
        title_justify="left",
    )
    for column in ("seller", "device", "kind", "old", "new", "ratio"):
        table.add_column(column, overflow="fold")
    for row in rows_of([*changed, *fresh] if every else changed[:SHOWN]):
        table.add_row(*row)
    out.print(table)
    more = "" if every or len(changed) <= SHOWN else f"; {len(changed) - SHOWN} more with --all"
    out.print(f"{len(fresh)} are new, {stayed} are as they were{more}", highlight=False)


def rows_of(found: Sequence[Moved]) -> Iterator[tuple[str, ...]]:
    """The cells of each move."""
    for one in found:
        old = "" if one.old_usd is None else f"{one.old_usd:.4g} ({one.old_day})"
        ratio = "new" if one.ratio is None else f"{one.ratio:.3g}"
        new = f"{one.new_usd:.4g} ({one.new_day})"
        yield one.provider, one.accelerator, one.price_kind, old, new, ratio
