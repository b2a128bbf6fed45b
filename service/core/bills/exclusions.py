"""What bills leave out, and what that comes to in this quote.

The catalog says which costs bills leave out, and in which words. The amounts follow from the bills:
experiments, staff and data from the fully loaded one, energy and purchase from the owned one. A
cost of which nothing is known in this quote has no amount.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import UNSET, Struct

from service.core.answer import Item
from service.core.argument import Cursor, Unknown
from service.core.bills import exclusion_formulas as formulas
from service.core.bills.fully_loaded.bill import BaseTotals, base_development_usd
from service.core.bills.lines import BillBuilder, Priced, Unpriced, line_usd, total_usd
from service.core.bills.owned.bill import ALWAYS, PURCHASE
from service.core.bills.owned.conventions import acquisition_of
from service.core.bills.owned.terms import ClusterTerms, Holding
from service.core.bills.power import sum_of
from service.core.catalog.catalog import Catalog, ExcludedCost, ExcludedItem
from service.core.cluster.hardware import device_of
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BasisName
from service.core.model.parameters import params_total
from service.core.request.accounting import Accounting, BaseQuote, BaseRuns, NoBase
from service.core.request.names import placed_stages
from service.core.request.request import QuoteRequest
from service.core.stages.effort import Effort
from service.core.training.step_spec import StepSpec

UsdOrWhyNot: TypeAlias = Term | str
"""US dollars, or why they are not known: empty if there is nothing to say."""
WORDY: Final = 2
"""Most clusters that are named one by one."""


class DraftExclusion(Struct, frozen=True, kw_only=True):
    """A cost that some bases leave out, before it is printed."""

    row: ExcludedCost
    bases: tuple[BasisName, ...]
    what: str
    usd: Term | None
    detail: str


class WrittenBills(Struct, frozen=True, kw_only=True):
    """The bills of a quote, asked for or not, and what they were written from.

    `at` is the cursor at the request's accounting; figures begin with `excluded`. `terms` has the
    clusters by pointer, and `holdings` those whose owned bill is written.
    """

    at: Cursor[Accounting]
    request: QuoteRequest
    efforts: tuple[Effort, ...]
    hardware: BasisName
    bills: Mapping[BasisName, BillBuilder]
    totals: Mapping[BasisName, Term | None]
    terms: Mapping[str, ClusterTerms]
    holdings: Mapping[str, Holding]
    base_quote: BaseTotals | None

    def on_cluster(self, pointer: str) -> tuple[Effort, ...]:
        """The stages that run on one cluster."""
        return tuple(one for one in self.efforts if one.cluster_pointer == pointer)


def rows_that_hold(request: QuoteRequest, catalog: Catalog) -> tuple[ExcludedCost, ...]:
    """The first row of each item whose conditions the request meets."""
    base = request.accounting.base_model
    runs = set(base.ids) if isinstance(base, BaseRuns) else set()
    devices = {placed.cluster.accelerator for placed in placed_stages(request)}
    vendors = {catalog.accelerators[device].vendor for device in devices}
    found: dict[ExcludedItem, ExcludedCost] = {}
    for row in catalog.exclusions:
        if row.base_runs and runs.isdisjoint(row.base_runs):
            continue
        if not row.vendor or row.vendor in vendors:
            found.setdefault(row.item, row)
    return tuple(found.values())


def items_left_out(
    rows: tuple[ExcludedCost, ...],
    accounting: Accounting,
    basis: BasisName,
    *,
    hardware: BasisName,
) -> tuple[ExcludedItem, ...]:
    """The costs that a bill leaves out. The fully loaded one misses what its hardware misses."""
    where = {basis, hardware} if basis == "fully_loaded" else {basis}
    inside = _brought_in(accounting, rented="rental" in where) | _base_inside(accounting, basis)
    return tuple(row.item for row in rows if where <= set(row.bases) and row.item not in inside)


def _brought_in(accounting: Accounting, *, rented: bool) -> set[ExcludedItem]:
    """Costs that the request declares, and that the rental bill therefore has."""
    found: set[ExcludedItem] = set()
    if rented and accounting.storage is not UNSET:
        found.add("storage")
    if rented and accounting.transfer is not UNSET:
        found.add("transfer")
    if rented and any(one.kind == "tax" for one in accounting.uplifts):
        found.add("tax")
    return found


def _base_inside(accounting: Accounting, basis: BasisName) -> set[ExcludedItem]:
    """Costs of a base model that a bill has, or that there are none of."""
    base = accounting.base_model
    if base is UNSET:
        return {"base_model_development"}
    if isinstance(base, NoBase):
        return {"base_model", "base_model_development"}
    if basis != "fully_loaded":
        return set()
    whole = base.scope == "fully_loaded"
    return {"base_model", "base_model_development"} if whole else {"base_model"}


def exclusions_of(
    written: WrittenBills,
    rows: tuple[ExcludedCost, ...],
    excludes: Mapping[BasisName, tuple[ExcludedItem, ...]],
) -> tuple[DraftExclusion, ...]:
    """Each cost that an asked basis leaves out, once, with its amount in this quote."""
    found = []
    for row in rows:
        bases = tuple(basis for basis, items in excludes.items() if row.item in items)
        if bases:
            amount = AMOUNTS[row.item](written, row) if row.item in AMOUNTS else ""
            found.append(
                DraftExclusion(
                    row=row,
                    bases=bases,
                    what=row.what.format_map(_words(written)),
                    usd=amount if isinstance(amount, Term) else None,
                    detail="" if isinstance(amount, Term) else amount,
                )
            )
    return tuple(found)


def _label(effort: Effort) -> str:
    return effort.context.argument.catalog.label(effort.cluster.accelerator)


def _words(written: WrittenBills) -> dict[str, str]:
    """What the words of an exclusion may name."""
    clusters = {
        one.cluster_pointer: f"{one.devices.central:,.0f} {_label(one)}" for one in written.efforts
    }
    first, *others = clusters.values()
    named = " and ".join((first, *others))
    if len(clusters) > WORDY:
        named = f"{first} and {len(others)} other clusters"
    return {
        "cluster": named,
        "base": _base_words(written.request.accounting),
        "hardware": written.hardware,
    }


def _base_words(accounting: Accounting) -> str:
    base = accounting.base_model
    if base is UNSET:
        return "the request names none; a run that trains from scratch has none"
    if isinstance(base, BaseRuns):
        return ", ".join(base.ids)
    return f"quote {base.id}" if isinstance(base, BaseQuote) else "the amount that is stated for it"


def _sum(written: WrittenBills, basis: BasisName, name: str, *items: Item) -> UsdOrWhyNot:
    """The lines of some items of a bill."""
    lines = [line for line in written.bills[basis].lines if line.item in items]
    unpriced = next((line.detail for line in lines if isinstance(line, Unpriced)), None)
    if unpriced is not None or not lines:
        return unpriced or ""
    amounts = [line.usd for line in lines if isinstance(line, Priced)]
    if len(amounts) == 1:
        return amounts[0]
    terms = {f"line_{index}": usd for index, usd in enumerate(amounts)}
    return written.at.derive(total_usd, f"{name}_usd", **terms)


def _product(written: WrittenBills, name: str, *, quantity: UsdOrWhyNot, rate: Term) -> UsdOrWhyNot:
    """A quantity at a rate, if the quantity is known."""
    if not isinstance(quantity, Term):
        return quantity
    return written.at.derive(line_usd, f"{name}_usd", quantity=quantity, rate=rate)


def _loaded(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """A cost that the fully loaded bill has as a line."""
    if row.item == "experiments":
        return _sum(written, "fully_loaded", row.item, "experiments", "experiments_on_commitment")
    items: Mapping[ExcludedItem, Item] = {
        "base_model": "base_model",
        "staff": "staff",
        "data": "data",
    }
    return _sum(written, "fully_loaded", row.item, items[row.item])


def _base_development(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """The development of the base model, as a line or beside a bill that counts its rental."""
    base = written.request.accounting.base_model
    assert base is not UNSET
    assert not isinstance(base, NoBase)
    if base.scope == "fully_loaded":
        return _sum(written, "fully_loaded", row.item, "base_model_development")
    return base_development_usd(written.bills["fully_loaded"], written.base_quote) or ""


def _purchase(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """All clusters, bought."""
    bought: dict[str, Term] = {}
    for index, (pointer, terms) in enumerate(written.terms.items()):
        holding = written.holdings.get(pointer)
        parts = acquisition_of(terms) if holding is None else holding.acquisition
        if parts is None:
            return terms.device.lacks("purchase price")
        bought[f"cluster_{index}"] = parts["total_usd"]
    if len(bought) == 1:
        return next(iter(bought.values()))
    return written.at.derive(sum_of, f"{row.item}_usd", "usd", **bought)


def _largest(written: WrittenBills) -> StepSpec | None:
    """The step of the largest model that is trained."""
    steps = (one.hours.step for one in written.efforts)
    specs = [step.spec for step in steps if step is not None]
    return max(
        specs, key=lambda spec: params_total(architecture=spec.model.architecture), default=None
    )


def _storage(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Storage as declared, where the rental bill has it, or else checkpoints of the model."""
    at, spec = written.at, _largest(written)
    if at.states("storage"):
        return _sum(written, "rental", row.item, "storage") if "rental" in written.bills else ""
    if spec is None:
        return "the size of the model is not known"
    kept = at.derive(
        formulas.checkpoint_gigabyte_months,
        architecture=spec.model.fixed,
        trained_share=spec.trainable.params_share,
        adapters=float(spec.trainable.adapters),
        bytes_per_trained_parameter=at.assume("excluded.checkpoint_bytes_per_trained_parameter"),
        bytes_per_weight=at.assume("excluded.bytes_per_weight"),
        checkpoints=at.assume("excluded.checkpoints_kept"),
        months=at.assume("excluded.checkpoint_months"),
    )
    rate = at.assume("rental.usd_per_gigabyte_month", member="storage")
    return _product(written, row.item, quantity=kept, rate=rate)


def _transfer(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Transfer as declared, where the rental bill has it, or else one copy of the weights."""
    at, spec = written.at, _largest(written)
    if at.states("transfer"):
        return _sum(written, "rental", row.item, "transfer") if "rental" in written.bills else ""
    if spec is None:
        return "the size of the model is not known"
    moved = at.derive(
        formulas.weights_gigabytes,
        architecture=spec.model.fixed,
        trained_share=spec.trainable.params_share,
        adapters=float(spec.trainable.adapters),
        bytes_per_weight=at.assume("excluded.bytes_per_weight"),
    )
    rate = at.assume("rental.usd_per_gigabyte", member="transfer")
    return _product(written, row.item, quantity=moved, rate=rate)


def _software(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Licences by the hours of the devices whose maker prints a price."""
    if not row.vendor:
        return ""
    hours: dict[str, Term] = {}
    for index, one in enumerate(written.efforts):
        if device_of(one.context.cluster).vendor == row.vendor:
            if isinstance(one.device_hours, Unknown):
                return one.device_hours.detail
            hours[f"stage_{index}"] = one.device_hours
    licensed = next(iter(hours.values()))
    if len(hours) > 1:
        licensed = written.at.derive(sum_of, "licensed_device_hours", "device_hour", **hours)
    rate = written.at.assume("excluded.software_usd_per_device_hour")
    return _product(written, row.item, quantity=licensed, rate=rate)


def _idle_energy(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Electricity of idle hours, in step with that of the hours used."""
    used = _sum(written, "owned", "energy_of_use", "energy")
    rate = written.at.assume("excluded.idle_energy_over_use")
    return _product(written, row.item, quantity=used, rate=rate)


def _spares(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Spare devices, at the cost of those in use."""
    used = _sum(written, "owned", "purchase_of_use", *PURCHASE.values())
    rate = written.at.assume("excluded.spares_share")
    return _product(written, row.item, quantity=used, rate=rate)


def _insurance(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Insurance of each cluster at its purchase price, for the hours of its stages."""
    share = written.at.assume("excluded.insurance_share_per_year")
    insured: dict[str, Term] = {}
    for index, (pointer, holding) in enumerate(written.holdings.items()):
        efforts = written.on_cluster(pointer)
        hours = {f"device_hours_{place}": one.device_hours for place, one in enumerate(efforts)}
        if holding.acquisition is None:
            return holding.terms.device.lacks("purchase price")
        unknown = next((one.detail for one in hours.values() if isinstance(one, Unknown)), None)
        if unknown is not None:
            return unknown
        insured[f"cluster_{index}"] = holding.terms.at.derive(
            formulas.insurance_usd,
            acquisition_usd=holding.acquisition["total_usd"],
            share_per_year=share,
            devices=efforts[0].devices,
            utilisation=holding.utilisation or ALWAYS,
            **hours,
        )
    if len(insured) == 1:
        return next(iter(insured.values()))
    return written.at.derive(sum_of, f"{row.item}_usd", "usd", **insured)


def _tax(written: WrittenBills, row: ExcludedCost) -> UsdOrWhyNot:
    """Taxes as stated, where the rental bill has them, or else a usual share of the bill."""
    if any(one.kind == "tax" for one in written.request.accounting.uplifts):
        return _sum(written, "rental", row.item, "tax") if "rental" in written.bills else ""
    total = written.totals[written.hardware]
    if total is None:
        return f"the {written.hardware} bill has no total"
    rate = written.at.assume("excluded.tax_share")
    return _product(written, row.item, quantity=total, rate=rate)


AMOUNTS: Final[Mapping[ExcludedItem, Callable[[WrittenBills, ExcludedCost], UsdOrWhyNot]]] = (
    MappingProxyType(
        {
            "base_model": _loaded,
            "base_model_development": _base_development,
            "experiments": _loaded,
            "staff": _loaded,
            "data": _loaded,
            "capital": _purchase,
            "storage": _storage,
            "transfer": _transfer,
            "software_licences": _software,
            "idle_energy": _idle_energy,
            "insurance": _insurance,
            "spares": _spares,
            "tax": _tax,
        }
    )
)
"""What each cost comes to. Those that are absent depend on nothing in a quote."""
