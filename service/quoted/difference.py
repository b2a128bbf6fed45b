"""Why two quotes differ: asks for both, and for each request by the engine of the other."""

from typing import Final, NamedTuple

import msgspec

from service.core.answer import EngineStamp
from service.core.catalog.errors import NotQuotable
from service.core.differing.difference import Anew, difference
from service.core.differing.kept import KeptQuote
from service.core.request.about_quotes.difference import DifferenceRequest
from service.quoted.sides import quote_of_side, quoted_as
from service.quoting import Quoting, Work

SECONDS_PER_LINE: Final = 0.0003
"""Seconds of a processor that comparing a line takes (measured: 0.2 ms)."""


async def difference_of(request: DifferenceRequest, quoting: Quoting) -> bytes:
    """Why two quotes differ. Raises `NotQuotable`, `Busy` or `CacheUnavailable`."""
    before = await quote_of_side(request.before, quoting, pointer="/before")
    after = await quote_of_side(request.after, quoting, pointer="/after")
    anew = await quoted_crosswise(before, after, quoting)
    sides = Sides(before, after, anew, quoting.engine)
    lines = sum(len(bill.lines) for quote in (before, after) for bill in quote.bases)
    work = Work(
        here=lambda: difference_of_sides(sides),
        task=difference_of_sides,
        asked=sides,
        edition=quoting.shelf.current,
        stages=max(len(before.stages), len(after.stages)),
        pointer="/after",
    )
    return await quoting.worked(work, seconds=lines * SECONDS_PER_LINE)


class Sides(NamedTuple):
    """Two quotes, their requests quoted crosswise, and the engine that compares them."""

    before: KeptQuote
    after: KeptQuote
    anew: Anew
    engine: EngineStamp


def difference_of_sides(sides: Sides, *_: object) -> bytes:
    """Why two quotes differ, as bytes. No edition is needed for it."""
    found = difference(sides.before, sides.after, sides.anew, engine=sides.engine)
    return msgspec.json.encode(found)


async def quoted_crosswise(before: KeptQuote, after: KeptQuote, quoting: Quoting) -> Anew:
    """Each request quoted by the engine and edition of the other, where these differ."""
    if before.made_alike(after) or bytes(before.request) == bytes(after.request):
        return Anew()
    why_not = []
    anew: dict[str, KeptQuote | None] = {}
    for side, maker, of in (("before", after, before), ("after", before, after)):
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
    return Anew(before=anew["before"], after=anew["after"], why_not="; ".join(why_not))
