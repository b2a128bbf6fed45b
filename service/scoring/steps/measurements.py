"""Measured training steps, one JSON object a line, as their sources print them.

Any member may be null. It then takes the usual value for the software and its age.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from service.scoring.lines import rows_of


class Source(Struct):
    """Where a row is printed."""

    title: str | None = None
    table: str | None = None
    url: str | None = None
    date: str | None = None


class Arch(Struct):
    """The model of a row. `window_frac` is the share of its layers with a sliding window."""

    layers: float | None = None
    hidden: float | None = None
    heads: float | None = None
    kv_heads: float | None = None
    head_dim: float | None = None
    ffn_hidden: float | None = None
    vocab: float | None = None
    gated_mlp: bool | None = None
    tied: bool | None = None
    experts: float | None = None
    experts_active: float | None = None
    moe_ffn: float | None = None
    shared_ffn: float | None = None
    dense_layers: float | None = None
    moe_every: float | None = None
    attn: str | None = None
    window: float | None = None
    window_frac: float | None = None
    q_lora: float | None = None
    kv_lora: float | None = None
    qk_nope: float | None = None
    qk_rope: float | None = None
    v_head: float | None = None
    mtp_layers: float | None = None
    seq_len: float | None = None
    hybrid: bool | None = None
    flops_per_token_source: float | None = None


class Parallelism(Struct):
    """The layout of a row."""

    tp: float | None = None
    pp: float | None = None
    dp: float | None = None
    cp: float | None = None
    ep: float | None = None
    vp: float | None = None
    fsdp: bool | None = None
    zero_stage: float | None = None
    sequence_parallel: bool | None = None
    slices: float | None = None


class Measured(Struct):
    """The measured values."""

    step_time_s: float | None = None
    tokens_per_s_per_device: float | None = None


class Measurement(Struct):
    """One measured step with its configuration."""

    id: str
    source: Source = field(default_factory=Source)
    kind: str | None = None
    model: str | None = None
    arch: Arch = field(default_factory=Arch)
    params_b: float | None = None
    active_params_b: float | None = None
    accelerator: str | None = None
    device_count: float | None = None
    devices_per_node: float | None = None
    interconnect: str | None = None
    precision: str | None = None
    parallelism: Parallelism = field(default_factory=Parallelism)
    micro_batch: float | None = None
    global_batch: float | None = None
    activation_recompute: str | None = None
    measured: Measured = field(default_factory=Measured)
    software: str | None = None
    notes: str | None = None
    memory: bool | None = None
    excluded_from_eval: str | bool | None = None
    config_group: str | None = None
    source_family: str | None = None
    printed_step_s: float | None = None
    date: str | None = None
    framework: str | None = None
    framework_version: str | None = None
    software_date: str | None = None
    compile: bool | None = None
    attention_kernel: str | None = None
    peft: str | None = None
    base_bits: float | None = None

    @property
    def is_scored(self) -> bool:
        """Whether the row may be scored: read, not recalled, and not set aside by its source."""
        return not self.memory and not self.excluded_from_eval

    @property
    def has_adapters(self) -> bool:
        """Whether adapters are trained beside frozen weights."""
        return self.kind == "lora" or bool(self.peft)

    @property
    def words(self) -> str:
        """What the row says of its software, in lower case."""
        return f"{self.framework or ''} {self.software or ''} {self.notes or ''}".lower()

    @property
    def on_xla(self) -> bool:
        """Whether a compiler chooses the layout: MaxText and other JAX frameworks."""
        text = f"{self.software or ''} {self.accelerator or ''}".lower()
        return any(word in text for word in ("maxtext", "jax", "xla", "tpu"))


def read_measurements(path: Path) -> Iterator[Measurement]:
    """The rows of a file of measurements that may be scored."""
    for row in rows_of(path, Measurement, strict=False):
        if row.is_scored:
            yield row
