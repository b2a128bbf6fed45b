"""Small catalogs and requests for tests: a two-device world in three lines."""

from functools import cache
from typing import Any

import msgspec
from msgspec import UnsetType

from service.catalog_files import load_catalog
from service.core.answer import Bill, EngineStamp, PricedBill, Quote, QuoteWarning
from service.core.catalog.catalog import Accelerator, Catalog, Offer, Provider, ProviderKind
from service.core.catalog.market import listed_offers
from service.core.draws.memo import Memo
from service.core.figures.formulas import WHOLE, Formula
from service.core.figures.sources import Datum, Judged
from service.core.figures.units import Unit
from service.core.quote import quote
from service.core.request.request import QuoteRequest

TEST_ENGINE = EngineStamp(version="test", digest="sha256:" + "0" * 64)
PRINTED = Judged(why="made up for a test", as_of="2026-01-01", confidence="high")

EUR = 1.2
"""Dollars for a euro in test worlds."""

MEMO = Memo()
"""Shared by all quotes of a test process: it changes no byte of any."""


@cache
def embedded() -> Catalog:
    """The embedded catalog, read once and only when a test asks for it."""
    return load_catalog()


def datum(name: str, value: float, unit: Unit, **range_: Any) -> Datum:
    """A sealed number of a test world."""
    return Datum(name=name, _value=value, unit=unit, source=PRINTED, **range_)


def device(id: str, *, bf16: float | None = 1e15) -> Accelerator:
    """A device with a peak, or with none."""
    peaks = {} if bf16 is None else {"bf16": datum(f"accelerators/{id}/bf16", bf16, "flop/s")}
    return Accelerator(
        id=id,
        name=id,
        vendor="test",
        architecture="test",
        generation="test",
        kind="gpu",
        fleet="other",
        network_class="other",
        epoch_2024_family="other",
        form_factor="SXM",
        released="2024",
        memory_bytes=datum(f"accelerators/{id}/memory_bytes", 80e9, "byte"),
        peak_dense_flop_per_s=peaks,
    )


def offer(id: str, provider: str, accelerator: str, price: float, **facts: Any) -> Offer:
    """An offer of one device on demand, unless told otherwise."""
    unit = facts.pop("unit", "usd/device_hour")
    return msgspec.structs.replace(
        Offer(
            id=id,
            provider=provider,
            accelerator=accelerator,
            price_kind="on_demand",
            price_per_device_hour=datum(f"offers/{id}/price_per_device_hour", price, unit),
            observed_on="2026-01-01",
            date_basis="source",
            region="global",
            instance_type="one",
            devices=1,
        ),
        **facts,
    )


def world(*devices: Accelerator, offers: tuple[Offer, ...] = (), **kinds: ProviderKind) -> Catalog:
    """A catalog of these devices and offers; `kinds` are the providers' where not a GPU cloud."""
    providers = {name.provider for name in offers} | set(kinds)

    def order(row: Offer) -> tuple[str, float]:
        return row.observed_on, -row.price_per_device_hour._value

    rows = sorted(offers, key=order, reverse=True)
    sellers = {id: Provider(id=id, kind=kinds.get(id, "gpu_cloud")) for id in providers}
    return listing(
        Catalog(
            version="2026-01-01",
            published_at="2026-01-01T00:00:00Z",
            digest="sha256:" + "0" * 64,
            accelerators={device.id: device for device in devices},
            providers=sellers,
            offers={row.id: row for row in rows},
            sites={},
            models={},
            runs={},
            assumptions=embedded().assumptions
            | {
                "compute.mfu": datum("assumptions/compute.mfu", 0.4, "share"),
                "usd_per_eur": datum("currencies/usd_per_eur", EUR, "usd/eur"),
            },
            price_rows={
                device.id: tuple(row for row in rows if row.accelerator == device.id)
                for device in devices
            },
            usd_by_offer={
                row.id: row.price_per_device_hour._value
                * (EUR if row.price_per_device_hour.unit.startswith("eur") else 1.0)
                for row in rows
            },
            regions=frozenset(row.region for row in rows),
            areas=embedded().areas,
        )
    )


def listing(catalog: Catalog) -> Catalog:
    """The catalog, which knows for whom each of its offers votes."""
    listed = listed_offers(catalog, catalog.price_rows)
    return msgspec.structs.replace(catalog, listed=listed)


def asked(request: dict[str, Any]) -> QuoteRequest:
    """A request as the decoder would read it."""
    return msgspec.json.decode(msgspec.json.encode(request), type=QuoteRequest)


def run_of(
    *stages: dict[str, Any],
    cluster: dict[str, Any],
    name: str = "run",
    bases: tuple[str, ...] = ("rental",),
    **accounting: Any,
) -> dict[str, Any]:
    """A request with these stages, for the rental basis if no others are named."""
    named = [{"name": f"stage {index}", **stage} for index, stage in enumerate(stages)]
    return {
        "run": {"name": name, "stages": named},
        "cluster": cluster,
        "accounting": accounting,
        "options": {"bases": bases},
    }


def priced(bill: Bill) -> PricedBill:
    """This bill, which has to have a total."""
    assert isinstance(bill, PricedBill)
    return bill


def number(datum: Datum | UnsetType) -> float:
    """The value of a datum, which has to be there."""
    assert isinstance(datum, Datum)
    return datum._value


def answer(request: dict[str, Any], catalog: Catalog, memo: Memo | None = None) -> Quote:
    """The quote of a request over a catalog, with a stand-in id."""
    return quote(
        asked(request),
        catalog,
        id="q_" + "0" * 64,
        canonical_request=msgspec.json.encode(request),
        engine=TEST_ENGINE,
        valid_until="2026-02-01T00:00:00Z",
        memo=MEMO if memo is None else memo,
    )


def told(quoted: Quote) -> tuple[QuoteWarning, ...]:
    """All that a quote warns of: its warnings, then its notes."""
    return quoted.warnings + quoted.notes


def unregistered(function, unit="usd"):
    """A function as a formula of one number that no registry holds."""
    return Formula(function, name=function.__name__, units={WHOLE: unit})
