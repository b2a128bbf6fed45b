"""Printed names of devices, and the rows of the catalog that they mean."""

import re
from typing import Final

from msgspec import UNSET, UnsetType

from service.core.catalog.catalog import Accelerator, Catalog

BESIDE_THE_NAME: Final = re.compile(r"sxm\d?|pcie|nvl|rtx|tpu|ascend|\d+gb")
"""Words of an id that several devices share: form factors, memory, product lines."""
DOMAIN_IN_SYSTEMS: Final = {"nvidia-gh200-96gb": 4.0, "nvidia-gh200-144gb": 4.0}
"""Superchips of Grace and Hopper stand in nodes of four in all systems that runs are published of.

Source: Alps, JUPITER and Isambard-AI, each a node of four by NVLink.
"""


def accelerator_named(name: str, catalog: Catalog) -> Accelerator | None:
    """The catalog's accelerator of an id or of a printed name, if there is one.

    A printed name has all words of the id that no other device shares. Of several such ids the one
    with the longest words is meant, then the one that has more of its other words in the name. A
    name that leaves form factor or memory open is an alias of the catalog.
    """
    if name in catalog.accelerators:
        return catalog.accelerators[name]
    joined = letters_of(name)
    aliases = {letters_of(alias): id for alias, id in catalog.accelerator_aliases.items()}
    for spelled in (joined, letters_of(re.sub(r"(?i)nvidia|amd|google|aws|intel|tesla", "", name))):
        if spelled in aliases:
            return catalog.accelerators[aliases[spelled]]

    def likeness(id: str) -> tuple[int, int, int]:
        words = id.split("-")[1:]
        own = [word for word in words if not BESIDE_THE_NAME.fullmatch(word)]
        if not own or not all(word in joined for word in own):
            return (0, 0, 0)
        shared = sum(word in joined for word in words)
        return (sum(map(len, own)), shared, -len(words))

    best = max(catalog.accelerators, key=likeness)
    return catalog.accelerators[best] if likeness(best)[0] else None


def letters_of(name: str) -> str:
    """A name without what people write differently: case, spaces, dashes."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def domain_in_systems(id: str, devices: float | None) -> float | UnsetType:
    """Devices that share a fast link in published systems, where they are not sold so."""
    together = DOMAIN_IN_SYSTEMS.get(id)
    return UNSET if together is None or not devices else min(together, devices)
