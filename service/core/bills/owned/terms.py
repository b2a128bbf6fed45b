"""The terms of an owned cluster: the caller's, or else the catalog's."""

from collections.abc import Mapping

from msgspec import Struct

from service.core.argument import Argument, Cursor, Fixed
from service.core.bills.power import DevicePower, SiteRates
from service.core.bills.sold import piece_bought, whole_pieces
from service.core.catalog.catalog import Accelerator
from service.core.cluster.hardware import device_of
from service.core.figures.ledger import Term
from service.core.request.accounting import Accounting, OwnedTerms
from service.core.request.request import Owned
from service.core.stages.effort import Effort


class PriceOfDevice(Struct, frozen=True):
    """Dollars for one device, and whether (0 or 1) the price includes its share of the server."""

    usd: Term
    includes_server: Fixed


class Holding(Struct, frozen=True, kw_only=True):
    """The costs of owning one cluster, for a device-hour of use. None means not known.

    `purchase_rates` are dollars per device-hour by part, `acquisition` dollars for the cluster.
    Hosting is by the kilowatt-month, and only if the convention has it.
    """

    terms: "ClusterTerms"
    acquisition: Mapping[str, Term] | None
    purchase_rates: Mapping[str, Term] | None
    kwh_per_device_hour: Term | None
    usd_per_kwh: Term
    hosted_w: Term | None = None
    usd_per_kilowatt_month: Term | None = None
    utilisation: Term | None = None

    @property
    def has_hosting(self) -> bool:
        """Whether the convention bills hosting separately."""
        return self.usd_per_kilowatt_month is not None


class ClusterTerms(Struct, frozen=True, kw_only=True):
    """One cluster and the terms under which it is owned.

    `at` is the cursor at these terms. Figures that are derived from them are named `owning/...`.
    `devices` are those of the whole servers or racks that are bought; `why` tells of the difference
    from those of the `effort`.
    """

    at: Cursor[OwnedTerms]
    effort: Effort
    devices: Term
    why: str
    site: SiteRates
    power: DevicePower | None

    @property
    def argument(self) -> Argument:
        """State of the quote."""
        return self.at.argument

    @property
    def device(self) -> Accelerator:
        """The device that is owned."""
        return device_of(self.effort.context.cluster)

    def network_share(self, default: str) -> Term:
        """The cluster network's share of the whole cluster's cost."""
        return self.at.assumed("network_share", unit="share", default=default)

    def price(self) -> PriceOfDevice | None:
        """The purchase price of one device, given or the catalog's. None if there is none."""
        member = "usd_per_device"
        if self.at.states(member):
            given = self.at.quantity(member, unit="usd/device")
            return PriceOfDevice(given, self.at.fixed("price_includes_server"))
        known = self.argument.catalog.purchase_prices.get(self.device.id)
        if known is None:
            return None
        usd = self.argument.ledger.take(known.usd_per_device, pointer=self.at.pointer_of(member))
        of_what = "a share of a complete server" if known.includes_server else "a bare card"
        return PriceOfDevice(usd, Fixed(float(known.includes_server), f"{usd.name}: {of_what}"))


def terms_at(effort: Effort, accounting: Cursor[Accounting]) -> Cursor[OwnedTerms]:
    """The terms of a stage's cluster: those of its owned supply, or else of the accounting."""
    supply = effort.context.cluster.at("supply")
    return supply if isinstance(supply.said, Owned) else accounting.at("owned")


def cluster_terms(
    effort: Effort,
    site: SiteRates,
    power: DevicePower | None,
    *,
    accounting: Cursor[Accounting],
) -> ClusterTerms:
    """The terms of a stage's cluster with its site and its power."""
    at = terms_at(effort, accounting).under(f"owning{effort.cluster_pointer}")
    devices, why = effort.devices, ""
    if accounting.said.billing == "as_sold":
        piece = piece_bought(at, effort.cluster.accelerator)
        devices, why = whole_pieces(at, devices, piece)
    return ClusterTerms(at=at, effort=effort, devices=devices, why=why, site=site, power=power)
