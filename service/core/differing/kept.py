"""The parts of a quote, of any version, that a comparison reads."""

from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from service.core.answer import CatalogStamp, EngineStamp, Item, LineUnit
from service.core.figures.vocabulary import BasisName, Currency


class KeptMoney(Struct, frozen=True):
    """An amount and its currency."""

    amount: str
    currency: Currency = "USD"


class KeptLine(Struct, frozen=True):
    """A line of a bill. Without an amount it is unpriced, for a reason."""

    item: Item
    unit: LineUnit
    stage: str = ""
    label: str = ""
    quantity: float = 0.0
    rate: str = "0.00"
    amount: str | None = None
    detail: str = ""
    figures: tuple[str, ...] = ()

    @property
    def usd_figure(self) -> str:
        """The figure of its amount."""
        return self.figures[0] if self.figures else ""

    @property
    def quantity_figure(self) -> str:
        """The figure of its quantity."""
        return self.figures[1] if len(self.figures) > 1 else ""

    @property
    def rate_figure(self) -> str:
        """The figure of its rate."""
        return self.figures[2] if len(self.figures) > 2 else ""


class KeptInterval(Struct, frozen=True):
    """Quantiles of an amount."""

    p10: str
    p50: str
    p90: str


class KeptBill(Struct, frozen=True):
    """A bill. Without a total it is unpriced."""

    basis: BasisName
    total: KeptMoney | None = None
    interval: KeptInterval | None = None
    outcomes: tuple[str, ...] = ()
    lines: tuple[KeptLine, ...] = ()


class KeptSource(Struct, frozen=True):
    """How a figure came about."""

    kind: str
    formula: str = ""
    inputs: dict[str, str] = field(default_factory=dict)


class KeptFigure(Struct, frozen=True):
    """A figure: its value, and how it came about."""

    value: float
    source: KeptSource


class KeptEstimate(Struct, frozen=True):
    """A number of a stage with its quantiles."""

    central: float
    p10: float
    p50: float
    p90: float
    outcomes: tuple[float, ...] = ()


class KeptLosses(Struct, frozen=True):
    """Where the held time of a stage goes besides the steps."""

    checkpoint_interval_seconds: KeptEstimate | None = None


class KeptStage(Struct, frozen=True):
    """A stage: its hours, and its layout if one was chosen."""

    name: str
    devices: int
    device_hours: KeptEstimate | None = None
    goodput: KeptEstimate | None = None
    tokens: dict[str, KeptEstimate] = field(default_factory=dict)
    losses: KeptLosses | None = None
    layout: dict[str, Any] | None = None


class Made(Struct, frozen=True):
    """What a quote was made of, and what made it."""

    engine: EngineStamp
    catalog: CatalogStamp
    request: Raw

    def made_alike(self, other: "Made") -> bool:
        """Whether one engine and one edition of the catalog made both."""
        return (
            self.engine.digest == other.engine.digest
            and self.catalog.digest == other.catalog.digest
        )


class KeptQuote(Made, frozen=True):
    """A quote as it was issued, by this engine or by another."""

    id: str
    bases: tuple[KeptBill, ...]
    stages: tuple[KeptStage, ...]
    figures: dict[str, KeptFigure] = field(default_factory=dict)


class Unread(Struct, frozen=True):
    """A line or a stage that is counted and not read."""


class BillHead(Struct, frozen=True):
    """How many lines a bill has."""

    lines: tuple[Unread, ...] = ()


class QuoteHead(Made, frozen=True):
    """What is read of a quote to see how long the rest takes. All of it takes ten times as long."""

    bases: tuple[BillHead, ...]
    stages: tuple[Unread, ...]

    @property
    def lines(self) -> int:
        """How many lines its bills have."""
        return sum(len(bill.lines) for bill in self.bases)


_decode = msgspec.json.Decoder(KeptQuote).decode
_decode_head = msgspec.json.Decoder(QuoteHead).decode


def kept_quote(body: bytes) -> KeptQuote:
    """The quote in these bytes."""
    return _decode(body)


def quote_head(body: bytes) -> QuoteHead:
    """The head of the quote in these bytes."""
    return _decode_head(body)
