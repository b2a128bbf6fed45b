"""What a sheet reads of an answer.

Members that it does not know are passed over, so that the answer of an engine before or after this
one can be shown too.
"""

from typing import Any, TypeAlias

from msgspec import UNSET, Raw, Struct, UnsetType

from service.core.answer.calendar import DatedRun, UndatedRun
from service.core.answer.prices import Today
from service.core.figures.vocabulary import BasisName, Currency


class KeptEstimate(Struct, frozen=True, kw_only=True):
    """A number with its quantiles, and the name of its figure."""

    central: float
    p10: float
    p50: float
    p90: float
    figure: str = ""


class KeptMoney(Struct, frozen=True, kw_only=True):
    """An amount and its currency."""

    amount: str
    currency: Currency = "USD"


class KeptInterval(Struct, frozen=True, kw_only=True):
    """Quantiles of an amount."""

    p10: str
    p50: str
    p90: str


class KeptBudget(Struct, frozen=True, kw_only=True):
    """What is enough in half of the draws, and in four of five."""

    p50: str
    p80: str


class KeptLine(Struct, frozen=True, kw_only=True):
    """A line of a bill, with an amount or without."""

    item: str
    unit: str
    stage: str | UnsetType = UNSET
    label: str | UnsetType = UNSET
    quantity: float | UnsetType = UNSET
    rate: str | UnsetType = UNSET
    amount: str | UnsetType = UNSET
    interval: KeptInterval | UnsetType = UNSET
    figures: tuple[str, ...] = ()
    detail: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class KeptDriver(Struct, frozen=True, kw_only=True):
    """A figure that moves a total."""

    figure: str
    share: float
    total_if_low: str
    total_if_high: str


class KeptBill(Struct, frozen=True, kw_only=True):
    """One bill. It has a total if all of its lines have an amount."""

    basis: BasisName
    lines: tuple[KeptLine, ...] = ()
    total: KeptMoney | UnsetType = UNSET
    priced_lines_total: KeptMoney | UnsetType = UNSET
    budget: KeptBudget | UnsetType = UNSET
    interval: KeptInterval | UnsetType = UNSET
    outcomes: tuple[str, ...] = ()
    drivers: tuple[KeptDriver, ...] = ()
    excludes: tuple[str, ...] = ()


class KeptStep(Struct, frozen=True, kw_only=True):
    """A step of a bridge."""

    component: str
    amount: str
    running_total: str


class KeptBridge(Struct, frozen=True, kw_only=True):
    """From one total to another."""

    start_basis: BasisName
    end_basis: BasisName
    start: KeptMoney
    steps: tuple[KeptStep, ...]
    end: KeptMoney


class KeptMagnitude(Struct, frozen=True, kw_only=True):
    """An order of magnitude."""

    low: float
    high: float
    unit: str


class KeptExclusion(Struct, frozen=True, kw_only=True):
    """A cost that bills leave out."""

    item: str
    bases: tuple[BasisName, ...]
    what: str
    amount: KeptInterval | UnsetType = UNSET
    magnitude: KeptMagnitude | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class KeptEnergy(Struct, frozen=True, kw_only=True):
    """Kilowatt-hours."""

    it: KeptEstimate
    overhead: KeptEstimate
    facility: KeptEstimate


class KeptCarbon(Struct, frozen=True, kw_only=True):
    """Kilograms of CO2 equivalent by way of counting."""

    location_based: KeptEstimate
    market_based: KeptEstimate | UnsetType = UNSET
    marginal: KeptEstimate | UnsetType = UNSET
    embodied: KeptEstimate | UnsetType = UNSET


class KeptTotals(Struct, frozen=True, kw_only=True):
    """Energy and carbon of the run."""

    energy_kwh: KeptEnergy | UnsetType = UNSET
    carbon_kg_co2e: KeptCarbon | UnsetType = UNSET


class KeptFeasibility(Struct, frozen=True, kw_only=True):
    """Whether a stage can run as described."""

    status: str
    detail: str | UnsetType = UNSET


class KeptStage(Struct, frozen=True, kw_only=True):
    """A stage of the run."""

    name: str
    accelerator: str
    devices: int
    feasibility: KeptFeasibility
    device_hours: KeptEstimate | UnsetType = UNSET
    wall_clock_hours: KeptEstimate | UnsetType = UNSET
    begins_after_hours: KeptEstimate | UnsetType = UNSET
    ends_after_hours: KeptEstimate | UnsetType = UNSET
    mfu: KeptEstimate | UnsetType = UNSET


class KeptFigure(Struct, frozen=True, kw_only=True):
    """A number with its source. `source` has the members of its kind."""

    value: float
    unit: str
    source: dict[str, Any]
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    pointer: str | UnsetType = UNSET


class KeptWarning(Struct, frozen=True, kw_only=True):
    """Something that a reader of the numbers should know."""

    severity: str
    code: str
    detail: str
    pointer: str
    also_at: tuple[str, ...] = ()


class KeptStamp(Struct, frozen=True, kw_only=True):
    """The version and the digest of an engine or of a catalog."""

    version: str
    digest: str


class KeptHeading(Struct, frozen=True, kw_only=True):
    """What the caller calls the sheet, whom it is for, and what else stands on it."""

    title: str = ""
    buyer: str = ""
    reference: str = ""
    note: str = ""


NO_HEADING = KeptHeading()
Calendar: TypeAlias = DatedRun | UndatedRun


class KeptQuote(Struct, frozen=True, kw_only=True):
    """An answer, as far as a sheet shows it."""

    id: str
    issued_at: str
    valid_until: str
    engine: KeptStamp
    catalog: KeptStamp
    request: Raw
    bases: tuple[KeptBill, ...]
    stages: tuple[KeptStage, ...]
    exclusions: tuple[KeptExclusion, ...] = ()
    bridges: tuple[KeptBridge, ...] = ()
    totals: KeptTotals = KeptTotals()
    wall_clock_hours: KeptEstimate | UnsetType = UNSET
    figures: dict[str, KeptFigure] = {}
    warnings: tuple[KeptWarning, ...] = ()
    notes: tuple[KeptWarning, ...] = ()
    calendar: Calendar | UnsetType = UNSET
    today: Today | UnsetType = UNSET
    heading: KeptHeading = NO_HEADING
