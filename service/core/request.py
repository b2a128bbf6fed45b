"""What a caller may ask: the exact types that the decoder enforces and the contract prints.

Every number is bounded so that no product or quotient of legal inputs leaves the finite range.
Counts are `number`, so that 14.8e12 and 1e3 may be written as people write them. Unknown members
are refused everywhere, and alternatives are told apart by `kind`.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.accounting import Accounting, Options, OwnedTerms
from service.core.adapters import Target
from service.core.architecture import Transformer
from service.core.catalog import Slug
from service.core.parallelism import LayoutRequest
from service.core.wire import Interval, Name, Wire

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
Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0, description="A share, from 0 to 1.")]
LostShare: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=0.9, description="Share of the time that devices are held.")
]
PaddingShare: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=0.99, description="Share of the processed tokens that is padding.")
]
Examples: TypeAlias = Annotated[float, Meta(ge=1.0, le=1e12, description="Training examples.")]
Epochs: TypeAlias = Annotated[
    float, Meta(ge=1e-3, le=1e4, description="How often each example is seen.")
]
MeanTokens: TypeAlias = Annotated[float, Meta(ge=1.0, le=1e7, description="Mean number of tokens.")]
MostTokens: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e7, description="A response is cut at so many tokens.")
]
Rank: TypeAlias = Annotated[float, Meta(ge=1, le=65_536, multiple_of=1, description="LoRA's r.")]
Requests: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e12, multiple_of=1, description="Prompts to answer.")
]
Steps: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e9, multiple_of=1, description="Steps, each on prompts of its own.")
]
Prompts: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e6, multiple_of=1, description="Prompts of one step.")
]
Samples: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e4, multiple_of=1, description="Responses to each prompt.")
]
Few: TypeAlias = Annotated[float, Meta(ge=1, le=1e4, multiple_of=1)]
StepsBehind: TypeAlias = Annotated[
    float,
    Meta(
        ge=0,
        le=64,
        multiple_of=1,
        description="How many steps old the policy may be that writes the responses.",
    ),
]
KeptShare: TypeAlias = Annotated[
    float, Meta(ge=1e-4, le=1.0, description="Share of the responses that is kept.")
]
FailuresPerDeviceDay: TypeAlias = Annotated[
    float,
    Meta(ge=0.0, le=10.0, description="Interruptions of the run for each device and day held."),
]
RestartSeconds: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e7, description="From a failure until training runs again.")
]
CheckpointSeconds: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e6, description="What training stands still for at a checkpoint.")
]
CheckpointInterval: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e7, description="Seconds of training between checkpoints.")
]
Repeat: TypeAlias = Annotated[
    float,
    Meta(
        ge=1.0,
        le=1e4,
        description="How often the stage is run: attempts, failed ones included.",
    ),
]
Pue: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=5.0, description="Power usage effectiveness: facility over IT energy.")
]
UsdPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=100.0, description="US dollars for one kilowatt-hour.")
]
KgPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=10.0, description="Kilograms of CO2 equivalent per kilowatt-hour.")
]


class Metered(Wire, tag_field="kind", tag="metered", frozen=True, kw_only=True):
    """Device-hours that are already known: measured, disclosed or planned."""

    device_hours: DeviceHours | Interval[DeviceHours]


class Timed(Wire, tag_field="kind", tag="timed", frozen=True, kw_only=True):
    """Wall-clock hours for which the cluster's devices are held."""

    hours: Hours | Interval[Hours]


ComputePrecision: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8"]


class Losses(Wire, frozen=True, kw_only=True):
    """What takes part of the held time beside the steps themselves.

    `goodput` is what failures, restarts and checkpoints leave; without it, it follows from the
    cluster's reliability. Evaluation and idle time are shares of the held time; without them the
    catalog's defaults hold.
    """

    goodput: Goodput | Interval[Goodput] | UnsetType = UNSET
    evaluation_share: LostShare | Interval[LostShare] | UnsetType = UNSET
    idle_share: LostShare | Interval[LostShare] | UnsetType = UNSET


class Compute(Losses, tag_field="kind", tag="compute", frozen=True, kw_only=True):
    """Training FLOP, turned into device-hours by peak, MFU and goodput.

    `precision` names the dense peak that `mfu` is a share of. Evaluation and idle time are added
    only where they are given.
    """

    flop: Flop | Interval[Flop]
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
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
ExpertKernels: TypeAlias = Literal["grouped", "fused"]
TrainingPrecision: TypeAlias = Literal["fp32", "bf16", "fp16", "fp8", "mxfp8", "nvfp4", "int8"]
OptimizerName: TypeAlias = Literal[
    "adamw", "adamw_bf16_states", "adamw_8bit", "adafactor", "muon", "sgd_momentum"
]


class LayoutTerms(LayoutRequest, frozen=True, kw_only=True):
    """How a step is spread over the devices; leave it out and the fastest that fits is chosen.

    A layout without `recompute` takes the least that fits in memory.
    """


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


class Pretraining(Losses, tag_field="kind", tag="pretraining", frozen=True, kw_only=True):
    """Tokens through a model; step time, memory and the layout are predicted.

    `mfu` overrides the predicted step time, `goodput` the default. Phases of other sequence
    lengths or batches (context extension) are stages of their own. `expert_kernels` says how 8-bit
    products of routed experts run, where that is known: one `grouped` kernel after others that
    quantise, or all `fused`; unless given, as stacks of the software's year do it.
    """

    model: Model
    tokens: Tokens | Interval[Tokens]
    sequence_length: SequenceLength = 4096.0
    global_batch_tokens: BatchTokens = 4_194_304.0
    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    software_year: Year | Interval[Year] | UnsetType = UNSET
    expert_kernels: ExpertKernels | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    anchor: Anchor | UnsetType = UNSET


class TokenData(Wire, tag_field="kind", tag="tokens", frozen=True, kw_only=True):
    """So many tokens, repeats counted."""

    tokens: Tokens | Interval[Tokens]


class ExampleData(Wire, tag_field="kind", tag="examples", frozen=True, kw_only=True):
    """Examples of a mean length, each seen for some epochs."""

    examples: Examples | Interval[Examples]
    mean_tokens: MeanTokens | Interval[MeanTokens]
    epochs: Epochs | Interval[Epochs] = 1.0


TuningData: TypeAlias = TokenData | ExampleData


class FullTuning(Wire, tag_field="kind", tag="full", frozen=True, kw_only=True):
    """Every parameter is trained."""


class FrozenTuning(Wire, tag_field="kind", tag="frozen", frozen=True, kw_only=True):
    """The layers nearest to the input, and the embedding, stay as they are.

    `frozen_share` is their share of the parameters; they run forward only.
    """

    frozen_share: Share


class LoraTuning(Wire, tag_field="kind", tag="lora", frozen=True, kw_only=True):
    """Low-rank adapters are trained beside frozen 16-bit weights."""

    rank: Rank = 16.0
    target: Target = "all_linear"


class QloraTuning(Wire, tag_field="kind", tag="qlora", frozen=True, kw_only=True):
    """Low-rank adapters are trained beside frozen weights of four bits."""

    rank: Rank = 16.0
    target: Target = "all_linear"


TuningMethod: TypeAlias = FullTuning | FrozenTuning | LoraTuning | QloraTuning
Batching: TypeAlias = Literal["packed", "padded"]


class Finetuning(Losses, tag_field="kind", tag="finetuning", frozen=True, kw_only=True):
    """Tuning a model on examples; memory, layout and step time are those of the method.

    `packed` examples fill their sequences nearly, `padded` ones each take a whole one; what is
    wasted that way is `padding_share`, assumed or computed where it is not given.
    """

    model: Model
    data: TuningData
    method: TuningMethod = field(default_factory=FullTuning)
    batching: Batching = "packed"
    padding_share: PaddingShare | Interval[PaddingShare] | UnsetType = UNSET
    sequence_length: SequenceLength = 4096.0
    global_batch_tokens: BatchTokens = 262_144.0
    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    software_year: Year | Interval[Year] | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET


class Responses(Wire, frozen=True, kw_only=True):
    """How long responses are: log-normal, and cut at the cap.

    `mean_tokens` is their mean after the cut; an interval says how unsure the mean is.
    `between_tokens` says instead, or beside it, between which lengths nine in ten of them are.
    """

    mean_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    most_tokens: MostTokens | UnsetType = UNSET
    between_tokens: Interval[MeanTokens] | UnsetType = UNSET


ServingPrecision: TypeAlias = Literal["bf16", "fp16", "fp8", "int8", "int4"]


class ServingTerms(Wire, frozen=True, kw_only=True):
    """How one replica that generates is spread.

    Attention is split over `tensor_parallel` devices; a mixture's experts over all of
    `devices_per_replica`.
    """

    tensor_parallel: Few
    devices_per_replica: Few


class Generation(Losses, tag_field="kind", tag="generation", frozen=True, kw_only=True):
    """Answering prompts: synthetic data, teachers, evaluations.

    `requests` prompts have `samples_per_prompt` responses each; of a prompt that several responses
    share, the keys and values are computed once. `kept_share` below 1 says that more are written
    than are asked for, because the rest is rejected.
    """

    model: Model
    requests: Requests | Interval[Requests]
    samples_per_prompt: Samples | Interval[Samples] = 1.0
    prompt_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    responses: Responses = field(default_factory=Responses)
    kept_share: KeptShare | Interval[KeptShare] = 1.0
    precision: ServingPrecision = "bf16"
    serving: ServingTerms | UnsetType = UNSET


class Colocated(Wire, tag_field="kind", tag="colocated", frozen=True, kw_only=True):
    """The same devices generate, then learn."""


class Disaggregated(Wire, tag_field="kind", tag="disaggregated", frozen=True, kw_only=True):
    """Some devices generate and the others learn; the split is chosen where it is not given.

    With `off_policy_steps` 0 each side waits for the other; with k, k batches are written while an
    older one is learned from, and of more than one the next fills the places that the last leaves.
    """

    generation_devices: Devices | UnsetType = UNSET
    off_policy_steps: StepsBehind = 0.0


Placement: TypeAlias = Colocated | Disaggregated


class Reinforcement(Losses, tag_field="kind", tag="reinforcement", frozen=True, kw_only=True):
    """Reinforcement learning: sample, judge, learn, hand the weights over, again.

    Each of `steps` learns from `prompts_per_step` x `samples_per_prompt` responses, in
    `updates_per_step` mini-batches, `epochs_per_step` times. `steps_per_rollout` steps share one
    rollout: their responses are all written first; where it is not given, one step, or as many
    as it takes to give every device enough to write at once, up to 16 updates. Without
    `reward_model`, rewards are computed from rules, on processors that cost nothing here. With
    `rollout_log_probabilities` those of the inference engine are learned from, and the trainer
    does not compute them again.
    """

    model: Model
    steps: Steps | Interval[Steps]
    prompts_per_step: Prompts
    samples_per_prompt: Samples
    prompt_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    responses: Responses = field(default_factory=Responses)
    steps_per_rollout: Few | UnsetType = UNSET
    updates_per_step: Few = 1.0
    epochs_per_step: Epochs | Interval[Epochs] = 1.0
    reference_model: bool = True
    rollout_log_probabilities: bool = False
    reward_model: Model | UnsetType = UNSET
    placement: Placement = field(default_factory=Colocated)
    precision: TrainingPrecision = "bf16"
    serving_precision: ServingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    serving: ServingTerms | UnsetType = UNSET
    software_year: Year | Interval[Year] | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET


Work: TypeAlias = Metered | Timed | Compute | Pretraining | Finetuning | Generation | Reinforcement


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


class Owned(OwnedTerms, frozen=True, kw_only=True, tag_field="kind", tag="owned"):
    """Devices that the caller owns; to rent the like, the market is asked."""


Supply: TypeAlias = Rate | CatalogOffer | Market | Owned


class Site(Wire, frozen=True, kw_only=True):
    """Where the cluster stands: a site of the catalog, your own numbers, or both.

    A number given here goes before the site's; what neither has is assumed.
    """

    id: Slug | UnsetType = UNSET
    pue: Pue | Interval[Pue] | UnsetType = UNSET
    usd_per_kwh: UsdPerKwh | Interval[UsdPerKwh] | UnsetType = UNSET
    carbon_kg_co2e_per_kwh: KgPerKwh | Interval[KgPerKwh] | UnsetType = UNSET


class Reliability(Wire, frozen=True, kw_only=True):
    """How often the cluster interrupts a run and what that takes; defaults are the catalog's.

    `automatic` recovery has spares at hand and calls nobody, `manual` waits for people. Without an
    interval checkpoints are taken as often as loses least (Young and Daly).
    """

    failures_per_device_day: FailuresPerDeviceDay | Interval[FailuresPerDeviceDay] | UnsetType = (
        UNSET
    )
    recovery: Literal["automatic", "manual"] = "automatic"
    restart_seconds: RestartSeconds | Interval[RestartSeconds] | UnsetType = UNSET
    checkpoint_seconds: CheckpointSeconds | Interval[CheckpointSeconds] | UnsetType = UNSET
    checkpoint_interval_seconds: CheckpointInterval | Interval[CheckpointInterval] | UnsetType = (
        UNSET
    )


class Cluster(Wire, frozen=True, kw_only=True):
    """Accelerators, how many, how they are obtained, where they stand and how often they fail."""

    accelerator: Slug
    devices: Devices
    supply: Supply = field(default_factory=Market)
    site: Site = field(default_factory=Site)
    network_gbit_per_s_per_device: NetworkRate | Interval[NetworkRate] | UnsetType = UNSET
    reliability: Reliability = field(default_factory=Reliability)


class Stage(Wire, frozen=True, kw_only=True):
    """One part of a run: its work, and the cluster it runs on if not the run's.

    A stage starts when the one before it in the list has ended, or else when all stages named in
    `after` have; an empty `after` is the start of the run. Stages on the run's own cluster follow
    each other in any case.
    """

    name: Name
    work: Work
    cluster: Cluster | UnsetType = UNSET
    after: Annotated[tuple[Name, ...], Meta(max_length=64)] | UnsetType = UNSET
    repeat: Repeat | Interval[Repeat] = 1.0


class Run(Wire, frozen=True, kw_only=True):
    """An ordered list of stages."""

    name: Name
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=64)]


class QuoteRequest(Wire, frozen=True, kw_only=True):
    """One run on one cluster, what its bills are to hold, and which bases are wanted."""

    run: Run
    cluster: Cluster
    accounting: Accounting = field(default_factory=Accounting)
    options: Options = field(default_factory=Options)
