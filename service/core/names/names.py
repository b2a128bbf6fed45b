"""Names that are known: which one a spelling stands for, and which look most like it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from heapq import nsmallest
from itertools import pairwise
from typing import Final, NamedTuple

from service.core.names.spelling import Spelling, dashed, folded, plain, spaceless

NEAREST_LISTED: Final = 5
MEANT_LISTED: Final = 12
"""Most names that are listed if each of them may be meant."""
LONGEST_READ: Final = 64
"""Characters of the longest text that is read as a spelling. A longer one takes long to read."""

MOST_REMEMBERED: Final = 512
"""Spellings of which it is remembered what they stand for, at some 200 bytes each."""


NO_NAMES: Final[Mapping[str, str]] = {}


class Index(NamedTuple):
    """Which pairs of characters each of some names has: one bit for each pair that any has."""

    places: dict[str, int]
    masks: tuple[int, ...]


class Names:
    """Known names. What is asked for and is not among them is first read as a spelling of one.

    `whole` are other names by their plain letters, which stand for one each. The indexes are made
    when they are first needed.
    """

    def __init__(
        self,
        names: Iterable[str],
        spellings: Iterable[Spelling] = (),
        *,
        codes: bool = False,
        whole: Mapping[str, str] = NO_NAMES,
    ) -> None:
        self._names = tuple(names)
        self._spellings = tuple(spellings)
        self._whole = whole
        self._resolved = lru_cache(MOST_REMEMBERED)(self._read)
        self._forms = (dashed, spaceless if codes else folded)
        """Of codes, dashes count."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def resolve(self, asked: str) -> str | None:
        """The known name that is meant. None if there is none, or if it may be one of several.

        Long texts are not remembered: they are whatever a caller sent.
        """
        if asked in self._known:
            return asked
        return self._resolved(asked) if len(asked) <= LONGEST_READ else self._read(asked)

    def _read(self, asked: str) -> str | None:
        for found in self._readings(asked):
            if len(found) == 1:
                return found[0]
            if found:
                return None
        return None

    def meant(self, asked: str) -> tuple[str, ...]:
        """The names that a spelling may stand for, as it fits several or is only a part."""
        if asked in self._known:
            return (asked,)
        for found in self._readings(asked):
            if found:
                return found[:MEANT_LISTED]
        if len(asked) > LONGEST_READ:
            return ()
        text = folded(asked)
        completed = (one.name for one in self._spellings if one.completes(text))
        return tuple(dict.fromkeys(completed))[:MEANT_LISTED]

    def nearest(self, asked: str) -> tuple[str, ...]:
        """Those that may be meant, and then the few that look most like the asked name.

        Names of which all words stand in what was asked look most like it.
        """
        meant = self.meant(asked) or self._held(asked)
        alike = self.alike(asked)
        return tuple(dict.fromkeys(meant + alike))[: max(NEAREST_LISTED, len(meant))]

    def _held(self, asked: str) -> tuple[str, ...]:
        if len(asked) > LONGEST_READ:
            return ()
        text = folded(asked)
        held = (one.name for one in self._spellings if one.words and one.holds(text))
        return tuple(dict.fromkeys(held))[:MEANT_LISTED]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._names)

    @cached_property
    def _by_form(self) -> tuple[Mapping[str, tuple[str, ...]], ...]:
        """The names by each form that is compared, the strictest first."""
        return tuple(_grouped(self._names, form) for form in self._forms)

    def _readings(self, asked: str) -> Iterator[tuple[str, ...]]:
        """The names that each way of reading finds, the strictest way first."""
        for form, by_form in zip(self._forms, self._by_form, strict=True):
            yield by_form.get(form(asked), ())
        if (named := self._whole.get(plain(asked))) is not None:
            yield (named,)
        if len(asked) > LONGEST_READ:
            return
        text = folded(asked)
        found = [one for one in self._spellings if one.reads(text)]
        yield tuple(dict.fromkeys(one.name for one in found if one.assumed))
        yield tuple(dict.fromkeys(one.name for one in found))

    @cached_property
    def _index(self) -> Index:
        """Bits rather than sets of pairs: a known name takes some 100 bytes, and not 2,300."""
        places: dict[str, int] = {}
        masks = []
        for name in self._names:
            pairs = pairs_of(name.lower())
            masks.append(sum(1 << places.setdefault(pair, len(places)) for pair in pairs))
        return Index(places, tuple(masks))

    def alike(self, asked: str) -> tuple[str, ...]:
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


def _grouped(names: Iterable[str], form: Callable[[str], str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        key = form(name)
        found[key] = (*found.get(key, ()), name)
    return found


def pairs_of(name: str) -> frozenset[str]:
    """All pairs of neighbouring characters. The ends of the name count as characters."""
    return frozenset(map("".join, pairwise(f" {name} ")))
