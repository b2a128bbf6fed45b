"""The readings of a claim: each way of accounting with each scope, as lines and their total."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Struct

from service.core.answer import Item
from service.core.argument import Argument, Cursor
from service.core.bills.exclusions import WrittenBills
from service.core.bills.fully_loaded.bill import BaseTotals, write_fully_loaded
from service.core.bills.lines import BillBuilder, DraftLine, Unpriced, subtotal, total_usd
from service.core.bills.owned.bill import write_stage
from service.core.bills.owned.conventions import holding_of
from service.core.bills.owned.terms import ClusterTerms, Holding, terms_at
from service.core.bills.power import (
    DevicePower,
    SiteRates,
    consumption_of,
    device_power,
    site_rates,
)
from service.core.bills.prices.price import price_of
from service.core.bills.rental.bill import Rented, write_rental
from service.core.claims.subject import Priceable, Subject
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BasisName, ClaimBasis, ClaimScope
from service.core.request.accounting import Accounting, Convention
from service.core.request.request import Market

ADDED: Final[Mapping[ClaimScope, frozenset[Item]]] = {
    "with_base_model": frozenset({"base_model"}),
    "with_experiments": frozenset({"experiments", "experiments_on_commitment"}),
    "with_staff": frozenset({"base_model_development", "staff", "data"}),
}
"""What each scope adds to the one before it. `final_run` comes before the first."""
SCOPES: Final[tuple[ClaimScope, ...]] = ("final_run", *ADDED)
BESIDE_HOURS: Final = ("storage", "transfer", "support", "commitment_hours")
"""What a caller's accounting adds to the rental of hours. The market's rental has none of it."""


class DraftReading(Struct, frozen=True, kw_only=True):
    """One reading before it is judged. `lines` are empty for a purchase."""

    basis: ClaimBasis
    scope: ClaimScope
    lines: tuple[DraftLine, ...]
    total: Term


class Missing(NamedTuple):
    """A reading that has no total, and why."""

    basis: ClaimBasis
    scope: ClaimScope
    why: str


class Readings(Struct, frozen=True, kw_only=True):
    """All readings with a total, those without, and the bills that they were read from.

    `written` is None if the catalog lacks a device.
    """

    priced: tuple[DraftReading, ...]
    missing: tuple[Missing, ...]
    written: WrittenBills | None


class PoweredSite(Struct, frozen=True, kw_only=True):
    """The site of a cluster, and the power of its devices there."""

    site: SiteRates
    power: DevicePower | None


class ReadingBuilder:
    """Writes the bills of all readings into one ledger, each basis under a prefix of its own.

    A claim is about hours as a run holds them. So they are billed as they are, whatever is sold.
    """

    def __init__(
        self, argument: Argument, subject: Subject, *, base_quote: BaseTotals | None
    ) -> None:
        self._argument = argument
        self._subject = subject
        self._base_quote = base_quote
        self._accounting = msgspec.structs.replace(subject.request.accounting, billing="exact")
        self._priced: list[DraftReading] = []
        self._missing: list[Missing] = []
        self._bills: dict[ClaimBasis, tuple[BillBuilder, BillBuilder]] = {}
        """For each basis the bill of the hardware, and the fully loaded one on it."""

    def readings(self) -> Readings:
        """Every basis in every scope."""
        self._rent_as_stated()
        self._rent_at_market()
        written = self._own() if self._subject.devices_known else None
        return Readings(priced=tuple(self._priced), missing=tuple(self._missing), written=written)

    def _rent_as_stated(self) -> None:
        stages = self._subject.stages
        stated = [stage.stated for stage in stages]
        rented = tuple(
            Rented(stage.effort, price)
            for stage, price in zip(stages, stated, strict=True)
            if price is not None
        )
        if not rented:
            self._leave("rental_stated", "no rate per device-hour was stated")
        elif len(rented) < len(stages):
            self._leave("rental_stated", "a rate was stated for some of the runs only")
        else:
            bill = self._bill("rental_stated", self._accounting, like="rental")
            write_rental(bill, rented)
            self._read("rental_stated", bill)

    def _rent_at_market(self) -> None:
        plain = msgspec.structs.replace(
            self._accounting, discounts=(), uplifts=(), **dict.fromkeys(BESIDE_HOURS, UNSET)
        )
        bill = self._bill("rental_market", plain, like="rental")
        write_rental(bill, tuple(map(rented_at_market, self._subject.stages)))
        self._read("rental_market", bill)

    def _own(self) -> WrittenBills:
        """Own the devices by both conventions, and buy them. Returns the bills of a quote."""
        places = self._places()
        straight = self._own_by("straight_line", "owned_straight_line", places)
        self._own_by("epoch-2024", "owned_epoch_2024", places)
        self._buy(straight)
        rented: ClaimBasis = "rental_stated" if "rental_stated" in self._bills else "rental_market"
        rental, whole = self._bills[rented]
        owned, _ = self._bills["owned_straight_line"]
        return WrittenBills(
            at=self._argument.at(self._accounting, pointer="/accounting", prefix="excluded"),
            request=self._subject.request,
            efforts=tuple(stage.effort for stage in self._subject.stages),
            hardware="rental",
            bills={"rental": rental, "owned": owned, "fully_loaded": whole},
            totals={"rental": rental.subtotal("excluded/total_usd")},
            terms={pointer: holding.terms for pointer, holding in straight.items()},
            holdings=straight,
            base_quote=self._base_quote,
        )

    def _places(self) -> dict[str, PoweredSite]:
        found: dict[str, PoweredSite] = {}
        for stage in self._subject.stages:
            cluster = stage.effort.context.cluster
            if cluster.pointer not in found:
                site = site_rates(cluster)
                found[cluster.pointer] = PoweredSite(site=site, power=device_power(cluster, site))
        return found

    def _own_by(
        self, convention: Convention, basis: ClaimBasis, places: Mapping[str, PoweredSite]
    ) -> dict[str, Holding]:
        bill = self._bill(basis, self._accounting, like="owned")
        holdings: dict[str, Holding] = {}
        for stage in self._subject.stages:
            effort = stage.effort
            place = places[effort.cluster_pointer]
            if effort.cluster_pointer not in holdings:
                at = terms_at(effort, bill.at)
                said = msgspec.structs.replace(at.said, convention=convention)
                under = Cursor(
                    self._argument,
                    said,
                    pointer=at.pointer,
                    prefix=f"owning/{basis}{effort.cluster_pointer}",
                )
                terms = ClusterTerms(
                    at=under,
                    effort=effort,
                    devices=effort.devices,
                    why="",
                    site=place.site,
                    power=place.power,
                )
                holdings[effort.cluster_pointer] = holding_of(terms)
            consumption = None
            if convention == "straight_line":
                consumption = consumption_of(effort, place.power)
            write_stage(bill, effort, holdings[effort.cluster_pointer], consumption)
        self._read(basis, bill)
        return holdings

    def _buy(self, holdings: Mapping[str, Holding]) -> None:
        """Read the claim as the purchase of all devices that the run held."""
        stages = {stage.effort.cluster_pointer: stage for stage in self._subject.stages}
        unknown = [pointer for pointer, stage in stages.items() if not stage.devices_known]
        bought = [holding.acquisition for holding in holdings.values()]
        if unknown:
            self._leave("purchase", "the number of devices is not disclosed", "capital")
        elif None in bought:
            self._leave("purchase", "the catalog has no purchase price of the device", "capital")
        else:
            parts = {
                f"line_{index}": one["total_usd"]
                for index, one in enumerate(bought)
                if one is not None
            }
            total = self._argument.ledger.derive(
                total_usd, name="purchase/capital_usd", inputs=parts
            )
            self._priced.append(
                DraftReading(basis="purchase", scope="capital", lines=(), total=total)
            )

    def _bill(self, basis: ClaimBasis, accounting: Accounting, *, like: BasisName) -> BillBuilder:
        bill = BillBuilder(self._argument, accounting, like)
        bill.at = bill.at.under(basis)
        return bill

    def _read(self, basis: ClaimBasis, hardware: BillBuilder) -> None:
        """Read the claim in every scope of a basis, on the lines of its hardware."""
        whole = self._bill(basis, hardware.at.said, like="fully_loaded")
        whole.at = whole.at.under(f"{basis}/whole")
        write_fully_loaded(whole, hardware.lines, base_quote=self._base_quote)
        self._bills[basis] = hardware, whole
        inside: set[Item] = set()
        added = set[Item]().union(*ADDED.values())
        for scope in SCOPES:
            inside |= ADDED.get(scope, frozenset())
            if scope == "with_base_model" and not any(
                line.item == "base_model" for line in whole.lines
            ):
                continue
            lines = tuple(
                line for line in whole.lines if line.item not in added or line.item in inside
            )
            self._total(basis, scope, lines, whole.at)

    def _total(
        self,
        basis: ClaimBasis,
        scope: ClaimScope,
        lines: tuple[DraftLine, ...],
        at: Cursor[Accounting],
    ) -> None:
        total = subtotal(at.under(basis), lines, f"{scope}_usd")
        if total is None:
            unpriced = next(line for line in lines if isinstance(line, Unpriced))
            self._missing.append(Missing(basis, scope, unpriced.detail))
        else:
            self._priced.append(DraftReading(basis=basis, scope=scope, lines=lines, total=total))

    def _leave(self, basis: ClaimBasis, why: str, scope: ClaimScope = "final_run") -> None:
        self._missing.append(Missing(basis, scope, why))


def rented_at_market(stage: Priceable) -> Rented:
    """A stage rented at the market's price on demand, whatever the supply and its minimum term."""
    context = stage.effort.context
    said = msgspec.structs.replace(context.cluster.said, supply=Market())
    cluster = Cursor(
        context.argument, said, pointer=context.cluster.pointer, prefix=context.cluster.prefix
    )
    effort = msgspec.structs.replace(
        stage.effort, context=msgspec.structs.replace(context, cluster=cluster)
    )
    return Rented(effort, price_of(cluster))
