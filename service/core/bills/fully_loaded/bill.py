"""The fully loaded bill: the hardware of the final run, and what a headline leaves out.

The base model comes first, so that the run and what it starts from can be read off together; then
experiments, the people and the data.
"""

from typing import Final

from msgspec import UNSET

from service.core.answer import Item
from service.core.argument import Argument
from service.core.bills.fully_loaded import formulas
from service.core.bills.lines import Book
from service.core.figures.ledger import Term
from service.core.request.accounting import (
    Accounting,
    BaseAmount,
    BaseQuote,
    BaseRuns,
    DataByAmount,
    NoBase,
    StaffByAmount,
    StaffByPeople,
)

BASE: Final = "/accounting/base_model"
STAFF: Final = "/accounting/staff"


def write_extras(
    argument: Argument, book: Book, accounting: Accounting, *, base_quote_usd: float | None
) -> None:
    """What comes on top of the hardware lines that the book begins with."""
    hardware = book.subtotal("hardware_usd")
    _write_base(argument, book, accounting, base_quote_usd=base_quote_usd)
    compute = _write_experiments(argument, book, accounting, hardware)
    _write_staff(argument, book, accounting, compute)
    _write_data(argument, book, accounting, compute)


def _write_base(
    argument: Argument, book: Book, accounting: Accounting, *, base_quote_usd: float | None
) -> None:
    """The model that the run starts from: reference runs, a quote, an amount, or nothing."""
    base = accounting.base_model
    if base is UNSET or isinstance(base, NoBase):
        return
    if isinstance(base, BaseRuns):
        for index, id in enumerate(base.ids):
            _write_base_run(argument, book, id, pointer=f"{BASE}/ids/{index}")
    elif isinstance(base, BaseQuote):
        _write_base_quote(argument, book, base, base_quote_usd)
    else:
        assert isinstance(base, BaseAmount)
        usd = argument.quantity(base.usd, pointer=f"{BASE}/usd", unit="usd")
        book.lump_sum(item="base_model", usd=usd)


def _write_base_run(argument: Argument, book: Book, id: str, *, pointer: str) -> None:
    """A reference run: its hours at its rate, or else its stated cost."""
    run, ledger = argument.catalog.run(id, pointer=pointer), argument.ledger
    if run.device_hours is not UNSET and run.usd_per_device_hour is not UNSET:
        book.price(
            item="base_model",
            unit="device_hour",
            quantity=ledger.take(run.device_hours),
            rate=ledger.take(run.usd_per_device_hour),
            label=run.id,
            detail=run.quote_basis,
        )
    elif run.stated_cost_usd is not UNSET:
        book.lump_sum(
            item="base_model",
            usd=ledger.take(run.stated_cost_usd),
            label=run.id,
            detail=run.quote_basis,
        )
    else:
        book.leave_unpriced(
            item="base_model",
            unit="lump_sum",
            quantity=None,
            reason="base_model_cost_unknown",
            detail=f"run {run.id} states neither its cost nor hours with a rate; give an amount",
            pointer=pointer,
            label=run.id,
        )


def _write_base_quote(
    argument: Argument, book: Book, base: BaseQuote, base_quote_usd: float | None
) -> None:
    """The rental total of a quote issued before."""
    if base_quote_usd is None:
        book.leave_unpriced(
            item="base_model",
            unit="lump_sum",
            quantity=None,
            reason="base_model_cost_unknown",
            detail=f"quote {base.id} has no rental total",
            pointer=f"{BASE}/id",
            label=base.id,
        )
        return
    usd = argument.ledger.given(base_quote_usd, pointer=f"{BASE}/id", unit="usd")
    book.lump_sum(
        item="base_model", usd=usd, label=base.id, detail="rental total of a quote issued before"
    )


def _write_experiments(
    argument: Argument, book: Book, accounting: Accounting, hardware: Term | None
) -> Term | None:
    """Hardware for research, ablations and failed runs; answers hardware with experiments."""
    where = "/accounting/experiments/factor"
    factor = argument.stated_or_default(
        accounting.experiments.factor,
        pointer=where,
        unit="ratio",
        assumption="fully_loaded.experiment_factor",
    )
    if hardware is None:
        _leave_open(book, "experiments", pointer=where)
        return None
    beyond = argument.ledger.derive(
        formulas.share_beyond_final_run,
        name="fully_loaded/experiments_over_final_run",
        inputs={"experiment_factor": factor},
    )
    book.price(item="experiments", unit="usd", quantity=hardware, rate=beyond)
    return argument.ledger.derive(
        formulas.compute_usd,
        name="fully_loaded/compute_usd",
        inputs={"hardware_usd": hardware, "experiment_factor": factor},
    )


def _write_staff(
    argument: Argument, book: Book, accounting: Accounting, compute: Term | None
) -> None:
    """The people: by head, by an amount, or by their share of development cost."""
    staff = accounting.staff
    if isinstance(staff, StaffByAmount):
        usd = argument.quantity(staff.usd, pointer=f"{STAFF}/usd", unit="usd")
        book.lump_sum(item="staff", usd=usd)
    elif isinstance(staff, StaffByPeople):
        _write_people(argument, book, staff)
    elif compute is None:
        _leave_open(book, "staff", pointer=STAFF)
    else:
        book.price(
            item="staff",
            unit="usd",
            quantity=compute,
            rate=argument.ledger.derive(
                formulas.staff_over_compute,
                name="fully_loaded/staff_over_compute",
                inputs={
                    "staff_share": argument.stated_or_default(
                        staff.share,
                        pointer=f"{STAFF}/share",
                        unit="share",
                        assumption="fully_loaded.staff_share",
                    )
                },
            ),
        )


def _write_people(argument: Argument, book: Book, staff: StaffByPeople) -> None:
    """Person-months at what a month of a person costs."""
    ledger = argument.ledger
    time_share = argument.stated_or_default(
        staff.time_share,
        pointer=f"{STAFF}/time_share",
        unit="share",
        assumption="fully_loaded.time_share",
    )
    pay = argument.stated_or_default(
        staff.usd_per_person_year,
        pointer=f"{STAFF}/usd_per_person_year",
        unit="usd/person_year",
        assumption="fully_loaded.usd_per_person_year",
    )
    overhead = argument.stated_or_default(
        staff.overhead,
        pointer=f"{STAFF}/overhead",
        unit="ratio",
        assumption="fully_loaded.staff_overhead",
    )
    work = ledger.derive(
        formulas.person_months,
        name="fully_loaded/person_months",
        inputs={
            "people": argument.quantity(staff.people, pointer=f"{STAFF}/people", unit="person"),
            "months": argument.quantity(staff.months, pointer=f"{STAFF}/months", unit="month"),
            "time_share": time_share,
        },
    )
    book.price(
        item="staff",
        unit="person_month",
        quantity=work,
        rate=ledger.derive(
            formulas.usd_per_person_month,
            name="fully_loaded/usd_per_person_month",
            inputs={"usd_per_person_year": pay, "overhead": overhead},
        ),
    )


def _write_data(
    argument: Argument, book: Book, accounting: Accounting, compute: Term | None
) -> None:
    """The data: an amount, or a ratio to hardware with experiments."""
    data, where = accounting.data, "/accounting/data"
    if isinstance(data, DataByAmount):
        usd = argument.quantity(data.usd, pointer=f"{where}/usd", unit="usd")
        book.lump_sum(item="data", usd=usd)
    elif compute is None:
        _leave_open(book, "data", pointer=where)
    else:
        ratio = argument.stated_or_default(
            data.ratio,
            pointer=f"{where}/ratio",
            unit="ratio",
            assumption="fully_loaded.data_ratio",
        )
        book.price(item="data", unit="usd", quantity=compute, rate=ratio)


def _leave_open(book: Book, item: Item, *, pointer: str) -> None:
    """A line that would be a share of hardware that nobody prices."""
    book.leave_unpriced(
        item=item,
        unit="usd",
        quantity=None,
        reason="depends_on_an_unpriced_line",
        detail=f"{item} follows from the hardware, of which a line is unpriced",
        pointer=pointer,
    )
