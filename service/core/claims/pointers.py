"""Pointers of the priced run as pointers into the claim."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from service.core.answer import QuoteWarning
from service.core.figures.sources import Derived, Figure, Given, Source
from service.core.request.claim import ClaimedRuns, ClaimRequest

OF_THE_CLAIM = ("/amount", "/said_on", "/as_of")
OF_STAGES = "/run/stages/"


class Pointers:
    """How a claim's own pointers follow from those of the quote's request that prices it."""

    __slots__ = ("_of_runs",)

    def __init__(self, claim: ClaimRequest) -> None:
        self._of_runs = isinstance(claim.what, ClaimedRuns)

    def of(self, pointer: str) -> str:
        """Where the member stands in the claim. A reference run stands for its stage."""
        if not pointer or pointer.startswith(OF_THE_CLAIM):
            return pointer
        if not self._of_runs or pointer.startswith("/accounting"):
            return f"/what{pointer}"
        if pointer.startswith(OF_STAGES):
            return f"/what/ids/{pointer.removeprefix(OF_STAGES).partition('/')[0]}"
        return "/what/ids"

    def figures(self, figures: Mapping[str, Figure]) -> dict[str, Figure]:
        """The same figures, which lead into the claim."""
        return {name: self._figure(figure) for name, figure in figures.items()}

    def _figure(self, figure: Figure) -> Figure:
        source = self._source(figure.source)
        pointer = UNSET if figure.pointer is UNSET else self.of(figure.pointer)
        if source is figure.source and pointer == figure.pointer:
            return figure
        return msgspec.structs.replace(figure, source=source, pointer=pointer)

    def _source(self, source: Source) -> Source:
        if isinstance(source, Given):
            return Given(pointer=self.of(source.pointer))
        if isinstance(source, Derived) and source.structure:
            structure = {
                name: self.of(stands) if stands.startswith("/") else stands
                for name, stands in source.structure.items()
            }
            return msgspec.structs.replace(source, structure=structure)
        return source

    def warning(self, warning: QuoteWarning) -> QuoteWarning:
        """The same warning, which points into the claim."""
        return msgspec.structs.replace(
            warning,
            pointer=self.of(warning.pointer),
            also_at=tuple(dict.fromkeys(map(self.of, warning.also_at))),
        )
