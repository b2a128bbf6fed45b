"""Why two quotes differ, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from service.core.answer.base import Amount, Answer, Money, QuoteId, UnitRate
from service.core.answer.bills import Item, Label, LineUnit, StageName
from service.core.answer.quote import CatalogStamp, EngineStamp
from service.core.figures.sources import Published
from service.core.figures.vocabulary import BasisName

NotComparedReason: TypeAlias = Literal[
    "missing_before",
    "missing_after",
    "unpriced_before",
    "unpriced_after",
    "unpriced_in_both",
    "different_currencies",
    "lines_not_kept",
]
SplitBy: TypeAlias = Literal["same_engine", "same_request", "quoted_crosswise", "not_split"]


class SplitPart(Answer, frozen=True, kw_only=True):
    """One part of a change. `request` and `engine` add up to `amount`, where they are known.

    `request` is what the requests ask differently. `engine` is what another engine or another
    edition of the catalog makes of the same request.
    """

    amount: Amount
    request: Amount | UnsetType = UNSET
    engine: Amount | UnsetType = UNSET


class ChangeParts(Answer, frozen=True, kw_only=True):
    """The parts of a change. `price`, `hours`, `accounting` and `rounding` add up to it.

    `price` is what a unit costs. `hours` is how many units there are: device-hours and what follows
    from them, such as kilowatt-hours. `accounting` is what only a way of counting adds or takes
    away: shares such as taxes, staff and experiments, lump sums, and lines that one quote lacks.
    `rounding` is what rounding each amount to the cent leaves.
    """

    price: SplitPart
    hours: SplitPart
    accounting: Amount
    rounding: Amount


class LineSide(Answer, frozen=True, kw_only=True):
    """A line of one of the two quotes."""

    stage: StageName | UnsetType = UNSET
    quantity: float
    rate: UnitRate
    amount: Amount


class LineDifference(Answer, frozen=True, kw_only=True):
    """A line of both quotes, or of one of them. An absent side has no such line."""

    item: Item
    label: Label | UnsetType = UNSET
    unit: LineUnit
    before: LineSide | UnsetType = UNSET
    after: LineSide | UnsetType = UNSET
    change: Amount
    parts: ChangeParts


class BasisDifference(Answer, frozen=True, kw_only=True):
    """The change of one total. Its parts are the sums of those of its lines."""

    basis: BasisName
    before: Money
    after: Money
    change: Money
    change_share: Annotated[
        float | UnsetType, Meta(description="The change over the total before.")
    ] = UNSET
    parts: ChangeParts
    lines: tuple[LineDifference, ...]
    sentence: Annotated[str, Meta(description="The change in words.")]


class NotCompared(Answer, frozen=True, kw_only=True):
    """A basis that cannot be compared, and why."""

    basis: BasisName
    reason: NotComparedReason
    detail: str


class ComparedQuote(Answer, frozen=True, kw_only=True):
    """One of the two quotes: its id, and what made it."""

    id: QuoteId
    engine: EngineStamp
    catalog: CatalogStamp


class SplitMethod(Answer, frozen=True, kw_only=True):
    """How the change is split, and how request and engine are told apart.

    `same_engine`: one engine and one edition made both, so requests alone make the difference.
    `same_request`: the other way round. `quoted_crosswise`: one request, or each, was quoted by the
    other's engine and edition, too. `not_split`: that was not possible, as `detail` says.
    """

    name: Literal["shapley"]
    source: Published
    split_by: SplitBy
    detail: str


class QuoteDifference(Answer, frozen=True, kw_only=True):
    """Why two quotes differ: of each basis that both have, the change of the total in parts."""

    engine: Annotated[EngineStamp, Meta(description="The engine that compared them.")]
    before: ComparedQuote
    after: ComparedQuote
    method: SplitMethod
    bases: tuple[BasisDifference, ...]
    not_compared: tuple[NotCompared, ...]
