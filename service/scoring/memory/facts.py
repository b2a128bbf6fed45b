"""Peaks of memory and runs out of memory, one JSON object a line, as their sources print them.

Any member but the id and the outcome may be null. It then takes the service's default.
"""

from typing import Final

from msgspec import Struct, field

from service.scoring.steps.measurements import Arch, Source

RAN: Final = frozenset(("fits", "ran", "ok"))
DIED: Final = frozenset(("oom", "died", "out_of_memory"))
INFERENCE: Final = "inference"
"""Word of a framework or workload that serves and does not train."""


class Parallelism(Struct):
    """Degrees of a row's layout. All devices that are left are replicas."""

    tp: float | None = None
    pp: float | None = None
    cp: float | None = None
    ep: float | None = None


class MemoryFact(Struct):
    """One run on a device: what it needed at its peak, or that it ran out of memory.

    `peak_allocated_gib` is what the framework counts, `peak_reserved_gib` what it took from the
    device, by its allocator or by nvidia-smi.
    """

    id: str
    outcome: str
    source: Source | str = field(default_factory=Source)
    model: str | None = None
    arch: Arch | None = None
    params_b: float | None = None
    active_params_b: float | None = None
    accelerator: str | None = None
    devices: float | None = None
    parallelism: Parallelism | str | None = None
    zero: str | float | None = None
    precision: str | None = None
    optimizer: str | None = None
    peft: str | bool | None = None
    base_bits: float | None = None
    sequence_length: float | None = None
    micro_batch: float | None = None
    recompute: str | bool | None = None
    framework: str | None = None
    framework_version: str | None = None
    date: str | None = None
    peak_allocated_gib: float | None = None
    peak_reserved_gib: float | None = None
    device_total_gib: float | None = None
    workload: str | None = None
    notes: str | None = None
    memory: bool | list[str] | None = None
    excluded_from_eval: str | bool | None = None

    @property
    def is_scored(self) -> bool:
        """Whether the row may be scored: read, not recalled as a whole, and not set aside."""
        return self.memory is not True and not self.excluded_from_eval

    @property
    def ran(self) -> bool | None:
        """Whether the run had enough memory. None where its outcome is another."""
        said = self.outcome.lower()
        if said in RAN:
            return True
        return False if said in DIED else None

    @property
    def printed_in(self) -> str:
        """The title of the source."""
        title = self.source if isinstance(self.source, str) else self.source.title
        return title or "unknown"

    @property
    def degrees(self) -> Parallelism:
        """The degrees of the layout that are printed as numbers."""
        return self.parallelism if isinstance(self.parallelism, Parallelism) else Parallelism()

    @property
    def serves(self) -> bool:
        """Whether the row generates and does not train."""
        words = f"{self.workload or ''} {self.framework or ''}".lower()
        return "generation" in words or INFERENCE in words
