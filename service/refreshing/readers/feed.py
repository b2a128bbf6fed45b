"""`prices.json` of gpu-price-feed, schema 2: a snapshot of the price lists of some ten sellers."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from service.core.catalog.catalog import PriceKind
from service.refreshing.listing import MALFORMED, LeftOut, Listing, Origin, Read, Unreadable

SCHEMA: Final = 2
KINDS: Final[dict[str, PriceKind]] = {
    "on-demand": "on_demand",
    "spot": "spot",
    "reserved-12mo": "reserved_1y",
}
COUNTRY: Final = re.compile(r", ([A-Z]{2})$")
FORMS: Final = {"SXM": "SXM", "PCIe": "PCIE", "NVL": "NVL"}


class Offer(Struct, frozen=True, kw_only=True):
    """An offer of the feed. What it does not say is null, and members of no use here are passed."""

    provider: str
    gpu_model_raw: str
    gpu_count: Annotated[float, Meta(ge=0)]
    price_total_hr: float | None
    pricing_type: str
    currency: Literal["USD", "EUR"] = "USD"
    gpu_key: str = ""
    gpu_family: str | None = None
    gpu_form: str | None = None
    gpu_partition: Any = None
    vram_gb: float | None = None
    price_per_gpu_hr: float | None = None
    region: str | None = None
    vcpu: float | None = None
    ram_gb: float | None = None
    notes: str | None = None


class Feed(Struct, frozen=True, kw_only=True):
    """The whole file."""

    schema_version: int
    collected_at: str
    offers: list[msgspec.Raw]
    providers: dict[str, dict[str, Any]] = {}


def read_feed(path: Path) -> Read:
    """All listings of a snapshot. Raises `Unreadable` for another file than that."""
    try:
        feed = msgspec.json.decode(path.read_bytes(), type=Feed)
    except (OSError, msgspec.MsgspecError) as error:
        raise Unreadable(f"{path.name}: {error}") from error
    if feed.schema_version != SCHEMA:
        raise Unreadable(f"{path.name}: schema {feed.schema_version}, and {SCHEMA} is read")
    decode = msgspec.json.Decoder(Offer).decode
    for number, raw in enumerate(feed.offers):
        where = f"{path.name}, offer {number}"
        try:
            offer = decode(raw)
        except msgspec.MsgspecError as error:
            yield LeftOut(where, str(error), MALFORMED)
        else:
            yield listing_of(offer, feed, where=f"{where} ({offer.gpu_model_raw})")


def listing_of(offer: Offer, feed: Feed, *, where: str) -> Listing | LeftOut:
    """An offer of the feed as a listing."""
    notes = offer.notes or ""
    if offer.gpu_partition is not None or offer.price_per_gpu_hr is None:
        return LeftOut(where, "a part of a device, or no price of one")
    if offer.price_total_hr is None or offer.gpu_count < 1 or offer.gpu_count % 1:
        return LeftOut(where, f"no price for {offer.gpu_count:g} devices")
    kind = KINDS.get(offer.pricing_type)
    if kind is None:
        return LeftOut(where, f"unknown kind of price {offer.pricing_type!r}")
    if "community" in notes and kind == "spot":
        return LeftOut(where, "an interruptible community host")
    if "community" in notes:
        kind = "community"
    day = feed.collected_at[: len("2026-01-01")]
    region = offer.region or "global"
    country = COUNTRY.search(region)
    about = feed.providers.get(offer.provider, {})
    devices = int(offer.gpu_count)
    return Listing(
        where=where,
        origin=Origin(
            name="gpu-price-feed",
            part=offer.provider,
            title="gpu-price-feed by toolshedlabs",
            locator=f"prices.json of {day}, {about.get('source') or offer.provider}",
            licence="no licence file; prices are the sellers'",
            url="https://github.com/toolshedlabs-hash/gpu-price-feed",
        ),
        provider=offer.provider,
        accelerator=offer.gpu_family or offer.gpu_model_raw,
        devices=devices,
        price_per_hour=offer.price_total_hr,
        price_kind=kind,
        region=region,
        instance_type=f"{devices}x {offer.gpu_model_raw}",
        observed_on=day,
        date_basis="source",
        currency=offer.currency,
        memory_gb=offer.vram_gb,
        form=FORMS.get(offer.gpu_form or "", ""),
        country=country[1] if country else "",
        vcpus=int(offer.vcpu) if offer.vcpu else None,
        ram_gb=offer.ram_gb or None,
    )
