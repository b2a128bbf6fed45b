"""Countries, continents and groups of countries, and in which of them an offer is sold."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from service.core.names.spelling import plain

AreaKind: TypeAlias = Literal["continent", "group", "country"]
Stands: TypeAlias = Literal["yes", "no", "unknown"]
CODE_OF_COUNTRY: Final = 2
"""Letters of a country's code (ISO 3166-1), with which many region codes begin."""
NO_AREAS: Final[frozenset[str]] = frozenset()


class Area(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A country, by its code in small letters (ISO 3166-1), a continent, or a group of countries.

    `within` are the larger areas that it is a part of. `also` are other names of it.
    """

    id: str
    kind: AreaKind
    name: str
    within: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Its name as a request has it: "united-states"."""
        return "-".join(re.findall(r"\w+", self.name.lower()))

    @property
    def around(self) -> frozenset[str]:
        """The area, and all that it is a part of."""
        return frozenset((self.id, *self.within))


class Located(Protocol):
    """What an offer says of where it is sold."""

    @property
    def country(self) -> str:
        """The code of its country. Empty if it names none."""

    @property
    def region(self) -> str:
        """The code or the words of its seller."""


class Where(NamedTuple):
    """The areas in which an offer surely is sold, and those in which it may be.

    A price list for a continent may be of any country there, and one that names no area of any.
    That is `perhaps` None.
    """

    surely: frozenset[str] = NO_AREAS
    perhaps: frozenset[str] | None = None

    def stands_in(self, area: str) -> Stands:
        """Whether an offer is sold in an area."""
        if area in self.surely:
            return "yes"
        return "unknown" if self.perhaps is None or area in self.perhaps else "no"


def names_of_areas(areas: Mapping[str, Area]) -> dict[str, str]:
    """The ids of areas by all their names, in plain letters."""
    return {
        plain(name): area.id for area in areas.values() for name in (area.id, area.name, *area.also)
    }


class Atlas:
    """All areas with their names, to find those that are named."""

    def __init__(self, areas: Mapping[str, Area]) -> None:
        self.areas = areas
        self._names = names_of_areas(areas)
        self._found: dict[tuple[str, str, frozenset[str]], Where] = {}

    def slugs(self) -> dict[str, str]:
        """The names of areas as requests have them, by all names in plain letters."""
        return {name: self.areas[id].slug for name, id in self._names.items()}

    def named(self, text: str) -> Area | None:
        """The area of this name, if there is one."""
        found = self._names.get(plain(text))
        return None if found is None else self.areas[found]

    def named_by(self, offer: Located) -> tuple[Area, ...]:
        """The areas that an offer names: its country, or all that its region names."""
        country = self.named(offer.country) if offer.country else None
        if country is not None:
            return (country,)
        parts = [self.named(part) or self._first_of(part) for part in offer.region.split("/")]
        found = tuple(area for area in parts if area is not None)
        return found if len(found) == len(parts) else ()

    def where(self, offer: Located, *, seen: frozenset[str]) -> Where:
        """Where an offer is sold, whose seller was seen in some countries."""
        key = (offer.country, offer.region, seen)
        if key not in self._found:
            self._found[key] = self._where(offer, seen)
        return self._found[key]

    def _where(self, offer: Located, seen: frozenset[str]) -> Where:
        named = self.named_by(offer)
        wide = [area for area in named if area.kind != "country"]
        perhaps = _joined(self._around(area.id) for area in wide) if named else None
        found = _joined(area.around for area in named)
        if wide or not named:
            of_seller = (self.areas[country] for country in seen if country in self.areas)
            found |= _joined(
                one.around for one in of_seller if perhaps is None or one.id in perhaps
            )
        return Where(found, perhaps)

    def _around(self, area: str) -> frozenset[str]:
        """The countries of an area, and all that they are parts of."""
        return _joined(self.areas[country].around for country in self.countries_in(area))

    def countries_in(self, area: str) -> frozenset[str]:
        """The countries of an area. Of a country it is that."""
        return frozenset(
            one.id for one in self.areas.values() if one.kind == "country" and area in one.around
        )

    def _first_of(self, region: str) -> Area | None:
        """The area with whose code of two letters a region begins, as in "ca-east-3"."""
        first, *rest = re.split(r"[-_ ]", region.lower())
        return self.areas.get(first) if rest and len(first) == CODE_OF_COUNTRY else None


def _joined(areas: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*areas)
