"""Which line of one quote is which of another: by stage, item and label."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from service.core.differing.kept import KeptBill, KeptLine, KeptQuote

Key: TypeAlias = tuple[str, str, str, int]
"""Stage, item, label, and which of several lines that are alike in these."""


class Pair(Struct, frozen=True, kw_only=True):
    """A line of two bills, or of one of them.

    `before_anew` is the line before as the engine and the edition after make it, and `after_anew`
    the line after as those before make it. They are None where that is not known.
    """

    before: KeptLine | None
    after: KeptLine | None
    before_anew: KeptLine | None = None
    after_anew: KeptLine | None = None


def stages_before(before: KeptQuote, after: KeptQuote) -> dict[str, str]:
    """The stage before of each stage after. Stages of one name are one.

    The others are taken in their order if there are as many on both sides: they were renamed.
    """
    names_before = list(dict.fromkeys(stage.name for stage in before.stages))
    names_after = list(dict.fromkeys(stage.name for stage in after.stages))
    same = {name: name for name in names_after if name in names_before}
    left_before = [name for name in names_before if name not in same]
    left_after = [name for name in names_after if name not in same]
    if len(left_before) != len(left_after):
        return same
    return same | dict(zip(left_after, left_before, strict=True))


def line_pairs(
    before: KeptBill,
    after: KeptBill,
    *,
    before_anew: KeptBill | None,
    after_anew: KeptBill | None,
    renamed: Mapping[str, str],
) -> tuple[Pair, ...]:
    """The lines of two bills, each with its counterpart: those before first, in their order."""
    old, new = by_key(before.lines), by_key(after.lines, renamed)
    old_anew = by_key(() if before_anew is None else before_anew.lines)
    new_anew = by_key(() if after_anew is None else after_anew.lines, renamed)
    return tuple(
        Pair(
            before=old.get(key),
            after=new.get(key),
            before_anew=old_anew.get(key),
            after_anew=new_anew.get(key),
        )
        for key in dict.fromkeys((*old, *new))
    )


def by_key(
    lines: Iterable[KeptLine], renamed: Mapping[str, str] | None = None
) -> dict[Key, KeptLine]:
    """Priced lines by what they are. `renamed` gives the names of stages on the other side."""
    return dict(_keyed(lines, renamed or {}))


def _keyed(lines: Iterable[KeptLine], renamed: Mapping[str, str]) -> Iterator[tuple[Key, KeptLine]]:
    seen: dict[tuple[str, str, str], int] = {}
    for line in lines:
        alike = (renamed.get(line.stage, line.stage), line.item, line.label)
        seen[alike] = seen.get(alike, 0) + 1
        if line.amount is not None:
            yield (*alike, seen[alike]), line
