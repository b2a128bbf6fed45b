"""Measured throughput of generation, one JSON object a line, as its sources print it."""

from service.scoring.facts import Fact


class GenerationFact(Fact, kw_only=True):
    """One batch of requests: what served it, on what, and the tokens that it wrote in a second.

    `tokens_per_s_output` is of all devices together, unless the notes say that it is per device.
    """

    engine: str | None = None
    version: str | float | None = None
    quantisation: str | bool | None = None
    kv_cache: str | None = None
    tp: float | None = None
    pp: float | None = None
    ep: float | None = None
    concurrency: float | None = None
    requests: float | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    tokens_per_s_output: float | None = None
    tokens_per_s_total: float | None = None

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
