"""The inputs and the amounts of `epoch-2024`, from what is known of a training run.

The formulas are in `service.core.bills.owned.epoch`. This module finds their inputs: the dated
price, the dates of acquisition and of the start of training, the operator of the data centre, the
cloud price, and the month of the dollars. The method was read from the authors' repository
(github epoch-research/training-cost-trends, 2026-02), and is compared with a rerun of their
calculation.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from service.catalog_files import DATA_DIRECTORY
from service.core.bills.owned import epoch

DOLLARS_OF = "2025-06"
FLOP_PER_TFLOP = 1e12
ORGANISATIONS_CUT_AT = 80


class Hardware(NamedTuple):
    """A chip as in the authors' dataset. Several names may share one family of prices."""

    name: str
    family: str
    released: date
    tdp_w: float
    peak_flop_per_s: float | None

    @property
    def is_tpu(self) -> bool:
        """Whether it is a TPU, which nobody sells."""
        return self.family.startswith("TPU")


class PurchasePrice(NamedTuple):
    """One dated price of a device: alone, or as its share of a server."""

    family: str
    on: date
    usd: float
    sold_as: str


class CloudPrice(NamedTuple):
    """One dated rental price in US dollars per device-hour, by commitment."""

    hardware: str
    seller: str
    on: date
    by_term: Mapping[str, float | None]


class Tables(NamedTuple):
    """The tables of the method."""

    hardware: Mapping[str, Hardware]
    purchases: tuple[PurchasePrice, ...]
    clouds: tuple[CloudPrice, ...]
    usd_per_kwh: Mapping[int, float]
    price_index: Mapping[str, float]
    assumptions: Mapping[str, float]
    rules: Mapping[str, Any]

    def number(self, name: str, *, family: str = "") -> float:
        """An assumption of the method, by family if it depends on the family."""
        stem = f"epoch_2024.{name}"
        if not family:
            return self.assumptions[stem]
        own = f"{stem}.{family.lower().replace(' ', '-')}"
        return self.assumptions.get(own, self.assumptions.get(f"{stem}.other", 0.0))


class NotExpressedError(Exception):
    """Why the method has no answer for these inputs."""


class Acquired(NamedTuple):
    """The price of a device with its share of the server, and the date of acquisition."""

    usd: float
    on: date


def load_tables(data: Path = DATA_DIRECTORY) -> Tables:
    """Read the method's tables from the package's data files."""
    prices = data / "prices"
    hardware = {
        row["hardware"]: Hardware(
            name=row["hardware"],
            family=row["family"],
            released=date.fromisoformat(row["released"]),
            tdp_w=float(row["tdp_w"]),
            peak_flop_per_s=_scaled(row["peak_tflops"], FLOP_PER_TFLOP),
        )
        for row in _rows(prices / "epoch_hardware.csv")
    }
    with (data / "assumptions" / "epoch_2024.toml").open("rb") as file:
        assumptions = {row["name"]: float(row["value"]) for row in tomllib.load(file)["assumption"]}
    with (data / "scoring" / "epoch_rules.toml").open("rb") as file:
        rules = tomllib.load(file)
    return Tables(
        hardware=hardware,
        purchases=tuple(
            PurchasePrice(
                hardware[row["hardware"]].family,
                date.fromisoformat(row["date"]),
                float(row["usd_per_device"]),
                row["sold_as"],
            )
            for row in _rows(prices / "epoch_purchase_prices.csv")
        ),
        clouds=tuple(
            CloudPrice(
                row["hardware"],
                row["seller"],
                date.fromisoformat(row["date"]),
                {term: _scaled(row[term], 1.0) for term in TERMS},
            )
            for row in _rows(prices / "epoch_cloud_prices.csv")
        ),
        usd_per_kwh={
            int(row["year"]): float(row["usd_per_kwh"])
            for row in _rows(prices / "epoch_energy_prices.csv")
        },
        price_index={
            row["month"]: float(row["index"]) for row in _rows(prices / "producer_price_index.csv")
        },
        assumptions=assumptions,
        rules=rules,
    )


TERMS = ("reserved_3y", "reserved_1y", "on_demand")
"""Commitments in the order in which the method looks for a price."""


def estimate(row: Mapping[str, str], tables: Tables) -> dict[str, float]:
    """Every amount that `epoch-2024` gives for one row. Raises `NotExpressedError`.

    Cloud and acquisition are absent if the row states neither devices nor hours. The published
    calculation does not impute them, although it imputes chip-hours from compute.
    """
    hardware = hardware_of(row, tables)
    published = _published(row)
    start = training_start(row, published, tables)
    acquired = acquisition(hardware, tables)
    hours = chip_hours(row, hardware, tables)
    if published.year not in tables.usd_per_kwh:
        raise NotExpressedError(f"no power price for {published.year}")
    kind = "tpu" if hardware.is_tpu else "gpu"
    rate = epoch.device_hour_usd(
        price_usd=acquired.usd,
        years=epoch.years_of_use(
            days_from_acquisition_to_start=(start - _midnight(acquired.on)).days,
            floored=0.0 if hardware.is_tpu else 1.0,
        ),
        decline_oom_per_year=tables.number("decline_oom_per_year"),
        server_overhead=tables.number("server_overhead", family=hardware.family),
        network_share=tables.number("network_share"),
        tdp_w=hardware.tdp_w,
        server_power_ratio=tables.number("server_power_ratio", family=hardware.family),
        mean_power_share=tables.number("mean_power_share", family=kind),
        pue=tables.number("pue", family=_operator(row, hardware, tables)),
        usd_per_kwh=tables.usd_per_kwh[published.year],
    )
    june = _in_june_2025(published, tables)
    amounts = {part: float(value) * hours for part, value in zip(rate._fields, rate, strict=True)}
    amounts["usd_per_device_hour"] = float(rate.total_usd)
    amounts["capex_energy_usd"] = amounts.pop("total_usd")
    amounts["capex_energy_usd_jun2025"] = amounts["capex_energy_usd"] * june
    devices = number_in(row, "hardware_quantity")
    if devices is not None:
        cluster = epoch.acquisition_usd(
            devices=devices,
            price_usd=acquired.usd,
            network_share=tables.number("network_share"),
        )
        amounts["acquisition_usd_jun2025"] = float(cluster) * june
    held = number_in(row, "training_hours")
    price = cloud_price(row, hardware, start, tables)
    if devices is not None and held is not None and price is not None:
        amounts["cloud_usd_jun2025"] = price * devices * held * june
    return amounts


def training_start(row: Mapping[str, str], published: datetime, tables: Tables) -> datetime:
    """Publication less the training time and sixty days, unless the start is known.

    Stated hours count as whole ones, as in the published calculation.
    """
    stated = number_in(row, "training_hours")
    hours = tables.number("training_hours") if stated is None else float(int(stated))
    for known in tables.rules["training_start"]:
        whole = known.get("name")
        named = (
            row.get("model", "") == whole if whole else known["contains"] in row.get("model", "")
        )
        if named and "starts" in known:
            return _midnight(known["starts"])
        if named and stated is not None:
            return _midnight(known["ends"]) - timedelta(hours=hours)
    before = timedelta(hours=hours) + timedelta(days=tables.number("days_before_publication"))
    return published - before


def acquisition(hardware: Hardware, tables: Tables) -> Acquired:
    """First complete-server price of the family, else its first price. TPUs have equivalents.

    The server overhead is added to bare cards. A GPU counts as bought on the day of its price, but
    no sooner than ninety days after its release. A TPU counts as bought on its release.
    """
    overhead = tables.number("server_overhead", family=hardware.family)
    if hardware.is_tpu:
        version = hardware.family.removeprefix("TPU ")
        price = tables.number("tpu_price_usd", family=version)
        return Acquired(
            float(epoch.server_price_usd(price_usd=price, server_overhead=overhead)),
            hardware.released,
        )
    family = sorted(
        (row for row in tables.purchases if row.family == hardware.family),
        key=lambda row: row.on,
    )
    if not family:
        raise NotExpressedError(f"no purchase price for {hardware.name}")
    servers = [row for row in family if row.sold_as == "DGX"]
    chosen = (servers or family)[0]
    on_top = overhead if chosen.sold_as == "single unit" else 1.0
    usd = epoch.server_price_usd(price_usd=chosen.usd, server_overhead=on_top)
    in_number = hardware.released + timedelta(days=tables.number("days_after_release"))
    return Acquired(float(usd), max(chosen.on, in_number))


def chip_hours(row: Mapping[str, str], hardware: Hardware, tables: Tables) -> float:
    """Stated chip-hours, else devices times hours, else compute over peak and MFU."""
    stated = number_in(row, "chip_hours")
    if stated is not None:
        return stated
    devices, hours = number_in(row, "hardware_quantity"), number_in(row, "training_hours")
    if devices is not None and hours is not None:
        return devices * hours
    flop = number_in(row, "training_flop")
    if flop is None or hardware.peak_flop_per_s is None:
        raise NotExpressedError("neither chip-hours, nor devices and hours, nor compute")
    mfu = number_in(row, "mfu")
    return float(
        epoch.chip_hours(
            training_flop=flop,
            peak_flop_per_s=hardware.peak_flop_per_s,
            mfu=tables.number("mfu") if mfu is None else mfu,
        )
    )


def cloud_price(
    row: Mapping[str, str], hardware: Hardware, start: datetime, tables: Tables
) -> float | None:
    """Three-year price per chip-hour at the organisation's seller, sixty days before the start.

    If a seller has none, the next seller's is taken. If none has one, the price of a shorter
    commitment is converted to three years by the discounts.
    """
    signed = start - timedelta(days=tables.number("days_of_contract"))
    for term in TERMS:
        for seller in _sellers(row, hardware, tables):
            price = _price_at(_dated(hardware, seller, tables), signed, term)
            if price is not None and term == TERMS[0]:
                return price
            if price is not None and f"epoch_2024.discount_3y.{seller}" in (tables.assumptions):
                years = "1y" if term == "reserved_1y" else ""
                had = tables.number(f"discount_{years}", family=seller) if years else 0.0
                return float(
                    epoch.committed_price_usd(
                        usd_per_device_hour=price,
                        discount_of_price=had,
                        discount_wanted=tables.number("discount_3y", family=seller),
                    )
                )
    return None


def _sellers(row: Mapping[str, str], hardware: Hardware, tables: Tables) -> tuple[str, ...]:
    if hardware.is_tpu:
        return ("gcp",)
    first = "aws"
    for organisation in row.get("organization", "").lower().split(","):
        for part, seller in tables.rules["seller_of"].items():
            if part in organisation:
                first = seller
                break
    others = (seller for seller in tables.rules["sellers"] if seller != first)
    return (first, *others)


def _dated(hardware: Hardware, seller: str, tables: Tables) -> list[CloudPrice]:
    """A seller's prices of this chip, or of the first substitute that it sells."""
    names = [hardware.name]
    if hardware.name in tables.rules["cloud_stand_ins_for"]["names"]:
        names += tables.rules["cloud_stand_ins"].get(hardware.family, [])
    for name in names:
        rows = [row for row in tables.clouds if row.seller == seller and row.hardware == name]
        if rows:
            return rows
    return []


def _price_at(rows: list[CloudPrice], signed: datetime, term: str) -> float | None:
    """The price of the last row on or before the day of contract, else of the first after it."""
    before = [row for row in rows if _midnight(row.on) <= signed]
    if before:
        last = max(row.on for row in before)
        return next(row for row in before if row.on == last).by_term[term]
    return min(rows, key=lambda row: row.on).by_term[term] if rows else None


def _in_june_2025(published: datetime, tables: Tables) -> float:
    """Factor from dollars of the month of publication to dollars of June 2025.

    Deflator: US producer price index for data processing, hosting and related services. A month
    that the series does not reach stays nominal, as in the published calculation.
    """
    then = tables.price_index.get(f"{published:%Y-%m}")
    if then is None:
        return 1.0
    return float(
        epoch.in_dollars_of(
            amount_usd=1.0, index_then=then, index_of=tables.price_index[DOLLARS_OF]
        )
    )


def _operator(row: Mapping[str, str], hardware: Hardware, tables: Tables) -> str:
    """The operator of the data centre. A list of names that the file cuts off may hide Google.

    ProtT5-XXL has such a list. It would be 0.9% too dear without this rule.
    """
    owner = row.get("organization", "").lower()
    named = any(name in owner for name in tables.rules["hyperscalers"])
    hidden = hardware.is_tpu and len(owner) == ORGANISATIONS_CUT_AT
    return "hyperscaler" if named or hidden else "other"


def hardware_of(row: Mapping[str, str], tables: Tables) -> Hardware:
    """The chip that a row names, or the one most used in its year. Raises `NotExpressedError`."""
    name = (row.get("rerun_hardware_used") or row.get("hardware") or "").strip()
    if not name:
        year = (row.get("publication_date") or "")[:4]
        name = tables.rules["imputed_hardware"].get(year, "")
    if name not in tables.hardware:
        raise NotExpressedError(f"hardware {name!r} has no price in the method")
    return tables.hardware[name]


def _published(row: Mapping[str, str]) -> datetime:
    try:
        return _midnight(date.fromisoformat(row.get("publication_date", "")))
    except ValueError:
        raise NotExpressedError("no publication date") from None


def number_in(row: Mapping[str, str], column: str) -> float | None:
    """A finite number of a row, or None."""
    text = (row.get(column) or "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _scaled(text: str, factor: float) -> float | None:
    return float(text) * factor if text else None


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        yield from csv.DictReader(lines)
