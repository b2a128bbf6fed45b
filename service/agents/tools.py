"""The five tools: what each takes, what it asks the engine, and what it tells."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from msgspec import Struct

from service.agents.asked import (
    MOST_OPTIONS,
    CompareOptions,
    ExplainFigure,
    JudgeClaim,
    QuoteRun,
    SearchCatalog,
)
from service.agents.requests import Written, at_arguments, claim_of, comparison_of, quote_of
from service.agents.rows import rows_told
from service.agents.told import (
    FigureTold,
    Told,
    claim_told,
    figure_told,
    options_told,
    quote_told,
)
from service.agents.words import (
    claim_words,
    figure_words,
    options_words,
    quote_words,
    rows_words,
)
from service.api.refusing.decoding import decoded
from service.api.refusing.errors import EntryNotFound, QuoteNotKept
from service.api.refusing.problems import refusal_of
from service.api.schemas import Schema, schema_of
from service.computing.kinds import CLAIMS, COMPARISONS, QUOTES, Handled
from service.core.names.names import Names
from service.quoting import Quoting
from service.sheet.parts import figure_names, figure_of

NO_COMPONENTS: Final = ("title", "description")


class Tool(Struct, frozen=True, kw_only=True):
    """A tool: what it is for, its arguments, what it does, and how the answer is put in words."""

    name: str
    title: str
    description: str
    arguments: type[Struct]
    call: Callable[[Any, Quoting], Awaitable[Told]]
    words: Callable[[Any], Iterable[str]]

    @property
    def input_schema(self) -> Schema:
        """The schema of its arguments, by the types that read them."""
        return plain_schema(self.arguments)

    async def answer(self, arguments: bytes, quoting: Quoting) -> Told:
        """What it tells. Raises what the API refuses, with pointers into the arguments."""
        asked: Any = decoded(arguments, asked=self.arguments)
        return await self.call(asked, quoting)


def plain_schema(kind: type[Struct]) -> Schema:
    """The schema of a flat type: no components, no description of its own."""
    schema = schema_of(kind)
    (found,) = schema["$defs"].values() if "$defs" in schema else (schema,)
    return {name: value for name, value in found.items() if name not in NO_COMPONENTS}


async def quote_run(asked: QuoteRun, quoting: Quoting) -> Told:
    """Quote a run."""
    written = quote_of(asked)
    return await told_of(written, QUOTES, quoting, quote_told)


async def compare_options(asked: CompareOptions, quoting: Quoting) -> Told:
    """Compare ways to get a run done."""
    written = comparison_of(asked, most=MOST_OPTIONS)
    return await told_of(written, COMPARISONS, quoting, options_told)


async def judge_claim(asked: JudgeClaim, quoting: Quoting) -> Told:
    """Judge a published amount."""
    return await told_of(claim_of(asked), CLAIMS, quoting, claim_told)


async def search_catalog(asked: SearchCatalog, quoting: Quoting) -> Told:
    """Look rows up."""
    return await asyncio.to_thread(rows_told, asked, quoting.shelf.current.catalog)


async def explain_figure(asked: ExplainFigure, quoting: Quoting) -> FigureTold:
    """Explain a figure of a quote that is kept. Raises `QuoteNotKept` or `EntryNotFound`."""
    is_quote = asked.quote_id.startswith(QUOTES.kind.prefix)
    body = (await quoting.kept(asked.quote_id)).body if is_quote else None
    if body is None:
        raise QuoteNotKept(asked.quote_id)
    found = await asyncio.to_thread(figure_of, body, asked.figure)
    if found is None:
        known = Names(figure_names(body))
        raise EntryNotFound(asked.figure, listing="figures of the quote", known=known)
    return figure_told(found)


async def told_of(
    written: Written, kind: Handled, quoting: Quoting, told: Callable[[bytes], Told]
) -> Told:
    """What is told of the answer to a request. It is kept, as all answers of the API are."""
    try:
        body = await answer_to(written.body, kind, quoting)
    except Exception as error:
        raise at_arguments(refusal_of(error), written) from error
    return await asyncio.to_thread(told, body)


async def answer_to(body: bytes, kind: Handled, quoting: Quoting) -> bytes:
    """The answer to a request, from what is kept or computed where all answers are."""
    known = quoting.known(body, asked=kind)
    issued = None if known is None else quoting.recall(known)
    if issued is None:
        with quoting.metrics.phase("decode"):
            request = decoded(body, asked=kind.kind.request)
        issued = await quoting.issue(request, spelled=body, leaves=asyncio.Event().wait)  # type: ignore[arg-type]
    return issued.body


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool(
            name="quote_run",
            title="Quote a training run",
            description="What an AI training run costs: rented, owned and fully loaded, each with "
            "an interval and what moves it. Give accelerator, devices and either device_hours, or "
            "tokens with a model or its parameters; or a whole request. The same arguments give "
            "the same quote_id.",
            arguments=QuoteRun,
            call=quote_run,
            words=quote_words,
        ),
        Tool(
            name="compare_options",
            title="Compare ways to buy a run",
            description="Which clusters, sellers and terms can do a run, best first, with ties, "
            "and why others cannot. Give tokens with a model or its parameters, or device_hours; "
            "limits such as deadline_hours and budget_usd; or a whole request.",
            arguments=CompareOptions,
            call=compare_options,
            words=options_words,
        ),
        Tool(
            name="judge_claim",
            title="Judge a published cost",
            description="Whether a published cost of a run is plausible, in which way of "
            "accounting and scope, and what it leaves out. Give amount_usd, said_on and either "
            "runs of the catalog, or the run with its accelerator and devices.",
            arguments=JudgeClaim,
            call=judge_claim,
            words=claim_words,
        ),
        Tool(
            name="search_catalog",
            title="Search the catalog",
            description="Rows of the catalog by words: accelerators, offers (lowest price first), "
            "models, sites, reference runs, published claims. Use the ids in other tools.",
            arguments=SearchCatalog,
            call=search_catalog,
            words=rows_words,
        ),
        Tool(
            name="explain_figure",
            title="Explain a figure of a quote",
            description="Where a number of a quote comes from: value, range, source with its "
            "date, what it follows from and leads to. Take quote_id and a name in moved_by.",
            arguments=ExplainFigure,
            call=explain_figure,
            words=figure_words,
        ),
    )
}
"""By name, in the order in which they are listed."""
