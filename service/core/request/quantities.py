"""The numbers that a request may hold: units, bounds, and their descriptions in the contract.

Every number is bounded so that no product or quotient of legal inputs leaves the finite range.
Counts are `number`, so that they may be written as 14.8e12 or 1e3.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta

from service.core.request.wire import DECIMAL

DeviceHours: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e12, description="Devices times hours held, busy or not.")
]
WallClockHours: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e7, description="Hours of wall clock.")
]
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
GoodputShare: TypeAlias = Annotated[
    float,
    Meta(ge=0.01, le=1.0, description="Share of held time that moves training forward."),
]
UsdPerDeviceHour: TypeAlias = Annotated[
    float,
    Meta(ge=1e-6, le=1e6, description="US dollars for one device for one hour.", extra=DECIMAL),
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
Examples: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e12, description="Number of training examples.")
]
Epochs: TypeAlias = Annotated[
    float, Meta(ge=1e-3, le=1e4, description="How often each example is seen.")
]
MeanTokens: TypeAlias = Annotated[float, Meta(ge=1.0, le=1e7, description="Mean number of tokens.")]
MostTokens: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e7, description="Number of tokens at which a response is cut.")
]
ReadTokens: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e7, description="Mean number of tokens that a turn reads.")
]
Turns: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e5, description="Mean number of turns of a trajectory.")
]
EnvironmentSeconds: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e5, description="Seconds of a turn in which the agent waits.")
]
Rank: TypeAlias = Annotated[float, Meta(ge=1, le=65_536, multiple_of=1, description="LoRA's r.")]
Requests: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e12, multiple_of=1, description="Prompts to answer.")
]
Steps: TypeAlias = Annotated[
    float,
    Meta(ge=1, le=1e9, multiple_of=1, description="Number of steps, each on prompts of its own."),
]
Prompts: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e6, multiple_of=1, description="Number of prompts of one step.")
]
Samples: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e4, multiple_of=1, description="Number of responses to each prompt.")
]
Few: TypeAlias = Annotated[float, Meta(ge=1, le=1e4, multiple_of=1)]
StepsBehind: TypeAlias = Annotated[
    float,
    Meta(
        ge=0,
        le=64,
        multiple_of=1,
        description="How many steps old the policy that writes the responses may be.",
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
    float, Meta(ge=0.0, le=1e7, description="Seconds from a failure until training runs again.")
]
CheckpointSeconds: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e6, description="Seconds that training stands still for a checkpoint.")
]
CheckpointInterval: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e7, description="Seconds of training between checkpoints.")
]
StartupHours: TypeAlias = Annotated[
    float,
    Meta(
        ge=0.0,
        le=1e4,
        description="Hours on the clock before the first step and after the last.",
    ),
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
    float, Meta(ge=0.0, le=100.0, description="US dollars for one kilowatt-hour.", extra=DECIMAL)
]
KgPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=10.0, description="Kilograms of CO2 equivalent per kilowatt-hour.")
]
ClaimedUsd: TypeAlias = Annotated[
    float, Meta(ge=0.01, le=1e15, description="US dollars that were claimed.", extra=DECIMAL)
]
DeviceGigabytes: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e5, description="Gigabytes (10^9) of memory of one device.")
]
DeviceGigabytesPerSecond: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e6, description="Gigabytes per second of a device's own memory.")
]
DeviceTeraflopPerSecond: TypeAlias = Annotated[
    float, Meta(ge=0.1, le=1e6, description="TFLOP/s of one device, dense.")
]
DeviceWatts: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e5, description="Watts that one device is rated for (TDP).")
]
LinkGigabytesPerSecond: TypeAlias = Annotated[
    float, Meta(ge=0.1, le=1e5, description="Gigabytes per second of one device, one way.")
]
