"""What each item of a bill is in the words of FOCUS, and what discounts take off which line."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from service.envelope.months import EXACT
from service.sheet.kept import KeptLine

HOURS: Final = "Accelerator-Hours"
COVERS: Final = "covers "
"""How the detail of a discount begins that names the items it covers."""


class Kind(Struct, frozen=True, kw_only=True):
    """How an item is charged. What was paid before the run, or never is, is not billed by it."""

    service: str
    subcategory: str
    name: str
    unit: str = HOURS
    meter: str = ""
    category: str = "Usage"
    frequency: str = "Usage-Based"
    pricing: str = ""
    not_billed: bool = False
    has_price: bool = True

    def committed(self) -> "Kind":
        """The same, paid for through a commitment."""
        return replace(self, pricing="Committed", not_billed=True)


OTHER: Final = Kind(
    service="Other", subcategory="Other (Other)", name="Other", unit="Units", meter="Other"
)
RENTED: Final = Kind(
    service="Compute",
    subcategory="Virtual Machines",
    name="Accelerators",
    meter="Accelerator Hours",
)
BOUGHT: Final = Kind(
    service="Compute",
    subcategory="Other (Compute)",
    name="Owned hardware",
    meter="Amortisation",
    pricing="Other",
    not_billed=True,
)
MODELS: Final = Kind(
    service="AI and Machine Learning",
    subcategory="Machine Learning",
    name="Research beside the run",
    unit="Units",
    meter="Research",
)
ITEMS: Final[Mapping[str, Kind]] = {
    "device_rental": RENTED,
    "rounding": RENTED,
    "unused_commitment": RENTED,
    "storage": Kind(
        service="Storage",
        subcategory="File Storage",
        name="Storage",
        unit="GB-Months",
        meter="Storage Capacity",
    ),
    "transfer": Kind(
        service="Networking",
        subcategory="Network Connectivity",
        name="Data transfer",
        unit="GB",
        meter="Data Transfer Out",
    ),
    "support": Kind(
        service="Management and Governance",
        subcategory="Support",
        name="Support",
        unit="Units",
        meter="Support",
        frequency="Recurring",
    ),
    "markup": replace(OTHER, category="Adjustment", frequency="One-Time", has_price=False),
    "tax": replace(OTHER, category="Tax", frequency="One-Time", has_price=False),
    "accelerators": BOUGHT,
    "servers": BOUGHT,
    "cluster_network": replace(
        BOUGHT,
        service="Networking",
        subcategory="Network Infrastructure",
        name="Owned network",
    ),
    "capital": replace(OTHER, name="Cost of capital", unit=HOURS, meter="Capital", not_billed=True),
    "maintenance": Kind(
        service="Management and Governance",
        subcategory="Support",
        name="Maintenance",
        meter="Maintenance",
        frequency="Recurring",
    ),
    "hosting": replace(
        OTHER, name="Hosting", unit="kW-Months", meter="Hosting", frequency="Recurring"
    ),
    "energy": replace(OTHER, name="Energy", unit="kWh", meter="Energy"),
    "base_model": replace(MODELS, name="Base model", not_billed=True),
    "base_model_development": replace(MODELS, name="Base model", not_billed=True),
    "experiments": MODELS,
    "experiments_on_commitment": MODELS,
    "staff": replace(
        OTHER, name="Staff", unit="Person-Months", meter="Staff", frequency="Recurring"
    ),
    "data": Kind(
        service="AI and Machine Learning",
        subcategory="Other (AI and Machine Learning)",
        name="Data",
        unit="Units",
        meter="Data",
    ),
}
"""Each item of a bill. Discounts have no row: they lower the rows that they cover."""


def discounted(lines: Sequence[KeptLine]) -> list[Decimal]:
    """What discounts take off each line, as negative amounts that add up to the discounts."""
    taken = [Decimal()] * len(lines)
    for line in lines:
        if line.item == "discount" and line.amount is not UNSET:
            covered = covered_by(line, lines)
            for index, part in zip(
                covered, split(Decimal(line.amount), [lines[i] for i in covered]), strict=True
            ):
                taken[index] = EXACT.add(taken[index], part)
    return taken


def covered_by(discount: KeptLine, lines: Sequence[KeptLine]) -> list[int]:
    """The lines that a discount covers; all with a price if it does not name them."""
    detail = "" if discount.detail is UNSET else discount.detail
    items = set(detail.removeprefix(COVERS).split(", ")) if detail.startswith(COVERS) else set()
    priced = [
        index
        for index, line in enumerate(lines)
        if line.item != "discount" and line.amount is not UNSET and Decimal(line.amount)
    ]
    named = [index for index in priced if lines[index].item in items]
    return named or priced


def split(amount: Decimal, lines: Sequence[KeptLine]) -> list[Decimal]:
    """An amount over lines in proportion to theirs, to the last digit."""
    weights = [Decimal(str(line.amount)) for line in lines]
    whole = sum(weights, Decimal())
    parts, before, reached = [], Decimal(), Decimal()
    for weight in weights:
        reached = EXACT.add(reached, weight)
        share = EXACT.divide(reached, whole) if whole else Decimal(1)
        now = EXACT.multiply(amount, share).quantize(amount, context=EXACT)
        parts.append(EXACT.subtract(now, before))
        before = now
    return parts
