"""What the catalog holds for the step-time engine: fitted constants and the errors they leave."""

from msgspec import Struct, field

from service.core.figures.constants import Constants


class EngineError(Struct, frozen=True, kw_only=True):
    """Log of measured over predicted step time, on rows that the fit did not see.

    `quantiles` are those of 5%, 25%, 50%, 75% and 95%; `sigma` is robust, from the 68% interval.
    """

    kind: str
    rows: int
    sigma: float
    quantiles: tuple[float, ...]


class Engine(Struct, frozen=True, kw_only=True):
    """The step-time engine of one catalog edition; `errors` by kind: dense, moe, unseen.

    `measured` are the devices that steps were measured on, by their ids.
    """

    constants: Constants = Constants({}, {})
    errors: dict[str, EngineError] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()
