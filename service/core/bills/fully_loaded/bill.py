"""The fully loaded bill: the hardware of the final run, and what a headline leaves out.

The base model comes first, so that the run can be read together with the model that it starts from.
Experiments, people and data follow.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET, Struct

from service.core.answer import Item
from service.core.argument import Cursor
from service.core.bills.fully_loaded import formulas
from service.core.bills.lines import (
    BillBuilder,
    DraftLine,
    line_usd,
    net_of_discounts,
    subtotal,
)
from service.core.figures.ledger import Term
from service.core.figures.units import UNIT_OF_CURRENCY
from service.core.figures.vocabulary import Currency
from service.core.request.accounting import (
    BaseAmount,
    BaseQuote,
    BaseRuns,
    DataByAmount,
    Experiments,
    StaffByAmount,
    StaffByPeople,
)


class BaseTotal(Struct, frozen=True, kw_only=True):
    """A total of the quote that is the base model, with its equally likely totals, ascending."""

    amount: float
    outcomes: tuple[float, ...] = ()

    def less(self, other: "BaseTotal") -> "BaseTotal":
        """What this total has beyond another of the same quote, which is high where it is high."""
        pairs = zip(self.outcomes, other.outcomes, strict=False)
        return BaseTotal(
            amount=self.amount - other.amount,
            outcomes=tuple(sorted(one - less for one, less in pairs)),
        )

    @property
    def range(self) -> tuple[float, float]:
        """The 90% interval: each end lies in the middle of the two outermost of 20 outcomes."""
        if len(self.outcomes) < LEAST_OUTCOMES:
            return self.amount, self.amount
        first, second = self.outcomes[:2]
        last_but_one, last = self.outcomes[-2:]
        return min((first + second) / 2, self.amount), max((last_but_one + last) / 2, self.amount)


class BaseTotals(Struct, frozen=True, kw_only=True):
    """Totals of the quote that is the base model. None if that quote has no such total.

    They are in the currency in which that quote was asked.
    """

    rental: BaseTotal | None = None
    fully_loaded: BaseTotal | None = None
    currency: Currency = "USD"


LEAST_OUTCOMES: Final = 20


UPLIFTS: Final[frozenset[Item]] = frozenset({"markup", "tax"})
BESIDE_COMPUTE: Final[frozenset[Item]] = UPLIFTS | {
    "unused_commitment",
    "discount",
    "storage",
    "transfer",
    "support",
}
"""Items of the hardware's bill that are not hardware used by the run."""


def write_fully_loaded(
    bill: BillBuilder, hardware: Sequence[DraftLine], *, base_quote: BaseTotals | None
) -> None:
    """Write the lines of the hardware's bill, what is added to them, and the uplifts last."""
    bill.carry(line for line in hardware if line.item not in UPLIFTS)
    run = _run_compute(bill, hardware)
    if bill.at.states("base_model"):
        _write_base(bill, base_quote=base_quote)
    compute = _write_experiments(bill, run, _unused_usd(bill, hardware))
    _write_staff(bill, compute)
    _write_data(bill, compute)
    bill.carry(line for line in hardware if line.item in UPLIFTS)


def _run_compute(bill: BillBuilder, hardware: Sequence[DraftLine]) -> Term | None:
    """The hardware that the run uses, net of discounts. None if a line of it is unpriced."""
    used = dict.fromkeys(line.item for line in hardware if line.item not in BESIDE_COMPUTE)
    return net_of_discounts(bill.at, hardware, used, "run_compute_usd")


def _unused_usd(bill: BillBuilder, hardware: Sequence[DraftLine]) -> Term | None:
    """The cost of committed hours that the run does not use, net of discounts."""
    if not any(line.item == "unused_commitment" for line in hardware):
        return None
    return net_of_discounts(bill.at, hardware, ("unused_commitment",), "unused_commitment_usd")


def _write_base(bill: BillBuilder, *, base_quote: BaseTotals | None) -> None:
    """Write the model that the run starts from, and the cost of its development if that counts."""
    base = bill.at.at("base_model")
    if isinstance(base.said, BaseQuote):
        _write_base_quote(bill, base, base_quote or BaseTotals())
        return
    before = len(bill.lines)
    if isinstance(base.said, BaseRuns):
        for index, id in enumerate(base.said.ids):
            _write_base_run(bill, id, pointer=f"{base.pointer_of('ids')}/{index}")
    elif isinstance(base.said, BaseAmount):
        bill.lump_sum(item="base_model", usd=base.quantity("usd", unit="usd"))
    if isinstance(base.said, BaseRuns | BaseAmount) and base.said.scope == "fully_loaded":
        _write_base_development(bill, base, bill.lines[before:])


def _write_base_run(bill: BillBuilder, id: str, *, pointer: str) -> None:
    """Write a reference run: its hours at its rate, or else its stated cost."""
    at = bill.at
    run, ledger = at.argument.catalog.run(id, pointer=pointer), at.argument.ledger
    if run.device_hours is not UNSET and run.usd_per_device_hour is not UNSET:
        bill.price(
            item="base_model",
            unit="device_hour",
            quantity=ledger.take(run.device_hours),
            rate=at.derive(
                formulas.base_rate,
                f"base/{run.id}/usd_per_device_hour",
                stated_usd_per_device_hour=ledger.take(run.usd_per_device_hour),
                paid_over_stated=at.assume("fully_loaded.base_rate_paid_over_stated"),
            ),
            label=run.id,
            detail=run.quote_basis,
        )
    elif run.stated_cost_usd is not UNSET:
        bill.lump_sum(
            item="base_model",
            usd=at.derive(
                formulas.base_cost,
                f"base/{run.id}/usd",
                stated_usd=ledger.take(run.stated_cost_usd),
                paid_over_stated=at.assume("fully_loaded.base_cost_paid_over_stated"),
            ),
            label=run.id,
            detail=run.quote_basis,
        )
    else:
        bill.leave_unpriced(
            item="base_model",
            unit="lump_sum",
            quantity=None,
            reason="base_model_cost_unknown",
            detail=f"run {run.id} states neither its cost nor hours with a rate; give an amount",
            pointer=pointer,
            label=run.id,
        )


def _write_base_quote(bill: BillBuilder, base: Cursor[BaseQuote], totals: BaseTotals) -> None:
    """Write the rental total of an earlier quote, and the excess of its fully loaded total."""
    id, pointer = base.said.id, base.pointer_of("id")
    whole = base.said.scope == "fully_loaded"
    if totals.rental is None or (whole and totals.fully_loaded is None):
        missing = "fully loaded" if totals.rental is not None else "rental"
        bill.leave_unpriced(
            item="base_model",
            unit="lump_sum",
            quantity=None,
            reason="base_model_cost_unknown",
            detail=f"quote {id} has no {missing} total; quote it with that basis, or "
            "let base_model have another scope",
            pointer=pointer,
            label=id,
        )
        return
    bill.lump_sum(
        item="base_model",
        usd=_given_total(base, totals.rental, currency=totals.currency, pointer=pointer),
        label=id,
        detail="rental total of a quote issued before",
    )
    if whole and totals.fully_loaded is not None:
        beyond = totals.fully_loaded.less(totals.rental)
        bill.lump_sum(
            item="base_model_development",
            usd=_given_total(
                base, beyond, currency=totals.currency, pointer=base.pointer_of("scope")
            ),
            label=id,
            detail="fully loaded total of that quote, less its rental total",
        )


def _given_total(
    base: Cursor[BaseQuote], total: BaseTotal, *, currency: Currency, pointer: str
) -> Term:
    """A total of an earlier quote in dollars, with the spread that it had there."""
    low, high = total.range
    spread = {"low": low, "high": high} if low < high else {}
    unit = UNIT_OF_CURRENCY[currency]
    given = base.argument.ledger.given(total.amount, pointer=pointer, unit=unit, **spread)
    if unit == "usd":
        return given
    return base.argument.ledger.derive_once(
        formulas.base_in_usd,
        name=f"{given.name}/usd",
        inputs={"amount": given, "usd_per_unit": base.assume(f"usd_per_{unit}")},
    )


def _write_base_development(
    bill: BillBuilder, base: Cursor[Any], lines: Sequence[DraftLine]
) -> None:
    """Write experiments, staff and data of the base model, by usual ratios at its own size."""
    found = _base_development(bill, base, lines)
    if isinstance(found, Development):
        bill.price(
            item="base_model_development",
            unit="usd",
            quantity=found.rental_usd,
            rate=found.over_rental,
            detail="experiments, staff and data of the base model, as usual shares of its rental",
        )
    elif found is None:
        _leave_open(bill, "base_model_development", pointer=base.pointer_of("scope"))
    else:
        _leave_unknown(
            bill,
            "base_model_development",
            found,
            pointer=base.pointer_of("scope"),
            advice="let base_model have the scope rental, or give an amount of all that it took",
        )


class Development(Struct, frozen=True):
    """What the development of a base model took, over the rental of its final runs."""

    rental_usd: Term
    over_rental: Term


def _base_development(
    bill: BillBuilder, base: Cursor[Any], lines: Sequence[DraftLine]
) -> Development | Term | None:
    """The development of the base model. None if its final runs are unpriced.

    If nothing is known at its size, that size: its compute with experiments.
    """
    rental = subtotal(bill.at, lines, "base/rental_usd")
    if rental is None:
        return None
    factor = _usual_factor(base, rental)
    compute = base.derive(
        formulas.compute_usd, "base/compute_usd", hardware_usd=rental, experiment_factor=factor
    )
    if not _known_at_size(base, compute):
        return compute
    return Development(
        rental,
        base.derive(
            formulas.base_development_over_rental,
            "base/development_over_rental",
            experiment_factor=factor,
            staff_ratio=_usual_staff_ratio(base, compute, "base/staff_over_compute"),
            data_ratio=base.assume("fully_loaded.data_ratio"),
        ),
    )


def base_development_usd(bill: BillBuilder, base_quote: BaseTotals | None) -> Term | None:
    """The development of a base model that the bill counts by its rental. None if not known."""
    base = bill.at.at("base_model")
    if isinstance(base.said, BaseQuote):
        totals = base_quote or BaseTotals()
        if totals.rental is None or totals.fully_loaded is None:
            return None
        beyond = totals.fully_loaded.less(totals.rental)
        return _given_total(
            base, beyond, currency=totals.currency, pointer=base.pointer_of("scope")
        )
    found = _base_development(bill, base, [x for x in bill.lines if x.item == "base_model"])
    if not isinstance(found, Development):
        return None
    return base.derive(
        line_usd, "base/development_usd", quantity=found.rental_usd, rate=found.over_rental
    )


def _known_at_size(at: Cursor[Any], compute: Term) -> bool:
    """Whether anything is known of the staff and data of developments of this size."""
    return compute.central >= at.assume("fully_loaded.least_compute_usd").central


def _experiment_factor(experiments: Cursor[Experiments], run: Term) -> Term:
    """The caller's factor, or else the usual one of a run of this size."""
    if experiments.states("factor"):
        return experiments.quantity("factor", unit="ratio")
    return _usual_factor(experiments, run, member="factor")


def _usual_factor(at: Cursor[Any], run: Term, *, member: str = "") -> Term:
    """The usual experiment factor of a run of this size, with a wider range for a small one."""
    usual = at.assume("fully_loaded.experiment_factor", member=member)
    least = at.assume("fully_loaded.least_compute_usd")
    if run.central * usual.central >= least.central:
        return usual
    return at.assume("fully_loaded.experiment_factor_small", member=member)


def _usual_staff_ratio(at: Cursor[Any], compute: Term, name: str, *, member: str = "") -> Term:
    """Staff over compute at the size of a development."""
    return at.derive(
        formulas.staff_over_compute_by_size,
        name,
        compute_usd=compute,
        staff_share=at.assume("fully_loaded.staff_share", member=member),
        small_over_frontier=at.assume("fully_loaded.small_staff_over_frontier", member=member),
        frontier_usd=at.assume("fully_loaded.frontier_compute_usd"),
        small_usd=at.assume("fully_loaded.small_compute_usd"),
    )


def _write_experiments(bill: BillBuilder, run: Term | None, unused: Term | None) -> Term | None:
    """Write research, ablations and failed runs. Returns them with the run's own compute.

    They first use the unused hours of a commitment, which are paid for already.
    """
    experiments = bill.at.at("experiments")
    if run is None:
        _leave_open(bill, "experiments", pointer=experiments.pointer_of("factor"))
        return None
    factor = _experiment_factor(experiments, run)
    beyond = experiments.derive(
        formulas.share_beyond_final_run, "experiments_over_final_run", experiment_factor=factor
    )
    usd = bill.price(item="experiments", unit="usd", quantity=run, rate=beyond)
    if unused is not None:
        bill.lump_sum(
            item="experiments_on_commitment",
            usd=experiments.derive(
                formulas.experiments_on_commitment_usd, experiments_usd=usd, unused_usd=unused
            ),
            detail="experiments that use paid hours of the commitment",
        )
    return experiments.derive(formulas.compute_usd, hardware_usd=run, experiment_factor=factor)


def _write_staff(bill: BillBuilder, compute: Term | None) -> None:
    """Write the people: by head, by an amount, by their share, or by the size of the run."""
    staff = bill.at.at("staff")
    if isinstance(staff.said, StaffByAmount):
        bill.lump_sum(item="staff", usd=staff.quantity("usd", unit="usd"))
    elif isinstance(staff.said, StaffByPeople):
        _write_people(bill, staff)
    elif compute is None:
        _leave_open(bill, "staff", pointer=staff.pointer)
    elif staff.states("share"):
        share = staff.quantity("share", unit="share")
        rate = staff.derive(formulas.staff_over_compute, staff_share=share)
        bill.price(item="staff", unit="usd", quantity=compute, rate=rate)
    elif _known_at_size(staff, compute):
        rate = _usual_staff_ratio(staff, compute, "staff_over_compute", member="share")
        bill.price(item="staff", unit="usd", quantity=compute, rate=rate)
    else:
        _leave_unknown(
            bill,
            "staff",
            compute,
            pointer=staff.pointer,
            advice="give people, a share or an amount",
        )


def _write_people(bill: BillBuilder, staff: Cursor[StaffByPeople]) -> None:
    """Write person-months at the cost of a person's month."""
    time_share = staff.assumed("time_share", unit="share", default="fully_loaded.time_share")
    pay = staff.assumed(
        "usd_per_person_year", unit="usd/person_year", default="fully_loaded.usd_per_person_year"
    )
    overhead = staff.assumed("overhead", unit="ratio", default="fully_loaded.staff_overhead")
    work = staff.derive(
        formulas.person_months,
        people=staff.quantity("people", unit="person"),
        months=staff.quantity("months", unit="month"),
        time_share=time_share,
    )
    bill.price(
        item="staff",
        unit="person_month",
        quantity=work,
        rate=staff.derive(
            formulas.usd_per_person_month, usd_per_person_year=pay, overhead=overhead
        ),
    )


def _write_data(bill: BillBuilder, compute: Term | None) -> None:
    """Write the data: an amount, or a ratio to hardware with experiments."""
    data = bill.at.at("data")
    if isinstance(data.said, DataByAmount):
        bill.lump_sum(item="data", usd=data.quantity("usd", unit="usd"))
    elif compute is None:
        _leave_open(bill, "data", pointer=data.pointer)
    elif data.states("ratio") or _known_at_size(data, compute):
        ratio = data.assumed("ratio", unit="ratio", default="fully_loaded.data_ratio")
        bill.price(item="data", unit="usd", quantity=compute, rate=ratio)
    else:
        _leave_unknown(
            bill, "data", compute, pointer=data.pointer, advice="give a ratio or an amount"
        )


def _leave_open(bill: BillBuilder, item: Item, *, pointer: str) -> None:
    """Leave open a line that is a share of hardware without a price."""
    base = item == "base_model_development"
    of = "the base model's rental" if base else "the run's hardware"
    missing = f"and a line of {'that rental' if base else 'that hardware'} is unpriced"
    bill.leave_unpriced(
        item=item,
        unit="usd",
        quantity=None,
        reason="depends_on_an_unpriced_line",
        detail=f"{item} is a share of {of}, {missing}",
        pointer=pointer,
        caution=""
        if base
        else f"experiments, staff and data are shares of {of}, {missing}; give its price, or state"
        " what they cost",
    )


def _leave_unknown(
    bill: BillBuilder, item: Item, compute: Term, *, pointer: str, advice: str
) -> None:
    """Leave open a line of which nothing is known for developments of this size."""
    base = item == "base_model_development"
    least = bill.at.assume("fully_loaded.least_compute_usd").central
    known = (
        f"published only for developments whose compute, with experiments, costs {least:,.0f}"
        f" dollars or more; that of the {'base model' if base else 'run'} costs"
        f" {compute.central:,.2f}"
    )
    what = "staff and data" if base else item
    bill.leave_unpriced(
        item=item,
        unit="usd",
        quantity=compute,
        reason="size_below_known",
        detail=f"costs of {what} are {known}; {advice}",
        pointer=pointer,
        caution="" if base else f"costs of staff and data are {known}; state what they cost",
    )
