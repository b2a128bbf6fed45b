"""What is timed, and what was found: between the command and the process that times."""

from typing import Literal, TypeAlias

from msgspec import Struct

from service.core.figures.vocabulary import AdapterTarget, OptimizerName
from service.core.request.transformer import Transformer

TimedPrecision: TypeAlias = Literal["bf16", "fp32"]
TimedRecompute: TypeAlias = Literal["none", "full"]
DeviceName: TypeAlias = Literal["cuda", "cpu"]
Outcome: TypeAlias = Literal["fits", "oom", "no_device", "no_compiler", "failed"]


class AdapterCase(Struct, frozen=True, kw_only=True):
    """Adapters that are trained in place of the model's weights."""

    rank: int
    target: AdapterTarget


class Case(Struct, frozen=True, kw_only=True):
    """One step to be timed on one device.

    `transformer.layers` are those that are timed. The optimizer steps after `accumulation`
    micro-batches. Without a `device`, CUDA is taken where there is one.
    """

    model: str
    work: Literal["pretraining", "finetuning"]
    transformer: Transformer
    precision: TimedPrecision
    optimizer: OptimizerName
    sequence_length: int
    micro_batch: int
    accumulation: int
    recompute: TimedRecompute
    compiled: bool
    fused_attention: bool = True
    adapters: AdapterCase | None = None
    device: DeviceName | None = None
    warmup: int = 3
    steps: int = 10

    @property
    def sequences(self) -> int:
        """Sequences of a step."""
        return self.micro_batch * self.accumulation

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.sequences * self.sequence_length


class Versions(Struct, frozen=True, kw_only=True):
    """The software that a step was timed with."""

    torch: str
    transformers: str
    peft: str | None = None
    cuda: str | None = None

    @property
    def words(self) -> str:
        """Names with versions."""
        named = {
            "torch": self.torch,
            "transformers": self.transformers,
            "peft": self.peft,
            "CUDA": self.cuda,
        }
        return ", ".join(f"{name} {version}" for name, version in named.items() if version)


class Found(Struct, frozen=True, kw_only=True):
    """What timing a case came to. PyTorch counts memory on CUDA devices only."""

    outcome: Outcome
    why: str = ""
    device: DeviceName = "cpu"
    device_name: str = "cpu"
    seconds: tuple[float, ...] = ()
    parameters: int = 0
    trained_parameters: int = 0
    peak_allocated_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    device_bytes: int | None = None
    versions: Versions | None = None
