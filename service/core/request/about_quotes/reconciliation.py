"""What may be asked about an invoice: the quote that it belongs to, and what happened."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.figures.vocabulary import BasisName, Currency
from service.core.request.about_quotes.difference import QuoteSide
from service.core.request.quantities import DeviceHours, Tokens, WallClockHours
from service.core.request.wire import DECIMAL, Name, Wire

InvoicedItem: TypeAlias = Literal[
    "device_rental", "storage", "transfer", "support", "discount", "markup", "tax", "other"
]
InvoicedAmount: TypeAlias = Annotated[
    float,
    Meta(
        ge=-1e15,
        le=1e15,
        description="An amount in the currency of the invoice; a credit is negative.",
        extra=DECIMAL,
    ),
]
Restarts: TypeAlias = Annotated[
    float, Meta(ge=0, le=1e6, multiple_of=1, description="How often the run began again.")
]
LostHours: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e7, description="Hours on the clock that restarts and rework took.")
]
DoneShare: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1000.0, description="Work that was done over that which was quoted.")
]


class InvoiceLine(Wire, frozen=True, kw_only=True):
    """A line of an invoice. `item` says what of a bill it pays for; by default nothing quoted."""

    label: Name
    amount: InvoicedAmount
    item: InvoicedItem = "other"
    device_hours: DeviceHours | UnsetType = UNSET


class Invoice(Wire, frozen=True, kw_only=True):
    """What was billed. Tax is a line, or `tax`, which is added to those lines."""

    lines: Annotated[tuple[InvoiceLine, ...], Meta(min_length=1, max_length=256)]
    tax: InvoicedAmount = 0.0
    currency: Currency | UnsetType = UNSET


class Happened(Wire, frozen=True, kw_only=True):
    """What happened, as far as it is known.

    `device_hours` are those of devices held, or `hours` on the clock of all devices of the quote.
    Without either, the hours of the invoice's lines count. `tokens` are those trained, or
    `done_share` is the share of the quoted work. `lost_hours` are hours on the clock that moved
    nothing forward. Without them, `restarts` are taken to cost what the quote takes for one.
    """

    device_hours: DeviceHours | UnsetType = UNSET
    hours: WallClockHours | UnsetType = UNSET
    tokens: Tokens | UnsetType = UNSET
    done_share: DoneShare | UnsetType = UNSET
    restarts: Restarts | UnsetType = UNSET
    lost_hours: LostHours | UnsetType = UNSET


class ReconciliationRequest(Wire, frozen=True, kw_only=True):
    """A quote, its invoice, and what happened. `basis` is the bill that is compared."""

    quote: QuoteSide
    invoice: Invoice
    happened: Happened = field(default_factory=Happened)
    basis: BasisName = "rental"
