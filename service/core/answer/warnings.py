"""What a quote warns of: every code with its severity, its meaning and what to do about it."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from service.core.answer.base import Answer, Pointer
from service.core.figures.units import Unit

Severity: TypeAlias = Literal["act", "check", "note"]
WarningCode: TypeAlias = Literal[
    "assumed_mfu",
    "assumed_agent",
    "assumed_device",
    "assumed_architecture",
    "assumed_goodput",
    "assumed_images",
    "assumed_site",
    "assumed_layout",
    "assumed_network",
    "assumed_padding",
    "assumed_prompt_length",
    "assumed_response_length",
    "assumed_rollout",
    "assumed_serving",
    "assumed_split",
    "assumed_startup",
    "batch_rounded",
    "billing_increment_unknown",
    "commitment_unused",
    "context_above_maximum",
    "contradictory",
    "devices_idle",
    "does_not_fit",
    "duplicate_stage_name",
    "example_above_sequence",
    "instance_size_unknown",
    "implausible_value",
    "interval_reversed",
    "central_outside_interval",
    "low_confidence_price",
    "mean_above_cap",
    "measured_elsewhere",
    "memory_tight",
    "rank_above_matrix",
    "unmeasured_format",
    "unmeasured_loss",
    "unmeasured_model",
    "market_price_used",
    "network_unknown",
    "offer_too_small",
    "precision_emulated",
    "precision_substituted",
    "reclaims_not_counted",
    "price_seldom_moves",
    "priced_as_of",
    "site_elsewhere",
    "site_of_supply",
    "market_of_all_places",
    "rate_outside_market",
    "stale_price",
    "term_derived",
    "thin_market",
    "unknown_power",
    "unpriced_line",
    "weak_driver",
    "wide_interval",
]


class WarningKind(NamedTuple):
    """A code's severity, what it means, and what a caller does about it.

    Warnings of one code and one text are told once, with all their places. With `once_a_member`,
    so are those at the same member of several stages or clusters, though their numbers differ.
    """

    severity: Severity
    meaning: str
    advice: str
    once_a_member: bool = False


def assumed(meaning: str, advice: str) -> WarningKind:
    """A default that stands for a member which is not given. Its range is in the interval."""
    return WarningKind("note", meaning, advice, once_a_member=True)


WARNINGS: Final[Mapping[WarningCode, WarningKind]] = {
    "contradictory": WarningKind(
        "act",
        "Members of the request exclude each other, so a result is not known.",
        "Change or leave out one of them.",
    ),
    "does_not_fit": WarningKind(
        "act",
        "The model, or the layout that is given, does not fit in the memory of the devices.",
        "Take more or larger devices, another layout, or leave the layout out.",
    ),
    "offer_too_small": WarningKind(
        "act",
        "The named offer does not make a cluster of so many devices.",
        "Name another offer, ask the market, or take as many devices as it makes.",
        once_a_member=True,
    ),
    "precision_emulated": WarningKind(
        "act",
        "The device cannot multiply in the precision; software does it in fp32, which is slow.",
        "Ask for fp16, which the device has, or for another device.",
        once_a_member=True,
    ),
    "implausible_value": WarningKind(
        "act",
        "A given number is far from all that the catalog holds of it.",
        "Check the number and its unit; `observed` has the range, and the likely mistake.",
    ),
    "unpriced_line": WarningKind(
        "act",
        "A line has no price, so the bill has no total.",
        "Give the price, or what the detail names.",
    ),
    "assumed_mfu": WarningKind(
        "check",
        "MFU is not given; the catalog's default was taken.",
        "Give `mfu`, or describe the model and let the hours be predicted.",
        once_a_member=True,
    ),
    "assumed_device": WarningKind(
        "check",
        "Numbers of a described device are not given; those of its generation were taken, with "
        "wide ranges.",
        "Give the members that the detail names, as a data sheet of the device prints them.",
    ),
    "assumed_architecture": WarningKind(
        "check",
        "Only parameter counts are given; a usual shape was assumed, and no interval covers it.",
        "Describe the transformer, or name a preset.",
        once_a_member=True,
    ),
    "central_outside_interval": WarningKind(
        "check",
        "`central` lies outside `low` and `high`; the middle was taken.",
        "Correct the interval.",
    ),
    "commitment_unused": WarningKind(
        "check",
        "Most of the hours that are paid for are not used.",
        "Buy on demand, commit to fewer devices or a shorter term, or use them for other runs.",
    ),
    "context_above_maximum": WarningKind(
        "check",
        "Sequences are longer than the model's published configuration allows.",
        "Shorten them, or name a model whose context was extended.",
        once_a_member=True,
    ),
    "devices_idle": WarningKind(
        "check",
        "The layout leaves devices idle that are paid for.",
        "Change the layout or the number of devices.",
    ),
    "duplicate_stage_name": WarningKind(
        "check",
        "Several stages have one name; their lines are in the order of the stages.",
        "Give each stage a name of its own.",
    ),
    "example_above_sequence": WarningKind(
        "check",
        "Examples are longer on average than the sequences that they are trained in.",
        "Raise `sequence_length`, or give the length that is trained on.",
    ),
    "interval_reversed": WarningKind(
        "check",
        "`low` is above `high`; the two were exchanged.",
        "Correct the interval.",
    ),
    "low_confidence_price": WarningKind(
        "check",
        "A price was recalled and not read off a price list.",
        "Ask the seller, and give the rate.",
        once_a_member=True,
    ),
    "mean_above_cap": WarningKind(
        "check",
        "The mean length of responses is not below their cap.",
        "Correct one of the two.",
    ),
    "measured_elsewhere": WarningKind(
        "check",
        "Device-hours of one accelerator are taken one to one on another.",
        "Measure or predict the hours on this one, or name the accelerator of the hours.",
    ),
    "memory_tight": WarningKind(
        "check",
        "The layout needs about as much memory as there is, within the error of the estimate, or "
        "fits only with fused kernels that are not said.",
        "Recompute more, split the model further, or say the kernels.",
    ),
    "precision_substituted": WarningKind(
        "check",
        "The device has no peak in the precision that is asked for; another one was taken.",
        "Ask for a precision that the device has, or for another device.",
        once_a_member=True,
    ),
    "network_unknown": WarningKind(
        "check",
        "Some sellers do not say whether their instances come on one fast network, as the cluster "
        "needs it.",
        "Ask them, or name an offer or a seller that does.",
        once_a_member=True,
    ),
    "unmeasured_model": WarningKind(
        "check",
        "No step of a model of this kind was measured: its FLOP are counted.",
        "Measure a step of yours, and give its `mfu` or an `anchor`.",
    ),
    "unmeasured_format": WarningKind(
        "note",
        "No step on a base in this format was measured for the engine. Its bytes are counted; the "
        "range is wide.",
        "Give `mfu` or an `anchor`, if you have measured a step.",
    ),
    "unmeasured_loss": WarningKind(
        "note",
        "No published run with this loss tells its time. Its FLOP are counted; the range is wide.",
        "Give `mfu`, or known hours, if you have measured a step.",
    ),
    "rank_above_matrix": WarningKind(
        "check",
        "An adapter of this rank would cost more than training its matrix; it is counted as that.",
        "Lower the rank, or tune the whole model.",
    ),
    "reclaims_not_counted": WarningKind(
        "check",
        "Hours are stated and the supply is spot, whose capacity is taken back now and then; the "
        "time that this takes is not added.",
        "Set `reclaims` to `added`, or to `included` if the hours were measured on such capacity.",
        once_a_member=True,
    ),
    "site_elsewhere": WarningKind(
        "check",
        "The site is in another country than the devices, so its tariff and carbon do not apply.",
        "Leave the site out, so that it is that of the supply, or take an offer at the site.",
        once_a_member=True,
    ),
    "market_of_all_places": WarningKind(
        "check",
        "The site has a place, and the price is the median of sellers in all places.",
        "Give the `region` of the supply, a country or a continent, if devices are rented there.",
        once_a_member=True,
    ),
    "rate_outside_market": WarningKind(
        "check",
        "A given rate is below, or above, all comparable prices of the catalog.",
        "Check what the rate includes; `rate_versus_market` has the prices beside it.",
    ),
    "stale_price": WarningKind(
        "check",
        "Half of the prices at a member, or more, are older than the policy allows on the day that "
        "is priced for. Their intervals are the wider for it.",
        "Give a price of today.",
    ),
    "term_derived": WarningKind(
        "check",
        "Sellers that publish no price for the term have one that follows from discounts of others "
        "in their segment.",
        "Ask them, and give the rate; or name a seller that publishes a price for the term.",
        once_a_member=True,
    ),
    "thin_market": WarningKind(
        "check",
        "Fewer than four sellers have such a price, so that one of them can move the median.",
        "Ask the sellers, and give the rate that you are offered.",
        once_a_member=True,
    ),
    "unknown_power": WarningKind(
        "check",
        "The catalog has no power of the device; energy and carbon are absent.",
        "Take energy and carbon from elsewhere.",
        once_a_member=True,
    ),
    "weak_driver": WarningKind(
        "check",
        "A figure that is judged or recalled makes a large part of a total's variance.",
        "Give the number, if you know it better.",
    ),
    "wide_interval": WarningKind(
        "check",
        "The interval of a total is wide.",
        "State what you know; `drivers` lists what moves the total most.",
    ),
    "assumed_goodput": assumed(
        "Goodput is not given; it follows from the failures of a cluster of this size.",
        "Give `goodput` or `reliability`.",
    ),
    "assumed_images": assumed(
        "How many tokens come of images is not given; half of them were taken.",
        "Give `image_share`.",
    ),
    "assumed_layout": assumed(
        "No layout is given; the fastest that fits was chosen.", "Give `layout`."
    ),
    "assumed_network": assumed(
        "The cluster network is not given; what is usual with the device was taken.",
        "Give `network_gbit_per_s_per_device`.",
    ),
    "assumed_padding": assumed(
        "The share of padding is not given; the catalog's default was taken.",
        "Give `padding_share`.",
    ),
    "assumed_prompt_length": assumed(
        "The length of prompts is not given; the catalog's default was taken.",
        "Give `prompt_tokens`.",
    ),
    "assumed_agent": assumed(
        "Turns of agents, what they have, or the wait for environments are not given; "
        "the catalog's defaults were taken.",
        "Give `turns`, `written_tokens`, `read_tokens` and `environment_seconds`.",
    ),
    "assumed_response_length": assumed(
        "The mean length of responses is not given; the catalog's default was taken.",
        "Give `mean_tokens` or `between_tokens`.",
    ),
    "assumed_rollout": assumed(
        "How many steps share a rollout is not given; it was chosen.", "Give `steps_per_rollout`."
    ),
    "assumed_serving": assumed(
        "No layout of the replicas is given; the fastest that fits was chosen.", "Give `serving`."
    ),
    "assumed_site": assumed(
        "Numbers of the site are not given; the catalog's defaults were taken.",
        "Name a site of the catalog, or give its PUE, tariff and carbon.",
    ),
    "assumed_split": assumed(
        "How many devices generate is not given; the best split was chosen.",
        "Give `generation_devices`.",
    ),
    "assumed_startup": assumed(
        "Start-up time is not given, and the catalog's default is a large part of a stage's hours.",
        "Give `startup_hours`, or a longer stage.",
    ),
    "batch_rounded": WarningKind(
        "note",
        "The batch is not a whole number of sequences and was rounded.",
        "Give a multiple of the sequence length.",
        once_a_member=True,
    ),
    "billing_increment_unknown": WarningKind(
        "note",
        "The catalog does not know in which steps a seller counts time; hours are billed as held.",
        "Ask the seller, if the run is short.",
    ),
    "instance_size_unknown": WarningKind(
        "note",
        "A rate does not say how many devices an instance has; the devices are billed as given.",
        "Give `devices_per_instance`.",
    ),
    "price_seldom_moves": WarningKind(
        "note",
        "A list price that seldom moves: p10 and p90 are the price as it was read.",
        "Look it up before a large purchase; `outcomes` has steps that are likely enough.",
        once_a_member=True,
    ),
    "priced_as_of": WarningKind(
        "note",
        "The quote is priced for a day that the request names.",
        "Leave `as_of` out for the prices of this edition.",
    ),
    "site_of_supply": WarningKind(
        "note",
        "No site is named; tariff, carbon and PUE are those of where the supply is.",
        "Name a site of the catalog, or give its PUE, tariff and carbon.",
        once_a_member=True,
    ),
    "market_price_used": WarningKind(
        "note",
        "The price is the median of what sellers ask.",
        "Give the rate that you were offered.",
        once_a_member=True,
    ),
}
"""All codes, the gravest first. The contract prints them."""


def printed_meanings() -> str:
    """What a code is, as the contract describes it. What each means stands on a page of its own."""
    return "What was found; codes may be added. docs/warnings.md says what each means."


def advice_table() -> str:
    """The codes with what to do about each, as docs/warnings.md prints them."""
    rows = (
        f"| `{code}` | {kind.severity} | {kind.meaning} | {kind.advice} |"
        for code, kind in WARNINGS.items()
    )
    return "\n".join(
        ("| code | severity | what was found | what to do |", "| --- | --- | --- | --- |", *rows)
    )


class LikelyMistake(Answer, frozen=True, kw_only=True):
    """What a given number would be in the unit that was meant, and what the mistake is."""

    value: float
    mistake: str


class ObservedRange(Answer, frozen=True, kw_only=True):
    """A given number beside what the catalog holds: the range of its rows, and how many they are.

    `what` names the rows. `likely` has the mistakes of units that would explain the number.
    """

    what: str
    unit: Unit
    given: float
    low: float
    high: float
    count: int
    likely: tuple[LikelyMistake, ...] = ()


class QuoteWarning(Answer, frozen=True, kw_only=True):
    """Something that a reader of the numbers should know, with a code for programs."""

    severity: Annotated[
        Severity,
        Meta(
            description="`act`: a number is likely wrong or unusable. `check`: a choice that is "
            "worth a look. `note`: good to know."
        ),
    ]
    code: Annotated[WarningCode, Meta(description=printed_meanings())]
    detail: str
    pointer: Pointer
    also_at: Annotated[
        tuple[Pointer, ...],
        Meta(description="Other places where the same was found, perhaps with another number."),
    ] = ()
    moves: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description="Largest share of a total's variance that the figures at these places "
            "explain; of a total's lines where the figure has no spread.",
        ),
    ] = 0.0
    observed: Annotated[
        ObservedRange | UnsetType, Meta(description="Of a number that is compared with others.")
    ] = UNSET
