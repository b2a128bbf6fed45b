"""What a caller may ask: the exact types that the decoder enforces and the contract prints.

Every number is bounded so that no product or quotient of legal inputs leaves the finite range.
Counts are `number`, so that 14.8e12 and 1e3 may be written as people write them. Unknown members
are refused everywhere, and alternatives are told apart by `kind`.
"""

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.core.architecture import Transformer
from service.core.catalog import Slug
from service.core.parallelism import LayoutRequest

T = TypeVar("T")

Name: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="A name of your own; printable, at most 128 characters.",
    ),
]
DeviceHours: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e12, description="Devices times hours held, busy or not.")
]
Hours: TypeAlias = Annotated[float, Meta(ge=1e-6, le=1e7, description="Hours of wall clock.")]
Devices: TypeAlias = Annotated[
    float,
    Meta(ge=1, le=1e7, multiple_of=1, description="How many accelerators are held."),
]
Flop: TypeAlias = Annotated[
    float,
    Meta(ge=1.0, le=1e32, description="Floating-point operations of the training run."),
]
Mfu: TypeAlias = Annotated[
    float,
    Meta(
        ge=1e-4,
        le=1.0,
        description="Model FLOP/s utilisation: share of dense peak, recomputation not counted.",
    ),
]
Goodput: TypeAlias = Annotated[
    float,
    Meta(ge=0.01, le=1.0, description="Share of held time that moves training forward."),
]
UsdPerDeviceHour: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e6, description="US dollars for one device for one hour.")
]
Tokens: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e18, description="Tokens seen in training, repeats counted.")
]
SequenceLength: TypeAlias = Annotated[
    float, Meta(ge=1, le=16_777_216, multiple_of=1, description="Tokens of one sequence.")
]
BatchTokens: TypeAlias = Annotated[
    float,
    Meta(ge=1.0, le=1e10, description="Tokens per optimizer step over all replicas."),
]
TokensPerSecond: TypeAlias = Annotated[
    float, Meta(ge=1e-3, le=1e9, description="Tokens per second of one device.")
]
Parameters: TypeAlias = Annotated[
    float, Meta(ge=1e5, le=1e15, description="Parameters of the model.")
]
NetworkRate: TypeAlias = Annotated[
    float,
    Meta(
        ge=0.1,
        le=1e5,
        description="Gigabit per second, one way, that one device has on the cluster network.",
    ),
]
Year: TypeAlias = Annotated[
    float,
    Meta(ge=2018.0, le=2100.0, description="Year of the training software, fractions allowed."),
]
Repeat: TypeAlias = Annotated[
    float,
    Meta(
        ge=1.0,
        le=1e4,
        description="How often the stage is run: attempts, failed ones included.",
    ),
]


class Interval(Struct, Generic[T], forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A 90% interval: one time in twenty below `low`, one time in twenty above `high`.

    Without `central` the middle of the distribution is taken. Ends in the wrong order are put
    right, and the quote says so.
    """

    low: T
    high: T
    central: T | UnsetType = UNSET


class Wire(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all parts of a request share: named members only, unknown ones refused."""


class Metered(Wire, tag_field="kind", tag="metered", frozen=True, kw_only=True):
    """Device-hours that are already known: measured, disclosed or planned."""

    device_hours: DeviceHours | Interval[DeviceHours]


class Timed(Wire, tag_field="kind", tag="timed", frozen=True, kw_only=True):
    """Wall-clock hours for which the cluster's devices are held."""

    hours: Hours | Interval[Hours]


ComputePrecision: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8"]


class Compute(Wire, tag_field="kind", tag="compute", frozen=True, kw_only=True):
    """Training FLOP, turned into device-hours by peak, MFU and goodput.

    `precision` names the dense peak that `mfu` is a share of.
    """

    flop: Flop | Interval[Flop]
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    goodput: Goodput | Interval[Goodput] | UnsetType = UNSET
    precision: ComputePrecision = "bf16"


class PresetModel(Wire, tag_field="kind", tag="preset", frozen=True, kw_only=True):
    """A model of the catalog."""

    id: Slug


class TransformerModel(Transformer, tag_field="kind", tag="transformer", frozen=True, kw_only=True):
    """A transformer as described: layers, hidden size, heads and vocabulary do."""


class ParametersModel(Wire, tag_field="kind", tag="parameters", frozen=True, kw_only=True):
    """A model of which only parameter counts are known; a plausible shape is assumed."""

    total: Parameters
    active: Parameters | UnsetType = UNSET


Model: TypeAlias = PresetModel | TransformerModel | ParametersModel
TrainingPrecision: TypeAlias = Literal["fp32", "bf16", "fp16", "fp8", "mxfp8", "nvfp4", "int8"]
OptimizerName: TypeAlias = Literal[
    "adamw", "adamw_bf16_states", "adamw_8bit", "adafactor", "muon", "sgd_momentum"
]


class LayoutTerms(LayoutRequest, frozen=True, kw_only=True):
    """How a step is spread over the devices; leave it out and the fastest that fits is chosen."""


class Anchor(Wire, frozen=True, kw_only=True):
    """A measured speed on the same kind of device: what the engine missed there is carried over.

    What is not given of the measured configuration is the stage's own.
    """

    tokens_per_s_per_device: TokensPerSecond | Interval[TokensPerSecond]
    devices: Devices
    layout: LayoutTerms
    model: Model | UnsetType = UNSET
    sequence_length: SequenceLength | UnsetType = UNSET
    global_batch_tokens: BatchTokens | UnsetType = UNSET
    precision: TrainingPrecision | UnsetType = UNSET


class Pretraining(Wire, tag_field="kind", tag="pretraining", frozen=True, kw_only=True):
    """Tokens through a model; step time, memory and the layout are predicted.

    `mfu` overrides the predicted step time, `goodput` the default. Phases of other sequence
    lengths or batches (context extension) are stages of their own.
    """

    model: Model
    tokens: Tokens | Interval[Tokens]
    sequence_length: SequenceLength = 4096.0
    global_batch_tokens: BatchTokens = 4_194_304.0
    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    software_year: Year | Interval[Year] | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    goodput: Goodput | Interval[Goodput] | UnsetType = UNSET
    anchor: Anchor | UnsetType = UNSET


Work: TypeAlias = Metered | Timed | Compute | Pretraining


class Rate(Wire, tag_field="kind", tag="rate", frozen=True, kw_only=True):
    """A price you were given, or assume."""

    usd_per_device_hour: UsdPerDeviceHour | Interval[UsdPerDeviceHour]


class CatalogOffer(Wire, tag_field="kind", tag="offer", frozen=True, kw_only=True):
    """One dated offer of the catalog."""

    id: Slug


Term: TypeAlias = Literal["on_demand", "spot", "reserved_1y", "reserved_3y"]
Region: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, description="A provider's own region code.")
]


class Market(Wire, tag_field="kind", tag="market", frozen=True, kw_only=True):
    """The median over providers of the newest catalog price of each."""

    term: Term = "on_demand"
    provider: Slug | UnsetType = UNSET
    region: Region | UnsetType = UNSET


Supply: TypeAlias = Rate | CatalogOffer | Market


class Cluster(Wire, frozen=True, kw_only=True):
    """Accelerators, how many, and how they are obtained."""

    accelerator: Slug
    devices: Devices
    supply: Supply = field(default_factory=Market)
    network_gbit_per_s_per_device: NetworkRate | Interval[NetworkRate] | UnsetType = UNSET


class Stage(Wire, frozen=True, kw_only=True):
    """One part of a run: its work, and the cluster it runs on if not the run's."""

    name: Name
    work: Work
    cluster: Cluster | UnsetType = UNSET
    repeat: Repeat | Interval[Repeat] = 1.0


class Run(Wire, frozen=True, kw_only=True):
    """An ordered list of stages."""

    name: Name
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=64)]


class QuoteRequest(Wire, frozen=True, kw_only=True):
    """One run on one cluster."""

    run: Run
    cluster: Cluster
