"""A bill in the columns of FOCUS, so that it can stand beside the invoices that come later.

FOCUS has no dataset for estimates. The rows are shaped like its Cost and Usage, and docs/focus.md
says where they deviate. A run over several calendar months has a row for each line and month.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct

from service.core.answer.calendar import DatedRun
from service.core.figures.units import HOURS_PER_DAY
from service.core.figures.vocabulary import BasisName
from service.envelope import kept as dated
from service.envelope.calendar import following, last_day, months_of
from service.envelope.months import EXACT, Progress, timed_stage
from service.sheet.cells import plain, safe, written
from service.sheet.focus.items import ITEMS, OTHER, Kind, discounted
from service.sheet.kept import KeptBill, KeptLine
from service.sheet.view import Sheet
from service.sheet.words import OF_AMOUNTS, named, or_empty

ZERO: Final = "0.0"
Version: TypeAlias = Literal["1.2", "1.4"]
PROVIDERS: Final[dict[Version, tuple[str, str]]] = {
    "1.2": ("ProviderName", "PublisherName"),
    "1.4": ("ServiceProviderName", "HostProviderName"),
}
NAMES: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "Tags",
)
OWN: Final = (
    "x_QuoteId",
    "x_Basis",
    "x_Item",
    "x_Line",
    "x_AmountP10",
    "x_AmountP50",
    "x_AmountP90",
    "x_Rate",
    "x_ShareOf",
    "x_Engine",
    "x_CatalogDigest",
    "x_ValidUntil",
    "x_StartAssumed",
    "x_UnpricedLines",
)
"""Columns of our own. Quantiles are those of the whole line; they do not add."""
ACCOUNT: Final = "runquote estimate, not an invoice"
NULL: Final = ""
CENTS: Final = 2
RENTED_ITEMS: Final = frozenset({"device_rental", "rounding", "unused_commitment"})


class NoFocus(ValueError):
    """A bill that cannot be written in FOCUS as asked."""


class Period(Struct, frozen=True, kw_only=True):
    """The part of a run in one calendar month, in RFC 3339, and the month."""

    begins: str
    ends: str
    month_begins: str
    month_ends: str


class Part(Struct, frozen=True, kw_only=True):
    """The part of a line that falls into a period: its share, and its printed amount."""

    period: Period
    share: Decimal
    amount: Decimal


def focus_of(
    sheet: Sheet, *, basis: BasisName = "rental", version: Version = "1.2", partial: bool = False
) -> bytes:
    """One bill in the columns of FOCUS.

    A line without a price has no row: costs must not be null there, and zero would be untrue.
    Raises `NoFocus` if the quote has no such bill, or if it has such lines and `partial` is false.
    """
    bill = next((one for one in sheet.quote.bases if one.basis == basis), None)
    if bill is None:
        raise NoFocus(f"the quote has no bill of the basis {basis}")
    unpriced = [line for line in bill.lines if line.amount is UNSET]
    if unpriced and not partial:
        items = ", ".join(dict.fromkeys(line.item for line in unpriced))
        raise NoFocus(f"the {basis} bill has lines without a price: {items}; ask for a partial one")
    names = columns_of(version)
    writer = Writer(sheet, bill, version, unpriced=len(unpriced))
    rows = ([row.get(name, NULL) for name in names] for row in writer.rows())
    return written(names, rows).encode()


def columns_of(version: Version) -> tuple[str, ...]:
    """The columns in order: those of FOCUS by name, then our own."""
    return (*sorted((*NAMES, *PROVIDERS[version])), *OWN)


class Writer:
    """The rows of one bill."""

    def __init__(self, sheet: Sheet, bill: KeptBill, version: Version, *, unpriced: int) -> None:
        self.sheet = sheet
        self.bill = bill
        self.providers = PROVIDERS[version]
        self.unpriced = unpriced
        self.start = date.fromisoformat(sheet.start or sheet.issued_on)
        self.periods, self._progress = periods_of(sheet, self.start)
        self._stages = {one["name"]: one for one in sheet.request["run"]["stages"]}

    def rows(self) -> Iterator[dict[str, str]]:
        """A row for each line and month; a commitment has a purchase besides."""
        taken = discounted(self.bill.lines)
        committed = Decimal()
        for number, line in enumerate(self.bill.lines, 1):
            if line.amount is UNSET or line.item == "discount":
                continue
            net = EXACT.add(Decimal(line.amount), taken[number - 1])
            kind = ITEMS.get(line.item, OTHER)
            if self.is_committed(line):
                kind = kind.committed()
                committed = EXACT.add(committed, net)
            for part in self.parts(line, net):
                yield self.row(number, line, kind, part)
        if committed:
            yield self.purchase(committed)

    def supply(self, line: KeptLine) -> dict[str, Any]:
        """How the devices of a line are obtained, in the words of the request."""
        stage = self._stages.get(line.stage, {}) if line.stage is not UNSET else {}
        cluster = stage.get("cluster", self.sheet.request["cluster"])
        return dict(cluster.get("supply", {"kind": "market", "term": "on_demand"}))

    def is_committed(self, line: KeptLine) -> bool:
        """Whether a line is paid for through a commitment."""
        reserved = str(self.supply(line).get("term", "")).startswith("reserved")
        return line.item == "unused_commitment" or (line.item in RENTED_ITEMS and reserved)

    def parts(self, line: KeptLine, net: Decimal) -> Iterator[Part]:
        """A line by calendar month. The amounts of the months add up to that of the line."""
        if self._progress is None:
            yield Part(period=self.periods[0], share=Decimal(1), amount=net)
            return
        stage = "" if line.stage is UNSET else line.stage
        unit = net if places_of(net) >= CENTS else Decimal("0.01")
        before, share_before = Decimal(), Decimal()
        for month, period in enumerate(self.periods):
            share = Decimal(self._progress.share(stage, month))
            if month == len(self.periods) - 1:
                share = Decimal(1)
            now = EXACT.multiply(net, share).quantize(unit, context=EXACT)
            amount, part = EXACT.subtract(now, before), EXACT.subtract(share, share_before)
            before, share_before = now, share
            if part > 0 or amount:
                yield Part(period=period, share=part, amount=amount)

    def row(self, number: int, line: KeptLine, kind: Kind, part: Part) -> dict[str, str]:
        """A line in one month."""
        row = self.common(part.period) | self.seller(line)
        row |= {
            "ChargeCategory": kind.category,
            "ChargeFrequency": kind.frequency,
            "ServiceCategory": kind.service,
            "ServiceSubcategory": kind.subcategory,
            "ServiceName": kind.name,
            "ChargeDescription": safe(described(line)),
            "BilledCost": ZERO if kind.not_billed else digits(part.amount),
            "EffectiveCost": digits(part.amount),
            "PricingCategory": NULL
            if kind.category == "Tax"
            else kind.pricing or self.pricing(line),
            "x_Item": line.item,
            "x_Line": str(number),
            "x_Rate": or_empty(line.rate),
        }
        row |= self.resource(line) | priced(line, kind, part)
        if self.is_committed(line):
            row |= self.commitment(line, row["PricingQuantity"])
        if line.interval is not UNSET:
            row |= {
                "x_AmountP10": line.interval.p10,
                "x_AmountP50": line.interval.p50,
                "x_AmountP90": line.interval.p90,
            }
        return row

    def common(self, period: Period) -> dict[str, str]:
        """What all rows share."""
        quote = self.sheet.quote
        return {
            "BillingAccountId": safe(quote.heading.reference) or quote.id,
            "BillingAccountName": ACCOUNT,
            "BillingAccountType": "Estimate",
            "BillingCurrency": self.sheet.currency,
            "PricingCurrency": self.sheet.currency,
            "BillingPeriodStart": period.month_begins,
            "BillingPeriodEnd": period.month_ends,
            "ChargePeriodStart": period.begins,
            "ChargePeriodEnd": period.ends,
            "x_QuoteId": quote.id,
            "x_Basis": self.bill.basis,
            "x_Engine": quote.engine.version,
            "x_CatalogDigest": quote.catalog.digest,
            "x_ValidUntil": quote.valid_until,
            "x_StartAssumed": "true" if self.sheet.start is None else "false",
            "x_UnpricedLines": str(self.unpriced),
        }

    def seller(self, line: KeptLine) -> dict[str, str]:
        """Who would send the invoice. A market is not a seller, and the row says so."""
        supply = self.supply(line)
        rented = line.item in RENTED_ITEMS or self.bill.basis != "owned"
        kind = supply.get("kind") if rented else "owned"
        name = {
            "rate": "seller of the given rate",
            "book": "seller of the price book",
            "offer": f"seller of the offer {supply.get('id', '')}",
            "owned": "owner of the hardware",
        }.get(str(kind), str(supply.get("provider") or "market median of several sellers"))
        service, host = self.providers
        return {
            "InvoiceIssuerName": name,
            service: name,
            host: name,
            "RegionId": str(supply.get("region", NULL)),
            "RegionName": str(supply.get("region", NULL)),
        }

    def pricing(self, line: KeptLine) -> str:
        """What kind of price it is, in the words of FOCUS."""
        supply = self.supply(line)
        if line.item not in RENTED_ITEMS:
            return "Standard"
        return "Dynamic" if supply.get("kind") in {"market", "owned"} else "Standard"

    def resource(self, line: KeptLine) -> dict[str, str]:
        """What is paid for: a stage of the run, or the run."""
        stage = or_empty(line.stage)
        tags = {"run": self.sheet.name} | ({"stage": stage} if stage else {})
        labelled = tags | ({"label": or_empty(line.label)} if line.label is not UNSET else {})
        return {
            "ResourceId": f"{self.sheet.id}/{stage}" if stage else self.sheet.id,
            "ResourceName": safe(self.sheet.name),
            "ResourceType": "Training Run",
            "Tags": msgspec.json.encode(labelled).decode(),
        }

    def commitment(self, line: KeptLine, quantity: str) -> dict[str, str]:
        """The columns of a row that is paid for through a commitment."""
        unused = line.item == "unused_commitment"
        found = {
            "CommitmentDiscountCategory": "Usage",
            "CommitmentDiscountId": f"{self.sheet.id}/commitment",
            "CommitmentDiscountName": "commitment of the quote",
            "CommitmentDiscountQuantity": quantity,
            "CommitmentDiscountStatus": "Unused" if unused else "Used",
            "CommitmentDiscountType": "Reserved devices",
            "CommitmentDiscountUnit": "Accelerator-Hours",
        }
        if unused:
            nothing = {"ConsumedQuantity": NULL, "ConsumedUnit": NULL}
            found |= nothing | {"ResourceId": found["CommitmentDiscountId"]}
        return found

    def purchase(self, amount: Decimal) -> dict[str, str]:
        """The purchase of the commitment, which is billed where its use is not."""
        line = next(one for one in self.bill.lines if self.is_committed(one))
        row = self.common(self.periods[0]) | self.seller(line) | self.resource(line)
        return row | {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring",
            "ChargeDescription": "Commitment to reserved devices",
            "ServiceCategory": "Compute",
            "ServiceSubcategory": "Virtual Machines",
            "ServiceName": "Accelerators",
            "BilledCost": digits(amount),
            "EffectiveCost": ZERO,
            "ListCost": digits(amount),
            "ContractedCost": digits(amount),
            "ListUnitPrice": digits(amount),
            "ContractedUnitPrice": digits(amount),
            "PricingQuantity": "1.0",
            "PricingUnit": "Commitments",
            "PricingCategory": "Committed",
            "SkuMeter": "Commitment",
            "SkuId": "commitment",
            "SkuPriceId": "commitment",
            "CommitmentDiscountCategory": "Usage",
            "CommitmentDiscountId": f"{self.sheet.id}/commitment",
            "CommitmentDiscountName": "commitment of the quote",
            "CommitmentDiscountType": "Reserved devices",
            "ResourceId": f"{self.sheet.id}/commitment",
            "x_Item": "commitment",
        }


def priced(line: KeptLine, kind: Kind, part: Part) -> dict[str, str]:
    """Quantity, unit and prices of a line in one month.

    Unit price times quantity is the cost, exactly. So the cost before rounding stands there, and
    the printed amount in `EffectiveCost`.
    """
    if not kind.has_price:
        cost = digits(part.amount)
        return {"ListCost": cost, "ContractedCost": cost}
    one_of_many = line.unit in OF_AMOUNTS or line.unit == "lump_sum" or line.quantity is UNSET
    found = {"x_ShareOf": plain(line.quantity)} if line.unit in OF_AMOUNTS else {}
    if one_of_many or not line.quantity or line.rate is UNSET:
        quantity, listed, agreed, unit = Decimal(1), part.amount, part.amount, "Units"
    else:
        unit = kind.unit
        quantity = EXACT.multiply(Decimal(plain(line.quantity)), part.share)
        quantity = quantity.quantize(Decimal("1e-9"), context=EXACT)
        listed = Decimal(line.rate)
        amount = Decimal(str(line.amount))
        net = (
            EXACT.divide(part.amount, EXACT.multiply(amount, part.share)) if amount else Decimal(1)
        )
        cut = net if abs(net - 1) > Decimal("0.001") else Decimal(1)
        agreed = EXACT.multiply(listed, cut).quantize(Decimal("1e-12"), context=EXACT)
    return found | {
        "PricingQuantity": digits(quantity),
        "PricingUnit": unit,
        "ConsumedQuantity": digits(quantity) if kind.category == "Usage" else NULL,
        "ConsumedUnit": unit if kind.category == "Usage" else NULL,
        "ListUnitPrice": digits(listed),
        "ListCost": digits(EXACT.multiply(listed, quantity)),
        "ContractedUnitPrice": digits(agreed),
        "ContractedCost": digits(EXACT.multiply(agreed, quantity)),
        "SkuId": line.item,
        "SkuPriceId": line.item,
        "SkuMeter": kind.meter,
    }


def places_of(amount: Decimal) -> int:
    """Decimal places of an amount."""
    return len(f"{amount:f}".partition(".")[2])


def described(line: KeptLine) -> str:
    """A line in words."""
    stage = "" if line.stage is UNSET else f" of {line.stage}"
    label = "" if line.label is UNSET else f", {line.label}"
    return f"{named(line.item).capitalize()}{stage}{label}"


def digits(amount: Decimal) -> str:
    """A number in plain digits, without an exponent, and with a fraction even if that is zero.

    Who reads a column of whole numbers takes it for one of integers, which FOCUS does not allow.
    """
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def periods_of(sheet: Sheet, start: date) -> tuple[list[Period], Progress | None]:
    """The calendar months of a run from its start, and how much of it each one holds.

    A run whose hours are not known is one period of a day.
    """
    hours = sheet.quote.wall_clock_hours
    undated = sheet.start is not None and not isinstance(sheet.quote.calendar, DatedRun)
    kept = msgspec.convert(
        msgspec.to_builtins(sheet.quote.stages), tuple[dated.KeptStage, ...], strict=False
    )
    if hours is UNSET or undated or not all(one.ends_after_hours is not UNSET for one in kept):
        return [period_in(start.replace(day=1), start, HOURS_PER_DAY)], None
    stages = [timed_stage(one) for one in kept]
    whole = max(hours.p50, *(stage.ends.p50 for stage in stages))
    months = months_of(start, last_day(start, whole))
    ends = [(following(month) - start).days * HOURS_PER_DAY for month in months]
    return [period_in(month, start, whole) for month in months], Progress(stages, ends)


def period_in(month: date, start: date, hours: float) -> Period:
    """The part in one month of a run that lasts so many hours, rounded up to whole ones."""
    begins = max(month, start)
    whole = ceil(round(hours, 6))
    end_day = start + timedelta(days=whole // 24)
    ends = f"{end_day}T{whole % 24:02}:00:00Z"
    month_end = f"{following(month)}T00:00:00Z"
    return Period(
        begins=f"{begins}T00:00:00Z",
        ends=min(ends, month_end),
        month_begins=f"{month}T00:00:00Z",
        month_ends=month_end,
    )


def bases_with_rows(bills: Iterable[KeptBill]) -> list[BasisName]:
    """The bases that can be written without leaving a line out."""
    return [bill.basis for bill in bills if bill.total is not UNSET]
