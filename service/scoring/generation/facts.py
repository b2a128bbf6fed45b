"""Measured throughput of generation, one JSON object a line, as its sources print it.

Any member but the id may be null. It then takes the service's default.
"""

from msgspec import Struct, field

from service.scoring.steps.measurements import Arch, Source


class GenerationFact(Struct):
    """One batch of requests: what served it, on what, and the tokens that it wrote in a second.

    `tokens_per_s_output` is of all devices together, unless the notes say that it is per device.
    """

    id: str
    source: Source | str = field(default_factory=Source)
    engine: str | None = None
    version: str | float | None = None
    date: str | None = None
    model: str | None = None
    arch: Arch | None = None
    params_b: float | None = None
    active_params_b: float | None = None
    precision: str | None = None
    quantisation: str | bool | None = None
    kv_cache: str | None = None
    accelerator: str | None = None
    devices: float | None = None
    tp: float | None = None
    pp: float | None = None
    ep: float | None = None
    concurrency: float | None = None
    requests: float | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    tokens_per_s_output: float | None = None
    tokens_per_s_total: float | None = None
    notes: str | None = None
    memory: bool | list[str] | None = None
    excluded_from_eval: str | bool | None = None

    @property
    def is_scored(self) -> bool:
        """Whether the row may be scored: read, not recalled as a whole, and not set aside."""
        return self.memory is not True and not self.excluded_from_eval

    @property
    def tokens_per_s_per_device(self) -> float | None:
        """Written tokens a second and device: as printed, or the total less what was read."""
        rate, notes = self.tokens_per_s_output, (self.notes or "").lower()
        if rate is None and self.tokens_per_s_total and self.output_tokens:
            read = self.prompt_tokens or 0.0
            rate = self.tokens_per_s_total * self.output_tokens / (read + self.output_tokens)
        if rate is None:
            return None
        apart = "per device" in notes or "per gpu" in notes
        return rate if apart and "multiplied" not in notes else rate / (self.devices or 1.0)
