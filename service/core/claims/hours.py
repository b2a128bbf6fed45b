"""The hours of a claim: disclosed, predicted, and where the one lies in the other."""

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from service.core.answer import ClaimedHours, StageClaim
from service.core.argument import Argument, Unknown
from service.core.bills.power import sum_of
from service.core.claims.subject import Priceable, Subject
from service.core.draws.spread import Spread
from service.core.figures.ledger import Term
from service.core.printing.estimates import estimate


class HoursOfClaim(Struct, frozen=True, kw_only=True):
    """Device-hours of all stages in sum, as figures. None if a stage lacks the number.

    `read` are those that the readings rest on: the disclosed ones, where there are any.
    """

    disclosed: Term | None
    predicted: Term | None
    read: Term | None
    predictions: tuple[str, ...]
    """The names of all predicted figures."""
    figures: tuple[str, ...]
    """The names of all figures of hours."""


def hours_of(argument: Argument, subject: Subject) -> HoursOfClaim:
    """The hours of a subject in sum."""
    stages = subject.stages
    predicted = _sum(argument, [stage.predicted for stage in stages], "predicted")
    known = (predicted, *(stage.predicted for stage in stages))
    others = (stage.disclosed for stage in stages)
    return HoursOfClaim(
        disclosed=_sum(argument, [stage.disclosed for stage in stages], "disclosed"),
        predicted=predicted,
        read=_sum(argument, [stage.effort.device_hours for stage in stages], "read"),
        predictions=tuple(term.name for term in known if term is not None),
        figures=tuple(term.name for term in (*known, *others) if term is not None),
    )


def _sum(argument: Argument, terms: Sequence[Term | Unknown | None], name: str) -> Term | None:
    """The sum of device-hours of all stages. The hours of one stage need no sum."""
    known = {f"stage_{index}": term for index, term in enumerate(terms) if isinstance(term, Term)}
    if len(known) < len(terms):
        return None
    if len(known) == 1:
        return known["stage_0"]
    return argument.ledger.derive(
        sum_of, name=f"claim/{name}_device_hours", unit="device_hour", inputs=known
    )


def printed_hours(subject: Subject, hours: HoursOfClaim, spread: Spread) -> ClaimedHours:
    """Both kinds of hours, in sum and of each stage."""
    return ClaimedHours(
        disclosed=estimate(hours.disclosed, spread),
        predicted=estimate(hours.predicted, spread),
        position=_position(hours.disclosed, hours.predicted, spread),
        stages=tuple(_printed_stage(stage, spread) for stage in subject.stages),
    )


def _printed_stage(stage: Priceable, spread: Spread) -> StageClaim:
    return StageClaim(
        name=stage.effort.stage.name,
        disclosed=estimate(stage.disclosed, spread),
        predicted=estimate(stage.predicted, spread),
        position=_position(stage.disclosed, stage.predicted, spread),
    )


def _position(disclosed: Term | None, predicted: Term | None, spread: Spread) -> float | UnsetType:
    """The share of the predicted draws below the disclosed hours."""
    if disclosed is None or predicted is None:
        return UNSET
    return spread.position(disclosed.central, name=predicted.name)
