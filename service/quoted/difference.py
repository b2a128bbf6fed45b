"""Why two quotes differ: asks for both, and for each request by the engine of the other."""

import asyncio
from typing import Final, NamedTuple

import msgspec

from service.core.answer import EngineStamp
from service.core.catalog.errors import NotQuotable
from service.core.differing.difference import Anew, difference
from service.core.differing.kept import kept_quote
from service.core.request.about_quotes.difference import DifferenceRequest
from service.quoted.sides import Filed, quote_of_side, quoted_as
from service.quoting import Quoting, Work

SECONDS_PER_LINE: Final = 0.0003
"""Seconds of a processor that comparing a line takes (measured: 0.2 ms)."""


async def difference_of(request: DifferenceRequest, quoting: Quoting) -> bytes:
    """Why two quotes differ. Raises `NotQuotable`, `Busy` or `CacheUnavailable`."""
    before = await quote_of_side(request.before, quoting, pointer="/before")
    await asyncio.sleep(0)  # others have their turn between the heads of two large quotes
    after = await quote_of_side(request.after, quoting, pointer="/after")
    crosswise = await quoted_crosswise(before, after, quoting)
    sides = Sides(before, after, crosswise, quoting.engine)
    work = Work(
        here=lambda: difference_of_sides(sides),
        task=difference_of_sides,
        asked=sides,
        edition=quoting.shelf.current,
        stages=max(len(before.head.stages), len(after.head.stages)),
        pointer="/after",
    )
    return await quoting.worked(work, seconds=seconds_of(sides))


class Crosswise(NamedTuple):
    """Each request quoted by the engine and edition of the other. None where it was not."""

    before: Filed | None = None
    after: Filed | None = None
    why_not: str = ""


class Sides(NamedTuple):
    """Two quotes, their requests quoted crosswise, and the engine that compares them."""

    before: Filed
    after: Filed
    crosswise: Crosswise
    engine: EngineStamp


def seconds_of(sides: Sides) -> float:
    """Seconds of a processor that a difference takes: its quotes are read and compared."""
    before, after, crosswise, _ = sides
    read = [one for one in (before, after, *crosswise[:2]) if one is not None]
    compared = (before.head.lines + after.head.lines) * SECONDS_PER_LINE
    return compared + sum(one.seconds for one in read)


def difference_of_sides(sides: Sides, *_: object) -> bytes:
    """Why two quotes differ, as bytes. No edition is needed for it."""
    before, after, crosswise, engine = sides
    anew = Anew(
        before=None if crosswise.before is None else kept_quote(crosswise.before.body),
        after=None if crosswise.after is None else kept_quote(crosswise.after.body),
        why_not=crosswise.why_not,
    )
    found = difference(kept_quote(before.body), kept_quote(after.body), anew, engine=engine)
    return msgspec.json.encode(found)


async def quoted_crosswise(before: Filed, after: Filed, quoting: Quoting) -> Crosswise:
    """Each request quoted by the engine and edition of the other, where these differ."""
    old, new = before.head, after.head
    if old.made_alike(new) or bytes(old.request) == bytes(new.request):
        return Crosswise()
    why_not = []
    anew: dict[str, Filed | None] = {}
    for side, maker, of in (("before", new, old), ("after", old, new)):
        try:
            anew[side] = await quoted_as(maker, of=of, quoting=quoting)
        except (NotQuotable, msgspec.ValidationError) as error:
            anew[side] = None
            why_not.append(f"{maker.catalog.version} cannot quote the request {side}: {error}")
        else:
            if anew[side] is None:
                why_not.append(
                    f"engine {maker.engine.version} with the edition {maker.catalog.version} is "
                    "not at hand"
                )
    return Crosswise(anew["before"], anew["after"], "; ".join(why_not))
