"""The owned bill: purchase, capital, hosting, upkeep and electricity of the hours that were used."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from service.core.answer import Item
from service.core.argument import Argument
from service.core.bases.owned import straight_line
from service.core.lines import Book, DraftBill
from service.core.meters import Plug
from service.core.provenance import Term
from service.core.request import Cluster, Interval, Owned, OwnedTerms
from service.core.stages import Effort
from service.core.units import Unit

ITEMS: Final[Mapping[str, Item]] = {
    "accelerators_usd": "accelerators",
    "servers_usd": "servers",
    "network_usd": "cluster_network",
}


class Ownership(Struct, frozen=True, kw_only=True):
    """What owning one cluster comes to: the purchase, the rate it implies, where it breaks even."""

    cluster: Cluster
    cluster_pointer: str
    convention: str
    acquisition: Mapping[str, Term]
    usd_per_device_hour: Term
    break_even: Mapping[str, Term]


class Rates(Struct, frozen=True, kw_only=True):
    """Dollars for one device-hour by item, and what one device-hour draws and hosts."""

    per_device_hour: Mapping[Item, Term]
    purchase: Mapping[str, Term]
    utilization: Term
    kwh_per_device_hour: Term | None
    kilowatt_months_per_device_hour: Term | None
    usd_per_kilowatt_month: Term | None


def owned_bill(
    argument: Argument,
    efforts: tuple[Effort, ...],
    plugs: Mapping[str, Plug | None],
    *,
    terms: OwnedTerms,
) -> DraftBill:
    """The lines of every stage; `terms` hold where the supply is not owned with its own terms."""
    book = Book(argument, "owned")
    write_owned(argument, book, efforts, plugs, terms=terms)
    return book.close()


def write_owned(
    argument: Argument,
    book: Book,
    efforts: tuple[Effort, ...],
    plugs: Mapping[str, Plug | None],
    *,
    terms: OwnedTerms,
) -> None:
    """Write what each stage costs whoever owns its cluster."""
    for effort in efforts:
        rates = rates_of(argument, effort, plugs[effort.cluster_pointer], terms=terms)
        if effort.device_hours is None or rates is None:
            _leave_unpriced(book, effort)
        else:
            _write_stage(argument, book, effort, rates, plugs[effort.cluster_pointer])


def terms_of(effort: Effort, terms: OwnedTerms) -> tuple[OwnedTerms, str]:
    """The terms of a stage's cluster, and where in the request they stand."""
    supply = effort.cluster.supply
    if isinstance(supply, Owned):
        return supply, f"{effort.cluster_pointer}/supply"
    return terms, "/accounting/owned"


def rates_of(
    argument: Argument, effort: Effort, plug: Plug | None, *, terms: OwnedTerms
) -> Rates | None:
    """Rates of a stage's cluster under its convention; None if nobody prices the purchase."""
    asked, pointer = terms_of(effort, terms)
    desk = Desk(argument, asked, pointer, effort)
    price = desk.price()
    if price is None:
        return None
    if asked.convention == "epoch-2024":
        return _epoch_rates(desk, price, plug)
    return _straight_line_rates(desk, price, plug)


class Desk:
    """Reads the terms of one cluster: the caller's, or the catalog's."""

    def __init__(self, argument: Argument, terms: OwnedTerms, pointer: str, effort: Effort) -> None:
        self.argument = argument
        self.ledger = argument.ledger
        self.terms = terms
        self.pointer = pointer
        self.device = effort.cluster.accelerator
        self.includes_server = terms.price_includes_server

    @property
    def prefix(self) -> str:
        """The ledger's prefix for what these terms make of this device; shared by its clusters."""
        where = self.pointer.removeprefix("/").replace("/", ".")
        return f"owning/{self.device}/{where}"

    def price(self) -> Term | None:
        """The purchase price of one device, given or the catalog's."""
        if self.terms.usd_per_device is not UNSET:
            return self.argument.quantity(
                self.terms.usd_per_device,
                pointer=f"{self.pointer}/usd_per_device",
                unit="usd/device",
            )
        for kind, includes_server in (("server", True), ("card", False)):
            name = f"owned.{kind}_price_usd.{self.device}"
            if name in self.argument.catalog.assumptions:
                self.includes_server = includes_server
                return self.argument.assume(name, pointer=f"{self.pointer}/usd_per_device")
        return None

    def number(
        self,
        value: float | Interval[Any] | UnsetType,
        *,
        member: str,
        unit: Unit,
        assumption: str,
    ) -> Term:
        """One of the terms, or the default that stands for it."""
        where = f"{self.pointer}/{member}"
        if value is UNSET:
            return self.argument.assume(assumption, pointer=where)
        return self.argument.quantity(value, pointer=where, unit=unit)

    def rate(self, formula: Any, name: str, unit: Unit = "usd/device_hour", **inputs: Term) -> Term:
        """A derived rate of these terms."""
        return self.ledger.derive_once(
            formula, name=f"{self.prefix}/{name}", unit=unit, inputs=inputs
        )


def _purchase(desk: Desk, price: Term) -> dict[str, Term]:
    """The purchase of one device with its share of server and network, in parts."""
    terms = desk.terms
    name = f"{desk.prefix}/purchase"
    units: dict[str, Unit] = {
        "accelerators_usd": "usd/device",
        "servers_usd": "usd/device",
        "network_usd": "usd/device",
        "total_usd": "usd/device",
    }
    if f"{name}/total_usd" in desk.ledger:
        return {part: desk.ledger.term(f"{name}/{part}") for part in units}
    one = desk.argument.constant("one_device", 1.0, unit="count")
    return desk.ledger.derive_parts(
        straight_line.acquisition,
        name=name,
        units=units,
        inputs={
            "devices": one,
            "price_usd_per_device": price,
            "server_share": desk.argument.assume("owned.server_share"),
            "network_share": desk.number(
                terms.network_share,
                member="network_share",
                unit="share",
                assumption="owned.network_share",
            ),
        },
        fixed={"price_includes_server": float(desk.includes_server)},
    )
