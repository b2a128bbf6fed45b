"""What a calendar reads of a kept quote."""

from msgspec import UNSET, Struct, UnsetType

from service.core.figures.vocabulary import BasisName, Currency


class KeptEstimate(Struct, frozen=True):
    """A number of a kept quote with its quantiles."""

    central: float
    p50: float
    p90: float


class KeptStage(Struct, frozen=True, kw_only=True):
    """What a calendar needs of a stage of a kept quote."""

    name: str
    device_hours: KeptEstimate | UnsetType = UNSET
    begins_after_hours: KeptEstimate | UnsetType = UNSET
    ends_after_hours: KeptEstimate | UnsetType = UNSET


class KeptLine(Struct, frozen=True, kw_only=True):
    """What a calendar needs of a line of a kept quote."""

    item: str
    stage: str | UnsetType = UNSET
    amount: str | UnsetType = UNSET


class KeptTotal(Struct, frozen=True):
    """An amount of a kept quote."""

    amount: str
    currency: Currency = "USD"


class KeptBill(Struct, frozen=True, kw_only=True):
    """What a calendar needs of a bill of a kept quote."""

    basis: BasisName
    lines: tuple[KeptLine, ...]
    total: KeptTotal | UnsetType = UNSET


class KeptQuote(Struct, frozen=True, kw_only=True):
    """What a calendar needs of a kept quote."""

    valid_until: str
    stages: tuple[KeptStage, ...]
    bases: tuple[KeptBill, ...]
    wall_clock_hours: KeptEstimate | UnsetType = UNSET
