"""What a stage does: the exact types of its work, from known hours to steps of a model.

Alternatives are told apart by `kind`.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.figures.vocabulary import (
    AdapterTarget,
    AttentionKernel,
    CachePrecision,
    ExpertKernels,
    FrameworkName,
    LossKernel,
    OptimizerName,
    PreferenceLoss,
    ServingEngine,
    ServingPrecision,
    TrainingPrecision,
)
from service.core.request.described import DescribedAccelerator
from service.core.request.ids import AcceleratorName, ModelName
from service.core.request.layout import LayoutRequest
from service.core.request.quantities import (
    BatchTokens,
    DeviceHours,
    Devices,
    EnvironmentSeconds,
    Epochs,
    Examples,
    Few,
    Flop,
    GoodputShare,
    KeptShare,
    LostShare,
    MeanTokens,
    Mfu,
    MostTokens,
    PaddingShare,
    Parameters,
    Prompts,
    Rank,
    ReadTokens,
    Requests,
    Samples,
    SequenceLength,
    Share,
    StartupHours,
    Steps,
    StepsBehind,
    Tokens,
    TokensPerSecond,
    Turns,
    WallClockHours,
    Year,
)
from service.core.request.transformer import LayerShare, Transformer
from service.core.request.wire import Interval, Wire

Reclaims: TypeAlias = Annotated[
    Literal["included", "added"],
    Meta(
        description="Whether these hours hold what is lost when spot capacity is taken back. "
        "`added`: they do not, and under a spot supply it is added. Not given: it is not added, "
        "and the quote warns."
    ),
]


class Metered(Wire, tag_field="kind", tag="metered", frozen=True, kw_only=True):
    """Device-hours that are already known: measured, disclosed or planned.

    `measured_on` is the accelerator that they are hours of, if that is not the cluster's: an id, or
    a device that you describe. They are taken one to one, with a warning.
    """

    device_hours: DeviceHours | Interval[DeviceHours]
    measured_on: AcceleratorName | DescribedAccelerator | UnsetType = UNSET
    reclaims: Reclaims | UnsetType = UNSET


class Timed(Wire, tag_field="kind", tag="timed", frozen=True, kw_only=True):
    """Wall-clock hours for which the cluster's devices are held."""

    hours: WallClockHours | Interval[WallClockHours]
    reclaims: Reclaims | UnsetType = UNSET


ComputePrecision: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8"]


class Losses(Wire, frozen=True, kw_only=True):
    """What takes part of the held time besides the steps themselves.

    `goodput` is the share that failures, restarts and checkpoints leave. If it is not given, it
    follows from the cluster's reliability. Evaluation and idle time are shares of the held time.
    If they are not given, the catalog's defaults hold.

    `startup_hours` are the hours in which all devices are held before the first step and after the
    last: the start of processes, loading of weights, compilation, and the last checkpoint. Each
    attempt has them. If they are not given, they follow from the kind of work and the size of the
    model; they are 0 if goodput, evaluation and idle time are all given. 0 leaves them out.
    """

    goodput: GoodputShare | Interval[GoodputShare] | UnsetType = UNSET
    evaluation_share: LostShare | Interval[LostShare] | UnsetType = UNSET
    idle_share: LostShare | Interval[LostShare] | UnsetType = UNSET
    startup_hours: StartupHours | Interval[StartupHours] | UnsetType = UNSET


class Compute(Losses, tag_field="kind", tag="compute", frozen=True, kw_only=True):
    """Training FLOP, turned into device-hours by peak, MFU and goodput.

    `precision` names the dense peak that `mfu` is a share of. Evaluation and idle time are added
    only if they are given.
    """

    flop: Flop | Interval[Flop]
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    precision: ComputePrecision = "bf16"


class PresetModel(Wire, tag_field="kind", tag="preset", frozen=True, kw_only=True):
    """A model of the catalog. Of a vision-language one, `image_share` of the tokens are images'."""

    id: ModelName
    image_share: LayerShare | UnsetType = UNSET


class TransformerModel(Transformer, tag_field="kind", tag="transformer", frozen=True, kw_only=True):
    """A transformer that you describe. Layers, hidden size, heads and vocabulary suffice."""


class ParametersModel(Wire, tag_field="kind", tag="parameters", frozen=True, kw_only=True):
    """A model of which only parameter counts are known. A plausible shape is assumed."""

    total: Parameters
    active: Parameters | UnsetType = UNSET


Model: TypeAlias = PresetModel | TransformerModel | ParametersModel


class LayoutTerms(LayoutRequest, frozen=True, kw_only=True):
    """How a step is spread over the devices. Without a layout, the fastest that fits is chosen.

    A layout without `recompute` takes the least that fits in memory. `pipeline_schedule` is 1f1b,
    or interleaved if `virtual_stages` is above 1. With `expert_overlap`, the exchange of experts
    runs beside the compute of another micro-batch; that is the default under dualpipe. A search
    tries neither of the two: give them for runs that are known to have used them.
    """


class Anchor(Wire, frozen=True, kw_only=True):
    """A measured speed on the same kind of device. The engine's error there is carried over.

    Members of the measured configuration that are not given are those of the stage.
    """

    tokens_per_s_per_device: TokensPerSecond | Interval[TokensPerSecond]
    devices: Devices
    layout: LayoutTerms
    model: Model | UnsetType = UNSET
    sequence_length: SequenceLength | UnsetType = UNSET
    global_batch_tokens: BatchTokens | UnsetType = UNSET
    precision: TrainingPrecision | UnsetType = UNSET


class Pretraining(Losses, tag_field="kind", tag="pretraining", frozen=True, kw_only=True):
    """Tokens through a model. Step time, memory and the layout are predicted.

    `mfu` overrides the predicted step time, `goodput` the default. Phases of other sequence
    lengths or batches (context extension) are stages of their own. `expert_kernels` says how 8-bit
    products of routed experts run, if that is known: in one `grouped` kernel after others that
    quantise, or all `fused`, which also keeps less in memory. By default they run as in the
    software stacks of the year.

    `framework` is the software that trains: a kind, or a stack of that kind. The host of eager
    stacks keeps small micro-batches waiting, and not every framework offers every layout. `compile`
    says whether kernels are compiled, `attention_kernel` which kernels attention has; by default
    both are as usual for the framework and the year. `loss_kernel` says whether the logits of a
    micro-batch stand in memory with copies, once, or never as a whole.
    """

    model: Model
    tokens: Tokens | Interval[Tokens]
    sequence_length: SequenceLength = 4096.0
    global_batch_tokens: BatchTokens = 4_194_304.0
    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    software_year: Year | Interval[Year] | UnsetType = UNSET
    framework: FrameworkName | UnsetType = UNSET
    compile: bool | UnsetType = UNSET
    attention_kernel: AttentionKernel | UnsetType = UNSET
    loss_kernel: LossKernel | UnsetType = UNSET
    expert_kernels: ExpertKernels | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    anchor: Anchor | UnsetType = UNSET


class TokenData(Wire, tag_field="kind", tag="tokens", frozen=True, kw_only=True):
    """A number of tokens, repeats counted."""

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
    """The embedding and the layers nearest to the input are not trained.

    `frozen_share` is their share of the parameters. They run forward only.
    """

    frozen_share: Share


class LoraTuning(Wire, tag_field="kind", tag="lora", frozen=True, kw_only=True):
    """Low-rank adapters are trained beside frozen 16-bit weights."""

    rank: Rank = 16.0
    target: AdapterTarget = "all_linear"


QuantisedFormat: TypeAlias = Literal["nf4", "int8"]


class QloraTuning(Wire, tag_field="kind", tag="qlora", frozen=True, kw_only=True):
    """Low-rank adapters are trained beside frozen weights of four bits, or of eight."""

    rank: Rank = 16.0
    target: AdapterTarget = "all_linear"
    base_format: QuantisedFormat = "nf4"


TuningMethod: TypeAlias = FullTuning | FrozenTuning | LoraTuning | QloraTuning
Batching: TypeAlias = Literal["packed", "padded"]


class Tuning(Losses, frozen=True, kw_only=True):
    """What all ways of tuning a model on examples have in common."""

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
    framework: FrameworkName | UnsetType = UNSET
    compile: bool | UnsetType = UNSET
    attention_kernel: AttentionKernel | UnsetType = UNSET
    loss_kernel: LossKernel | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET


class Finetuning(Tuning, tag_field="kind", tag="finetuning", frozen=True, kw_only=True):
    """Tuning a model on examples. Memory, layout and step time follow from the method.

    `packed` examples nearly fill their sequences. A `padded` example takes a whole one. The wasted
    tokens are `padding_share`; if it is not given, it is assumed or computed. `framework`,
    `compile` and `attention_kernel` are as in pre-training. The speed of an `anchor` is one by the
    same method, padding counted.
    """

    anchor: Anchor | UnsetType = UNSET


class Preference(Tuning, tag_field="kind", tag="preference", frozen=True, kw_only=True):
    """Tuning on preferences: answers that people like better than others, as in DPO.

    An example is a prompt with two answers, and `mean_tokens` those of the prompt with one of them:
    both run through the model. Under `kto`, an example has one answer. A batch counts the tokens
    of all answers.

    `dpo`, `ipo` and `kto` compare the model with a frozen copy of itself, which runs forward beside
    it. With `reference_pass` false, what the copy says was computed before and is at hand.
    """

    loss: PreferenceLoss = "dpo"
    reference_pass: bool = True


class RewardModelling(Tuning, tag_field="kind", tag="reward_modelling", frozen=True, kw_only=True):
    """Training a model that judges answers, on pairs of them.

    An example is a prompt with two answers, and `mean_tokens` those of the prompt with one of them.
    The model gives one number an answer, so that no logits are computed.
    """


class Distillation(Tuning, tag_field="kind", tag="distillation", frozen=True, kw_only=True):
    """Training a model to say what a teacher says. The teacher runs forward on the same devices.

    If the teacher's answers were written before, that is a stage of generation, and this one
    is fine-tuning.
    """

    teacher: Model


class Responses(Wire, frozen=True, kw_only=True):
    """Lengths of responses: log-normal, and cut at the cap.

    `mean_tokens` is their mean after the cut. An interval there says how unsure the mean is.
    `between_tokens` gives the two lengths between which nine in ten responses lie. Give either or
    both.
    """

    mean_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    most_tokens: MostTokens | UnsetType = UNSET
    between_tokens: Interval[MeanTokens] | UnsetType = UNSET


class Agent(Wire, frozen=True, kw_only=True):
    """Responses that are trajectories of an agent: it writes, waits for its environment, and reads.

    In each of `turns`, `written_tokens` are written. Then `environment_seconds` pass, while devices
    stay held, and `read_tokens` are read: the observation. Longer trajectories have more turns, up
    to `most_turns`. `responses` then tells what is written in all turns, but `most_tokens` there
    caps what is written and read. What is not given is assumed: under a cap, a usual share of it.
    """

    turns: Turns | Interval[Turns] | UnsetType = UNSET
    most_turns: Few | UnsetType = UNSET
    written_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    read_tokens: ReadTokens | Interval[ReadTokens] | UnsetType = UNSET
    environment_seconds: EnvironmentSeconds | Interval[EnvironmentSeconds] | UnsetType = UNSET


class ServingTerms(Wire, frozen=True, kw_only=True):
    """How one replica that generates is spread over devices, and how its engine is set.

    Attention is split over `tensor_parallel` devices, layers over `pipeline_parallel` groups of
    them. The experts of a mixture are split over all devices of a group: `devices_per_replica` over
    `pipeline_parallel`. Without either number of devices, the fastest layout that fits is chosen.

    `memory_share` is the share of a device's memory that the engine takes for weights and cache:
    90% of a server, less beside a trainer. `cache_precision` is that of keys and values, by default
    16 bits, or 8 where the engine keeps them so for weights of 8 bits and fewer. `most_sequences`
    bounds how many one attention group runs at once. `engine` is the software.
    """

    tensor_parallel: Few | UnsetType = UNSET
    devices_per_replica: Few | UnsetType = UNSET
    pipeline_parallel: Few = 1.0
    memory_share: KeptShare | Interval[KeptShare] | UnsetType = UNSET
    cache_precision: CachePrecision | UnsetType = UNSET
    most_sequences: Few | UnsetType = UNSET
    engine: ServingEngine | UnsetType = UNSET

    @property
    def states_layout(self) -> bool:
        """Whether it says how many devices a replica has."""
        return not (self.tensor_parallel is UNSET and self.devices_per_replica is UNSET)


class Generation(Losses, tag_field="kind", tag="generation", frozen=True, kw_only=True):
    """Answering prompts: synthetic data, teachers, evaluations.

    Each of the `requests` prompts has `samples_per_prompt` responses. Responses to one prompt share
    its keys and values, which are computed once. A `kept_share` below 1 means that some responses
    are rejected, so that more are written than are kept.
    """

    model: Model
    requests: Requests | Interval[Requests]
    samples_per_prompt: Samples | Interval[Samples] = 1.0
    prompt_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    responses: Responses = field(default_factory=Responses)
    agent: Agent | UnsetType = UNSET
    kept_share: KeptShare | Interval[KeptShare] = 1.0
    precision: ServingPrecision = "bf16"
    serving: ServingTerms | UnsetType = UNSET


class Colocated(Wire, tag_field="kind", tag="colocated", frozen=True, kw_only=True):
    """The same devices generate, then learn."""


class Disaggregated(Wire, tag_field="kind", tag="disaggregated", frozen=True, kw_only=True):
    """Some devices generate and the others learn. The split is chosen if it is not given.

    With `off_policy_steps` 0, each side waits for the other. With k, k batches are written while
    an older one is learned from. With k above 1, the next batch fills the places that the last
    one leaves.
    """

    generation_devices: Devices | UnsetType = UNSET
    off_policy_steps: StepsBehind = 0.0


Placement: TypeAlias = Colocated | Disaggregated


class Reinforcement(Losses, tag_field="kind", tag="reinforcement", frozen=True, kw_only=True):
    """Reinforcement learning: sample, judge, learn, hand over the weights, and repeat.

    Each of `steps` learns from `prompts_per_step` x `samples_per_prompt` responses, in
    `updates_per_step` mini-batches, `epochs_per_step` times. `steps_per_rollout` steps share one
    rollout: all their responses are written first. By default a rollout has one step, or as many
    as give every device enough to write at once, up to 16 updates; with an `agent` one. Without
    `reward_model`, rewards follow from rules, on processors that cost nothing here. A `kept_share`
    below 1 says that more prompts are answered than are learned from, as DAPO leaves out those
    whose responses are all right or all wrong. A `critic`, as PPO has one, values the samples and
    is trained on them as often as the policy. With `rollout_log_probabilities`, the trainer learns
    from those of the inference engine and does not compute them again.
    """

    model: Model
    steps: Steps | Interval[Steps]
    prompts_per_step: Prompts
    samples_per_prompt: Samples
    prompt_tokens: MeanTokens | Interval[MeanTokens] | UnsetType = UNSET
    responses: Responses = field(default_factory=Responses)
    agent: Agent | UnsetType = UNSET
    kept_share: KeptShare | Interval[KeptShare] = 1.0
    steps_per_rollout: Few | UnsetType = UNSET
    updates_per_step: Few = 1.0
    epochs_per_step: Epochs | Interval[Epochs] = 1.0
    reference_model: bool = True
    rollout_log_probabilities: bool = False
    reward_model: Model | UnsetType = UNSET
    critic: Model | UnsetType = UNSET
    placement: Placement = field(default_factory=Colocated)
    precision: TrainingPrecision = "bf16"
    serving_precision: ServingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    serving: ServingTerms | UnsetType = UNSET
    software_year: Year | Interval[Year] | UnsetType = UNSET
    framework: FrameworkName | UnsetType = UNSET
    compile: bool | UnsetType = UNSET
    attention_kernel: AttentionKernel | UnsetType = UNSET
    loss_kernel: LossKernel | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET


Work: TypeAlias = (
    Metered
    | Timed
    | Compute
    | Pretraining
    | Finetuning
    | Preference
    | RewardModelling
    | Distillation
    | Generation
    | Reinforcement
)
