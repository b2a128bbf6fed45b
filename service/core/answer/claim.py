"""The judgement of a published figure, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, UnsetType

from service.core.answer.base import Amount, AmountInterval, Answer, Estimate, Money
from service.core.answer.bills import Item, Magnitude
from service.core.answer.calendar import Day
from service.core.answer.quote import CatalogStamp, EngineStamp
from service.core.answer.warnings import QuoteWarning
from service.core.catalog.catalog import ExcludedItem
from service.core.figures.sources import AsOf, Figure, FigureName, Judged, Published
from service.core.figures.vocabulary import ClaimBasis, ClaimScope

ClaimId: TypeAlias = Annotated[
    str, Meta(pattern=r"^c_[0-9a-f]{64}$(?!\n)", description="Content id of a claim.")
]
Position: TypeAlias = Annotated[
    float,
    Meta(ge=0.0, le=1.0, description="Share of the draws below the number, ties counted half."),
]
Probability: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
JudgedAt: TypeAlias = Literal["said_on", "as_of", "edition"]
Verdict: TypeAlias = Literal["exact", "within", "below", "above"]
Holds: TypeAlias = Literal["yes", "no", "open"]


class StageClaim(Answer, frozen=True, kw_only=True):
    """Hours of one stage or run: disclosed, predicted from its description, or both."""

    name: str
    disclosed: Estimate | UnsetType = UNSET
    predicted: Estimate | UnsetType = UNSET
    position: Annotated[
        Position | UnsetType, Meta(description="Of the disclosed hours in the prediction.")
    ] = UNSET


class ClaimedHours(Answer, frozen=True, kw_only=True):
    """Device-hours: disclosed, predicted, and where the disclosed lie in the prediction.

    A sum is absent unless all stages have the number.
    """

    disclosed: Estimate | UnsetType = UNSET
    predicted: Estimate | UnsetType = UNSET
    position: Annotated[
        Position | UnsetType, Meta(description="Of the disclosed hours in the prediction.")
    ] = UNSET
    stages: tuple[StageClaim, ...]


class PricesNear(Answer, frozen=True, kw_only=True):
    """Prices of one device, and where the rate that the claim implies stands among them."""

    accelerator: str
    share_below: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Share of these prices below the implied rate.")
    ]
    count: int
    lowest: float
    median: float
    highest: float
    oldest: AsOf
    newest: AsOf


class ClaimedRate(Answer, frozen=True, kw_only=True):
    """Dollars for one device-hour: what the claim implies, what was stated, what others ask.

    `market` holds the price on demand of each seller that was known on the day `priced_for`. The
    readings are judged at these. `history` holds the prices on demand that the catalog knows from
    half a year around the date of the claim.
    """

    implied: Estimate
    stated: Annotated[
        Estimate | UnsetType,
        Meta(description="The rate disclosed or assumed, on average over the hours."),
    ] = UNSET
    judged_at: Annotated[
        JudgedAt,
        Meta(
            description="Whose day the prices of the market are of: the claim's `said_on`, the "
            "request's `as_of`, or the catalog's `edition`, where too few are known of the others."
        ),
    ]
    priced_for: Annotated[Day, Meta(description="That day. Prices known by then count.")]
    market: tuple[PricesNear, ...]
    history: tuple[PricesNear, ...]


class Reading(Answer, frozen=True, kw_only=True):
    """One meaning of the claim: a way of accounting and a scope, and how the claim fits it.

    `position` is that of the amount among the draws of the total. `ratio` is amount over total.
    `exact`: within 2% of the total, from disclosed hours and a stated rate. `within`: between p10
    and p90, or across them for a bound or an interval. `below` and `above`: the claim lies below
    p10 or above p90. `probability` is that of a total that the bound or the interval admits.
    `holds` is `yes` from nine in ten on, and `no` up to one in ten.
    """

    basis: ClaimBasis
    scope: ClaimScope
    what: Annotated[str, Meta(description="The reading in words.")]
    total: Money
    interval: AmountInterval
    figure: FigureName
    position: Position
    ratio: float
    verdict: Verdict
    probability: Probability | UnsetType = UNSET
    holds: Holds | UnsetType = UNSET


class Omission(Answer, frozen=True, kw_only=True):
    """A cost that the best reading leaves out: its amount for this run, if one can be derived."""

    item: ExcludedItem
    what: str
    source: Published | Judged
    amount: AmountInterval | UnsetType = UNSET
    figure: FigureName | UnsetType = UNSET
    detail: Annotated[str | UnsetType, Meta(description="Why there is no amount.")] = UNSET
    magnitude: Magnitude | UnsetType = UNSET


class ClaimStep(Answer, frozen=True, kw_only=True):
    """What one component adds on the way, and the sum so far.

    The component `unexplained` is the total of the reading less the claim.
    """

    component: Literal[Item, "unexplained"]
    amount: Amount
    running_total: Amount


class ClaimBridge(Answer, frozen=True, kw_only=True):
    """From the claim to the widest total of one basis: `start` plus all amounts is `end`."""

    basis: ClaimBasis
    start_scope: ClaimScope
    end_scope: ClaimScope
    start: Money
    steps: tuple[ClaimStep, ...]
    end: Money


class Dollars(Answer, frozen=True, kw_only=True):
    """The claim in dollars of the newest year of the price index, by consumer prices."""

    said_in: int
    today: Annotated[int, Meta(description="The newest year that the index has.")]
    amount_today: Money
    figure: FigureName


class NotCheckable(Answer, frozen=True, kw_only=True):
    """What could not be checked, and what is missing."""

    what: str
    why: str


class Overall(Answer, frozen=True, kw_only=True):
    """The verdict of the best reading, and all of it in one sentence."""

    verdict: Literal[Verdict, "not_checkable"]
    sentence: str


class ClaimAnswer(Answer, frozen=True, kw_only=True):
    """A published figure put to the test.

    `readings` come best first. Those without a total are in `not_checkable`. `sources` are those
    of the runs and of past prices; every other number is walked back through `figures`.
    """

    id: ClaimId
    issued_at: Annotated[str, Meta(description="RFC 3339; the catalog edition's instant.")]
    valid_until: Annotated[str, Meta(description="RFC 3339; ask again after it.")]
    engine: EngineStamp
    catalog: CatalogStamp
    request: Raw
    amount: Annotated[
        Money, Meta(description="The amount that is judged: of an interval, its middle.")
    ]
    verdict: Overall
    hours: ClaimedHours
    rate: ClaimedRate | UnsetType = UNSET
    readings: tuple[Reading, ...]
    omissions: tuple[Omission, ...]
    bridge: ClaimBridge | UnsetType = UNSET
    dollars: Annotated[
        Dollars | UnsetType, Meta(description="Absent if both are the same year.")
    ] = UNSET
    sources: tuple[Published, ...]
    figures: dict[str, Figure]
    warnings: tuple[QuoteWarning, ...]
    not_checkable: tuple[NotCheckable, ...]
