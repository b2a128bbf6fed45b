"""Peaks of memory and runs out of memory, one JSON object a line, as their sources print them.

Any member but the id and the outcome may be null. It then takes the service's default.
"""

from typing import Final

from msgspec import Struct

from service.scoring.facts import Fact

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


class MemoryFact(Fact, kw_only=True):
    """One run on a device: what it needed at its peak, or that it ran out of memory.

    `peak_allocated_gib` is what the framework counts, `peak_reserved_gib` what it took from the
    device, by its allocator or by nvidia-smi.
    """

    outcome: str
    parallelism: Parallelism | str | None = None
    zero: str | float | None = None
    optimizer: str | None = None
    peft: str | bool | None = None
    base_bits: float | None = None
    sequence_length: float | None = None
    micro_batch: float | None = None
    recompute: str | bool | None = None
    framework: str | None = None
    framework_version: str | None = None
    peak_allocated_gib: float | None = None
    peak_reserved_gib: float | None = None
    device_total_gib: float | None = None
    workload: str | None = None

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
