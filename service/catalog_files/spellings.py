"""`spellings.csv`: how people write the names of devices, models, sellers and regions."""

import re
from collections.abc import Container, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Final

from msgspec import Meta, Struct

from service.catalog_files.files import DataFiles
from service.core.catalog.catalog import Provider, Site
from service.core.names.kinds import NameKind
from service.core.names.spelling import Spelling, spelling_of

Ids = Annotated[str, Meta(min_length=1, max_length=128)]
Spellings = dict[NameKind, tuple[Spelling, ...]]
IN_BRACKETS: Final = re.compile(r"\(([^)]+)\)")
SITE_PREFIX: Final = ":"
"""What stands between the seller, or `grid`, and the rest of the id of a site."""


class SpellingRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `spellings.csv`.

    `ids` is an id, or a pattern that several fit. `beside` has the words that may stand beside
    those of the spelling. Without a spelling, they may stand beside all spellings of these ids.
    """

    kind: NameKind
    ids: Ids
    spelling: str = ""
    beside: str = ""
    assumed: bool = False


def read_spellings(
    files: DataFiles,
    known: Mapping[NameKind, Iterable[str]],
    *,
    aliases: Mapping[str, str],
    providers: Mapping[str, Provider],
    sites: Mapping[str, Site],
) -> Spellings:
    """The spellings of each kind of name: those of the file, and those that other rows tell.

    `aliases` are names of devices in print. The name of a site is also a spelling of its region.
    """
    rows: dict[NameKind, list[SpellingRow]] = {kind: [] for kind in known}
    for place, row in files.csv_rows("spellings.csv", SpellingRow):
        if not any(fnmatchcase(id, row.ids) for id in known.get(row.kind, ())):
            place.report(f"no {row.kind} has an id like {row.ids!r}")
        elif row.spelling and row.ids not in set(known[row.kind]):
            place.report(f"a spelling belongs to one id, not to {row.ids!r}")
        else:
            rows[row.kind].append(row)
    found: Spellings = {
        kind: tuple(one for id in ids for one in _spellings_of(id, rows[kind]))
        for kind, ids in known.items()
    }
    printed = (spelling_of(id, alias, assumed=True) for alias, id in aliases.items())
    found["accelerator"] = (*found["accelerator"], *printed)
    sellers = (
        spelling_of(seller.id, alias)
        for seller in providers.values()
        for alias in seller.aliases
        if alias not in providers
    )
    found["provider"] = (*found["provider"], *sellers)
    found["site"] = tuple(one for site in sites.values() for one in _spellings_of_site(site))
    found["region"] = (*found["region"], *_spellings_of_regions(sites, set(known["region"])))
    return found


def _spellings_of(id: str, rows: Iterable[SpellingRow]) -> Iterable[Spelling]:
    """The id itself with words beside it, and its other spellings."""
    own = [row for row in rows if fnmatchcase(id, row.ids)]
    beside = [word for row in own if not row.spelling for word in row.beside.split()]
    if own:
        yield spelling_of(id, id, beside=beside)
    for row in own:
        if row.spelling:
            words = (*beside, *row.beside.split())
            yield spelling_of(id, row.spelling, beside=words, assumed=row.assumed)


def _spellings_of_site(site: Site) -> Iterable[Spelling]:
    """Its name, and its id without the part that says whose it is."""
    yield spelling_of(site.id, site.name)
    yield spelling_of(site.id, site.id.rpartition(SITE_PREFIX)[2])


def _spellings_of_regions(sites: Mapping[str, Site], regions: Container[str]) -> Iterable[Spelling]:
    """The name of a seller's region, and the place in its brackets, if there is an offer there."""
    for site in sites.values():
        if site.region in regions and site.name != site.region:
            for text in (site.name, *IN_BRACKETS.findall(site.name)):
                yield spelling_of(site.region, text, beside=(site.provider,))
