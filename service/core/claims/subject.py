"""What a claim is about: stages with their hours, disclosed and predicted, and a base model."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import UNSET, Struct, structs

from service.core.argument import Argument, Caution, Cursor, Unknown
from service.core.bills.lines import once
from service.core.bills.power import sum_of
from service.core.bills.prices.price import NoPrice, Price, price_of
from service.core.catalog.catalog import Catalog, ReferenceRun
from service.core.catalog.errors import NotQuotable, QuoteError
from service.core.claims import formulas
from service.core.cluster.described import with_ids
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum, Judged, Published
from service.core.figures.units import Z_80, Z_90
from service.core.request.accounting import BaseRuns, NoBase
from service.core.request.claim import ClaimedRequest, ClaimedRuns, ClaimRequest
from service.core.request.names import unknown_names
from service.core.request.request import Cluster, Market, Owned, QuoteRequest, Run, Stage
from service.core.request.work import Compute, Metered, Timed
from service.core.stages.effort import Effort, efforts_of
from service.core.stages.hours import Hours, StageContext
from service.core.stages.schedule import order_errors

RateIs: TypeAlias = Literal["stated", "assumed", "implied", "given"]
"""How a rate was come by: stated or assumed by a report, implied by its dollars, or in a request.
"""
SECOND_HAND: Final[Mapping[str, str]] = {
    "estimate": "estimated by {who}",
    "imputed": "estimated by {who}",
    "plan": "planned before the run",
    "recalled": "recalled, and not read in a source",
    "retold": "retold by others",
}
"""What hours are that the makers of a run did not disclose as its result, by a word of their basis.
`who` is the word before it.
"""


class Priceable(Struct, frozen=True, kw_only=True):
    """A stage of the claim: its effort, the two kinds of hours, and its rental at a stated rate.

    `stated` is None if no rate was stated: then there is only the market's.
    """

    effort: Effort
    disclosed: Term | None
    predicted: Term | None
    stated: Price | NoPrice | None
    devices_known: bool = True


class Subject(Struct, frozen=True, kw_only=True):
    """What a claim is about. `request` is the quote's request that would describe it."""

    request: QuoteRequest
    stages: tuple[Priceable, ...]
    is_of_catalog: bool
    """Whether the runs are reference runs, which tell their base."""
    rate_is: RateIs = "stated"
    sources: tuple[Published, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    """What could not be had, and why."""

    @property
    def has_base(self) -> bool:
        """Whether the run is said to start from another model."""
        base = self.request.accounting.base_model
        return base is not UNSET and not isinstance(base, NoBase)

    @property
    def may_have_base(self) -> bool:
        """Whether the run starts from another model, or may do so because nobody says."""
        base = self.request.accounting.base_model
        return self.has_base or (base is UNSET and not self.is_of_catalog)

    @property
    def devices_known(self) -> bool:
        """Whether the catalog has the device of every stage."""
        return all(stage.effort.cluster.accelerator for stage in self.stages)

    @property
    def clusters(self) -> str:
        """The devices in words, with their number where it is known."""
        named: dict[str, str] = {}
        for stage in self.stages:
            catalog = stage.effort.context.argument.catalog
            device = catalog.label(stage.effort.cluster.accelerator)
            count = f"{stage.effort.devices.central:,.0f} " if stage.devices_known else ""
            named[stage.effort.cluster_pointer] = f"{count}{device}"
        return " and ".join(dict.fromkeys(named.values()))

    @property
    def discloses_hours(self) -> bool:
        """Whether the readings rest on disclosed hours alone."""
        return all(stage.disclosed is not None for stage in self.stages)


def check_claim(claim: ClaimRequest, catalog: Catalog) -> None:
    """Raises `NotQuotable` with every name of a claim that stands for nothing."""
    what = claim.what
    errors = unknown_names(claim, catalog)
    if isinstance(what, ClaimedRequest):
        errors += tuple(_at(error, f"/what{error.pointer}") for error in order_errors(what.run))
    if errors:
        raise NotQuotable(errors)


def _at(error: QuoteError, pointer: str) -> QuoteError:
    error.pointer = pointer
    return error


def subject_of(argument: Argument, claim: ClaimRequest) -> Subject:
    """The stages that a claim is about, with all that prices them."""
    if isinstance(claim.what, ClaimedRequest):
        return _described(argument, claim.what)
    return _of_runs(argument, claim.what)


class NamedClaim(NamedTuple):
    """A claim whose described devices have ids, a catalog that knows them, and what is odd."""

    claim: ClaimRequest
    catalog: Catalog
    cautions: tuple[Caution, ...] = ()


def with_named_devices(claim: ClaimRequest, catalog: Catalog) -> NamedClaim:
    """A claim with an id for each device that it describes. All its names are known."""
    what = claim.what
    if not isinstance(what, ClaimedRequest):
        return NamedClaim(claim, catalog)
    named = with_ids(quote_request(what), catalog)
    what = structs.replace(what, run=named.request.run, cluster=named.request.cluster)
    return NamedClaim(structs.replace(claim, what=what), named.catalog, named.cautions)


def quote_request(what: ClaimedRequest) -> QuoteRequest:
    """The request of the quote that would describe a run."""
    return QuoteRequest(run=what.run, cluster=what.cluster, accounting=what.accounting)


def _described(argument: Argument, what: ClaimedRequest) -> Subject:
    """The stages of a request. Hours that it states are disclosed, all others are predicted."""
    request = quote_request(what)
    stages = [_of_effort(effort) for effort in efforts_of(argument, request)]
    missing: tuple[tuple[str, str], ...] = ()
    if what.device_hours is not UNSET:
        disclosed = argument.quantity(
            what.device_hours, pointer="/device_hours", unit="device_hour"
        )
        terms = [stage.effort.device_hours for stage in stages]
        known = {f"stage_{at}": term for at, term in enumerate(terms) if isinstance(term, Term)}
        if len(known) < len(terms):
            missing = (("disclosed hours", "they are for stages of which one has no hours"),)
        else:
            described = argument.ledger.derive(
                sum_of, name="claim/described_device_hours", unit="device_hour", inputs=known
            )
            stages = [_with_disclosed(stage, disclosed, described) for stage in stages]
    return Subject(
        request=request,
        stages=tuple(stages),
        is_of_catalog=False,
        rate_is="given",
        missing=missing,
    )


def _of_effort(effort: Effort) -> Priceable:
    known = effort.device_hours if isinstance(effort.device_hours, Term) else None
    states = isinstance(effort.stage.work, Metered | Timed | Compute)
    supply = effort.cluster.supply
    at_market = isinstance(supply, Owned) or supply == Market()
    return Priceable(
        effort=effort,
        disclosed=known if states else None,
        predicted=None if states else known,
        stated=None if at_market else price_of(effort.context.cluster),
    )


def _with_disclosed(stage: Priceable, disclosed: Term, predicted_sum: Term) -> Priceable:
    """A stage with its part of the hours that were disclosed for the whole run."""
    hours = stage.effort.device_hours
    assert isinstance(hours, Term)
    part = stage.effort.context.stage.derive(
        formulas.device_hours_of_disclosed_sum,
        disclosed=disclosed,
        predicted=hours,
        predicted_sum=predicted_sum,
    )
    effort = structs.replace(stage.effort, device_hours=part, wall_clock_hours=None)
    return structs.replace(stage, effort=effort, disclosed=part, predicted=hours)


def _of_runs(argument: Argument, what: ClaimedRuns) -> Subject:
    """Reference runs as stages. Runs on one kind of device share a cluster."""
    runs = [
        argument.catalog.run(id, pointer=f"/what/ids/{index}") for index, id in enumerate(what.ids)
    ]
    accounting = what.accounting
    bases = tuple(dict.fromkeys(id for run in runs for id in run.base_runs if id not in what.ids))
    if accounting.base_model is UNSET and bases:
        accounting = structs.replace(accounting, base_model=BaseRuns(ids=bases))
    clusters = _clusters(runs)
    stages = tuple(
        _of_run(argument, run, index, *clusters[run.accelerator]) for index, run in enumerate(runs)
    )
    return Subject(
        request=QuoteRequest(
            run=Run(name="runs", stages=tuple(stage.effort.stage for stage in stages)),
            cluster=stages[0].effort.cluster,
            accounting=accounting,
        ),
        stages=stages,
        is_of_catalog=True,
        rate_is=_rate_is(runs),
        sources=tuple(dict.fromkeys(source for run in runs for source in run.sources)),
        missing=tuple(found for run in runs for found in _missing_of(run)),
    )


def _rate_is(runs: Sequence[ReferenceRun]) -> RateIs:
    """How the rates of runs were come by: by a report, by its assumption, or from its dollars."""
    bases = " ".join(str(run.facts.get("cost_basis", "")) for run in runs)
    if "assumed" in bases:
        return "assumed"
    return "implied" if "implied" in bases else "stated"


def _missing_of(run: ReferenceRun) -> list[tuple[str, str]]:
    """What a run does not disclose, and what stands for it."""
    found = []
    if run.device_hours is UNSET:
        stand_in = "" if run.predicted is UNSET else "; predicted ones stand for them"
        found.append(("disclosed hours", f"{run.id} discloses no device-hours{stand_in}"))
    for word, words in SECOND_HAND.items():
        if word in run.device_hours_basis:
            what = words.format(who=run.device_hours_basis.partition("_")[0].capitalize())
            found.append(("disclosed hours", f"the device-hours of {run.id} are {what}"))
    if not run.accelerator:
        found.append(("device", f"the catalog lacks the device of {run.id}"))
    return found


def _clusters(runs: Sequence[ReferenceRun]) -> dict[str, tuple[int, Datum | None]]:
    """For each kind of device, the first run on it, and the most devices that a run held."""
    found: dict[str, tuple[int, Datum | None]] = {}
    for index, run in enumerate(runs):
        first, most = found.get(run.accelerator, (index, None))
        count = run.device_count
        if count is not UNSET and (most is None or _count(count) > _count(most)):
            most = count
        found[run.accelerator] = first, most
    return found


def _count(devices: Datum) -> float:
    return devices._value  # noqa: SLF001 - compared only; the ledger opens the one that counts


def _of_run(
    argument: Argument, run: ReferenceRun, index: int, first: int, devices: Datum | None
) -> Priceable:
    """A reference run as a stage whose hours are those that it discloses, or else predicted."""
    ledger = argument.ledger
    disclosed = None if run.device_hours is UNSET else ledger.take(run.device_hours)
    predicted = None if run.predicted is UNSET else ledger.take(predicted_hours(run))
    hours = disclosed or predicted
    count = ledger.derive_once(once, name="once", inputs={})
    cluster = Cluster(device=run.accelerator, devices=count.central)
    stage = Stage(
        name=run.id,
        work=Metered(device_hours=hours.central if hours else 1.0),
        cluster=cluster,
    )
    context = StageContext(
        stage=argument.at(stage, pointer=f"/run/stages/{index}", prefix=f"claimed/{run.id}"),
        cluster=argument.at(
            cluster,
            pointer=f"/run/stages/{first}/cluster",
            prefix=f"claimed/{run.accelerator}",
        ),
        devices=count if devices is None else ledger.take(devices),
    )
    known = hours or _unknown_hours(run, context.stage)
    return Priceable(
        effort=Effort(
            context=context,
            device_hours=known,
            wall_clock_hours=None,
            hours=Hours(device_hours=known),
        ),
        disclosed=disclosed,
        predicted=predicted,
        stated=_stated_rate(argument, run),
        devices_known=devices is not None,
    )


def _unknown_hours(run: ReferenceRun, at: Cursor[Any]) -> Unknown:
    return at.unknown(
        "unsuited",
        f"{run.id} discloses no device-hours, nor enough to predict them",
    )


def _stated_rate(argument: Argument, run: ReferenceRun) -> Price | None:
    if run.usd_per_device_hour is UNSET:
        return None
    return Price(argument.ledger.take(run.usd_per_device_hour), run.quote_basis)


def predicted_hours(run: ReferenceRun) -> Datum:
    """The hours that this engine predicts for a run, with the 90% interval that fits its 80%."""
    assert run.predicted is not UNSET
    central, widened = run.predicted.device_hours, Z_90 / Z_80
    return Datum(
        name=f"runs/{run.id}/predicted_device_hours",
        _value=central,
        unit="device_hour",
        source=Judged(
            why="predicted by this engine from the description of the run; the interval is that "
            "of its errors on published runs",
            as_of=run.date,
            confidence="medium",
        ),
        low=central * (run.predicted.p10 / central) ** widened,
        high=central * (run.predicted.p90 / central) ** widened,
    )
