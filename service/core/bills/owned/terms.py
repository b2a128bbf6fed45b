"""Where the terms of an owned cluster are read: the caller's, or else the catalog's."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Argument
from service.core.bills.power import Place, Plug
from service.core.catalog.catalog import Accelerator
from service.core.figures.ledger import Term
from service.core.figures.units import Unit
from service.core.request.accounting import OwnedTerms
from service.core.request.request import Owned
from service.core.request.wire import Interval
from service.core.stages.effort import Effort


class PurchasePrice(Struct, frozen=True):
    """Dollars for one device, and whether its share of the server is in it."""

    usd: Term
    includes_server: bool


class Holding(Struct, frozen=True, kw_only=True):
    """What owning one cluster comes to, for a device-hour of use; None is not known.

    `purchase_rates` are dollars per device-hour by part, `acquisition` dollars for the cluster.
    Hosting is by the kilowatt-month and only where the convention has it.
    """

    desk: "Desk"
    acquisition: Mapping[str, Term] | None
    purchase_rates: Mapping[str, Term] | None
    kwh_per_device_hour: Term | None
    usd_per_kwh: Term
    hosted_w: Term | None = None
    usd_per_kilowatt_month: Term | None = None
    utilisation: Term | None = None

    @property
    def has_hosting(self) -> bool:
        """Whether the convention bills hosting apart."""
        return self.usd_per_kilowatt_month is not None


class Desk(Struct, frozen=True, kw_only=True):
    """One cluster, the terms under which it is owned, and where in the request they stand."""

    argument: Argument
    terms: OwnedTerms
    pointer: str
    effort: Effort
    place: Place
    plug: Plug | None

    @property
    def device(self) -> Accelerator:
        """The device that is owned."""
        return self.argument.catalog.accelerator(
            self.effort.cluster.accelerator, pointer=f"{self.effort.cluster_pointer}/accelerator"
        )

    @property
    def prefix(self) -> str:
        """The ledger's prefix for what these terms make of this cluster."""
        return f"owning{self.effort.cluster_pointer}"

    def number(
        self,
        value: float | Interval[Any] | UnsetType,
        *,
        member: str,
        unit: Unit,
        assumption: str,
    ) -> Term:
        """One of the terms, or the default that stands for it."""
        return self.argument.stated_or_default(
            value, pointer=f"{self.pointer}/{member}", unit=unit, assumption=assumption
        )

    def network_share(self, assumption: str) -> Term:
        """The cluster network's share of the whole cluster's cost."""
        return self.number(
            self.terms.network_share, member="network_share", unit="share", assumption=assumption
        )

    def price(self) -> PurchasePrice | None:
        """The purchase price of one device, given or the catalog's; None if nobody says."""
        where = f"{self.pointer}/usd_per_device"
        if self.terms.usd_per_device is not UNSET:
            given = self.argument.quantity(
                self.terms.usd_per_device, pointer=where, unit="usd/device"
            )
            return PurchasePrice(given, self.terms.price_includes_server)
        for kind, includes_server in (("server", True), ("card", False)):
            name = f"owned.{kind}_price_usd.{self.device.id}"
            if name in self.argument.catalog.assumptions:
                return PurchasePrice(self.argument.assume(name, pointer=where), includes_server)
        return None


def terms_of(effort: Effort, terms: OwnedTerms) -> tuple[OwnedTerms, str]:
    """The terms of a stage's cluster and where they stand: an owned supply has its own."""
    supply = effort.cluster.supply
    if isinstance(supply, Owned):
        return supply, f"{effort.cluster_pointer}/supply"
    return terms, "/accounting/owned"


def desk_of(
    argument: Argument, effort: Effort, place: Place, plug: Plug | None, *, terms: OwnedTerms
) -> Desk:
    """The desk of a stage's cluster."""
    own, pointer = terms_of(effort, terms)
    return Desk(
        argument=argument, terms=own, pointer=pointer, effort=effort, place=place, plug=plug
    )
