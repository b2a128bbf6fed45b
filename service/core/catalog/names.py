"""Names that are known, and which of them look most like one that is not."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from heapq import nsmallest
from itertools import pairwise
from typing import Final, NamedTuple

NEAREST_LISTED: Final = 5


class Index(NamedTuple):
    """Which pairs of characters each of some names has: one bit for each pair that any has."""

    places: dict[str, int]
    masks: tuple[int, ...]


class Names:
    """Known names. The index is made when a name is asked for that is not among them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @cached_property
    def _index(self) -> Index:
        """Bits rather than sets of pairs: a known name takes some 100 bytes, and not 2,300."""
        places: dict[str, int] = {}
        masks = []
        for name in self._names:
            pairs = pairs_of(name.lower())
            masks.append(sum(1 << places.setdefault(pair, len(places)) for pair in pairs))
        return Index(places, tuple(masks))

    def nearest(self, asked: str) -> tuple[str, ...]:
        """The few known names that look most like the asked one, best first. Never empty if any.

        Two names are as alike as the share of pairs of neighbouring characters that they have in
        common (Dice 1945). Names that contain the asked one come first. Ties go to the shortest.
        """
        sought = asked.lower()
        pairs = pairs_of(sought)
        places, masks = self._index
        wanted = sum(1 << places[pair] for pair in pairs if pair in places)
        unlikeness = (
            (
                -(sought in name.lower())
                - 2.0 * (wanted & mask).bit_count() / (len(pairs) + mask.bit_count()),
                len(name),
                name,
            )
            for name, mask in zip(self._names, masks, strict=True)
        )
        return tuple(name for _, _, name in nsmallest(NEAREST_LISTED, unlikeness))


def pairs_of(name: str) -> frozenset[str]:
    """All pairs of neighbouring characters. The ends of the name count as characters."""
    return frozenset(map("".join, pairwise(f" {name} ")))
