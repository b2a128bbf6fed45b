"""Why an invoice differs from its quote, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, UnsetType

from service.core.answer.base import Amount, AmountInterval, Answer, Money
from service.core.answer.claim import Position
from service.core.answer.difference import ComparedQuote, NotComparedReason
from service.core.answer.quote import EngineStamp
from service.core.figures.sources import Published
from service.core.figures.vocabulary import BasisName

ReconciliationNoteCode: TypeAlias = Literal[
    "hours_as_quoted",
    "work_as_quoted",
    "goodput_as_quoted",
    "goodput_from_restarts",
    "lost_more_than_held",
    "no_losses_in_quote",
    "quoted_item_not_invoiced",
    "request_not_readable",
]
NextKind: TypeAlias = Literal["anchor", "mfu", "metered", "none"]


class ReconciledParts(Answer, frozen=True, kw_only=True):
    """The parts of the difference. They add up to it.

    `rate`: what a device-hour cost, discounts included. `speed`: productive device-hours for one
    unit of work. `work`: how much of it was done. `goodput`: hours that moved nothing forward.
    `other_items`: storage, transfer, support and markup that both have. `scope`: lines of the
    invoice that the quote does not cover, less lines of the quote that were not invoiced. `tax`:
    taxes. `rounding`: the cents that rounding the parts leaves.
    """

    rate: Amount
    speed: Amount
    work: Amount
    goodput: Amount
    other_items: Amount
    scope: Amount
    tax: Amount
    rounding: Amount


class Factors(Answer, frozen=True, kw_only=True):
    """What the device-hours and their cost are the product of. Work is 1 in the quote.

    device_hours = work * productive_device_hours / goodput; cost = device_hours * rate
    """

    rate: float
    device_hours: float
    work: float
    productive_device_hours: Annotated[float, Meta(description="For work of 1.")]
    goodput: float


class InvoiceStanding(Answer, frozen=True, kw_only=True):
    """Where an amount or hours lie among the outcomes of the quote."""

    amount: Amount | UnsetType = UNSET
    device_hours: float | UnsetType = UNSET
    position: Position
    within: Annotated[bool, Meta(description="Whether it lies from p10 to p90.")]


class NextQuote(Answer, frozen=True, kw_only=True):
    """What the run says about the next quote.

    `anchor` goes into the work of the stage: the measured speed. `work` is the whole work of the
    stage as it went, which gives the measured device-hours when quoted on the same cluster.
    """

    kind: NextKind
    detail: str
    anchor: Raw | UnsetType = UNSET
    work: Raw | UnsetType = UNSET
    device_hours: Annotated[
        float | UnsetType, Meta(description="What a quote of `work` gives.")
    ] = UNSET


class ReconciliationNote(Answer, frozen=True, kw_only=True):
    """What was taken where nothing was said, and what that means for the parts."""

    code: ReconciliationNoteCode
    detail: str


class NotReconciled(Answer, frozen=True, kw_only=True):
    """Why the invoice cannot be compared with the quote."""

    reason: NotComparedReason
    detail: str


class Reconciliation(Answer, frozen=True, kw_only=True):
    """Why an invoice differs from its quote. Without `not_reconciled`, every member is there."""

    engine: EngineStamp
    quote: ComparedQuote
    basis: BasisName
    invoiced: Money
    not_reconciled: NotReconciled | UnsetType = UNSET
    quoted: Money | UnsetType = UNSET
    interval: AmountInterval | UnsetType = UNSET
    difference: Money | UnsetType = UNSET
    difference_share: Annotated[
        float | UnsetType, Meta(description="The difference over the quoted total.")
    ] = UNSET
    parts: ReconciledParts | UnsetType = UNSET
    sentence: str | UnsetType = UNSET
    planned: Factors | UnsetType = UNSET
    happened: Factors | UnsetType = UNSET
    whole: Annotated[InvoiceStanding | UnsetType, Meta(description="Of the whole invoice.")] = UNSET
    like_for_like: Annotated[
        InvoiceStanding | UnsetType, Meta(description="Of the lines that the quote covers.")
    ] = UNSET
    hours: Annotated[
        InvoiceStanding | UnsetType,
        Meta(description="Of the device-hours, if the run has one stage."),
    ] = UNSET
    method: Published | UnsetType = UNSET
    next_quote: NextQuote | UnsetType = UNSET
    notes: tuple[ReconciliationNote, ...] = ()
