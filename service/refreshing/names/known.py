"""Our id for a seller and for a device, from what a source calls them. A name is never guessed."""

import csv
import re
from pathlib import Path
from typing import Final, NamedTuple

from service.core.catalog.catalog import Catalog, Offer
from service.refreshing.listing import Listing

HERE: Final = Path(__file__).parent
VENDORS: Final = re.compile(
    r"\b(NVIDIA|AMD|INTEL|AWS|GOOGLE|GEFORCE|TESLA|INSTINCT|BLACKWELL|GENERATION|GPU|SERVER"
    r"|WORKSTATION|EDITION|WS|SE|OAM|HBM\d?E?)\b"
)
MEMORY: Final = re.compile(r"(?<![0-9])(\d{2,3})\s*GB\b")
FORM: Final = re.compile(r"(?<![A-Z])(SXM|PCIE|NVL)\d?(?![A-Z])")
MEMORY_TOLERANCE: Final = 0.08
"""80 GB are listed as 79.6 or 80; 94 is another device."""


class Device(NamedTuple):
    """One of our devices, and whether the source has stated which of its forms it is."""

    id: str
    stated: bool


class Row(NamedTuple):
    """A line of `devices.csv`. What is empty is left open."""

    name: str
    memory_gb: float | None
    form: str
    accelerator: str
    form_stated: bool


class Known:
    """The sellers and devices of a catalog, by all the names that they are known under."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        aliases = {
            alias: seller.id for seller in catalog.providers.values() for alias in seller.aliases
        }
        self._sellers = (
            {id: id for id in catalog.providers}
            | aliases
            | {
                row["name"]: row["provider"]
                for row in rows_of("sellers.csv")
                if row["provider"] in catalog.providers
            }
        )
        self._devices = device_rows()
        self._aliases = {plain(name): id for name, id in catalog.accelerator_aliases.items()}
        self._instances: dict[tuple[str, str], Offer] = {
            (offer.provider, offer.instance_type.lower()): offer
            for offer in catalog.offers.values()
        }
        self._countries = {
            (site.provider, site.region): site.country for site in catalog.sites.values()
        } | {(o.provider, o.region): o.country for o in catalog.offers.values() if o.country}

    def seller(self, name: str) -> str | None:
        """The id of a seller."""
        return self._sellers.get(re.sub(r"[\s_]+", "-", name.strip().lower()))

    def instance(self, seller: str, instance_type: str) -> Offer | None:
        """An offer of the catalog for the same kind of instance."""
        return self._instances.get((seller, instance_type.lower()))

    def country(self, seller: str, region: str) -> str:
        """The country in which a seller's region lies. Empty if it is not known."""
        return self._countries.get((seller, region), "")

    def device(self, seller: str, listing: Listing) -> Device | None:
        """The device of a listing: what the catalog has for this instance, or else by its name."""
        if listing.accelerator in self._catalog.accelerators:
            return Device(listing.accelerator, stated=True)
        by_name = self._by_name(listing)
        known = self.instance(seller, listing.instance_type)
        if known is not None and by_name is not None and is_variant(known.accelerator, by_name.id):
            return Device(known.accelerator, stated=known.form_factor != "assumed")
        return by_name

    def _by_name(self, listing: Listing) -> Device | None:
        name = bare(listing.accelerator)
        found = MEMORY.search(listing.accelerator.upper().replace("-", " "))
        memory = float(found[1]) if found else listing.memory_gb
        form = listing.form or form_in(listing.accelerator) or form_in(listing.instance_type)
        fitting = [row for row in self._devices if row.name == name and fits(row, memory, form)]
        alias = self._aliases.get(plain(listing.accelerator))
        if not fitting:
            return None if alias is None else Device(alias, stated=False)
        id, stated = fitting[0].accelerator, fitting[0].form_stated
        return Device(id, stated) if id in self._catalog.accelerators else None


def rows_of(file: str) -> list[dict[str, str]]:
    """The rows of a table beside this module."""
    with (HERE / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def device_rows() -> list[Row]:
    """The names of devices, those that say most first."""
    rows = [
        Row(
            name=row["name"],
            memory_gb=float(row["memory_gb"]) if row["memory_gb"] else None,
            form=row["form"],
            accelerator=row["accelerator"],
            form_stated=row["form_stated"] == "true",
        )
        for row in rows_of("devices.csv")
    ]
    return sorted(rows, key=lambda row: -((row.memory_gb is not None) + bool(row.form)))


def bare(name: str) -> str:
    """A device's name without its maker, its memory, its form, and without signs."""
    upper = re.sub(r"[_\-/()]+", " ", name.upper())
    for noise in (VENDORS, MEMORY, FORM):
        upper = noise.sub(" ", upper)
    return plain(upper)


def plain(name: str) -> str:
    """A name without signs and case."""
    return re.sub(r"[^A-Z0-9]+", "", name.upper())


def form_in(text: str) -> str:
    """The form factor that a text states. Empty if it states none."""
    found = FORM.search(re.sub(r"[_\-./]+", " ", text.upper()))
    return found[1] if found else ""


def fits(row: Row, memory_gb: float | None, form: str) -> bool:
    """Whether a line allows this memory and form. What a line states has to be known."""
    if row.memory_gb is not None and (
        memory_gb is None or abs(memory_gb / row.memory_gb - 1) > MEMORY_TOLERANCE
    ):
        return False
    return not row.form or row.form == form


def is_variant(one: str, other: str) -> bool:
    """Whether two ids are of one family: `nvidia-a100-sxm-80gb` and `nvidia-a100-pcie-80gb`."""
    return one.split("-")[:2] == other.split("-")[:2]
