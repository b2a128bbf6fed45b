"""What facts of memory and of generation have in common, as their sources print them."""

from msgspec import Struct, field

from service.scoring.steps.measurements import Arch, Source


class Fact(Struct, kw_only=True):
    """Something measured on a model and a device, one JSON object a line.

    Any member but the id may be null. It then takes the service's default.
    """

    id: str
    source: Source | str = field(default_factory=Source)
    date: str | None = None
    model: str | None = None
    arch: Arch | None = None
    params_b: float | None = None
    active_params_b: float | None = None
    precision: str | None = None
    accelerator: str | None = None
    devices: float | None = None
    notes: str | None = None
    memory: bool | list[str] | None = None
    excluded_from_eval: str | bool | None = None

    @property
    def is_scored(self) -> bool:
        """Whether the row may be scored: read, not recalled as a whole, and not set aside."""
        return self.memory is not True and not self.excluded_from_eval
