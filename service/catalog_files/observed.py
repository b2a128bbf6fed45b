"""The ranges of a catalog's rows, which given numbers are compared with. Made once, at the start.

Defaults have no rows of their own. There the 90% interval of the default counts as observed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from msgspec import UNSET, UnsetType

from service.catalog_files.market.offers import usd_of
from service.core.catalog.catalog import Catalog, ListedOffer, PriceKind
from service.core.catalog.market import OPERATING
from service.core.catalog.observed import (
    LEAST_OF_A_DEVICE,
    AskedPrice,
    Observed,
    ObservedName,
    observed,
)
from service.core.figures.sources import Datum
from service.core.figures.units import Unit

COMPARABLE: Final[tuple[PriceKind, ...]] = ("on_demand", "reserved_1y", "reserved_3y")
"""Terms of prices that a given rate is compared with. What can be taken back is cheaper."""
BILLION: Final = 1e9
FLOP_PER_PARAMETER_AND_TOKEN: Final = 6.0
"""Of a training step, forward and backward (arXiv 2001.08361)."""
DEFAULTS: Final[Mapping[ObservedName, tuple[str, str]]] = {
    "usd_per_person_year": ("fully_loaded.usd_per_person_year", "costs of a person-year"),
    "usd_per_gigabyte_month": ("rental.usd_per_gigabyte_month", "prices of storage"),
    "usd_per_gigabyte": ("rental.usd_per_gigabyte", "prices of transfer"),
    "usd_per_kilowatt_month": ("owned.usd_per_kilowatt_month", "prices of hosting"),
    "experiment_factor": ("fully_loaded.experiment_factor", "factors of experiments"),
    "failures_per_device_day": ("reliability.failures_per_device_day.", "rates of failure"),
    "byte_per_s_per_device": ("network.byte_per_s_per_device.", "networks of clusters"),
}
"""Quantities whose defaults have intervals: the default's name, or how the names begin."""


def observed_in(catalog: Catalog) -> dict[ObservedName, Observed]:
    """The range of every quantity that given numbers are compared with."""
    found = {
        "usd_per_kwh": observed(
            "tariffs of sites", "usd/kwh", [*_usd(catalog, _each(catalog, "price_per_kwh"))]
        ),
        "carbon_kg_co2e_per_kwh": observed(
            "carbon intensities of grids",
            "kg_co2e/kwh",
            _values(_each(catalog, "carbon_kg_co2e_per_kwh")),
        ),
        "pue": observed("PUEs of sites", "ratio", _pues(catalog)),
    }
    found |= dict(_of_runs(catalog))
    found |= {name: _of_defaults(catalog, *named) for name, named in DEFAULTS.items()}
    found |= dict(_of_devices(catalog))
    found |= _by_device(
        "usd_per_device_hour",
        "prices of a device-hour",
        "usd/device_hour",
        {device: _rents(catalog, device) for device in catalog.accelerators},
    )
    return found | _by_device(
        "usd_per_device",
        "purchase prices",
        "usd/device",
        {
            device: _values(row.usd_per_device for row in catalog.purchases.get(device, ()))
            for device in catalog.accelerators
        },
    )


def asked_prices_in(catalog: Catalog) -> dict[str, tuple[AskedPrice, ...]]:
    """The newest price of each seller under each comparable term by device, cheapest first."""
    found = {device: sorted(_asked(catalog, device)) for device in catalog.price_rows}
    return {device: tuple(prices) for device, prices in found.items() if prices}


def _asked(catalog: Catalog, device: str) -> Iterator[AskedPrice]:
    """Rows come newest first and, within a date, cheapest first. An operator's own go before."""
    for kind in COMPARABLE:
        newest: dict[str, ListedOffer] = {}
        for listed in sorted(catalog.listed.get(f"{device}/{kind}", ()), key=_is_brokered):
            row = listed.offer
            if (
                listed.segment in OPERATING
                and not listed.resold
                and row.complete
                and not row.sold_out
            ):
                newest.setdefault(listed.seller, listed)
        for one in newest.values():
            yield AskedPrice(one.usd, one.offer.observed_on, one.offer.id)


def _is_brokered(listed: ListedOffer) -> bool:
    return bool(listed.through)


def _rents(catalog: Catalog, device: str) -> list[float]:
    """Every price of a device-hour that was asked, of any kind, without those assumed in papers."""
    offers = [row for row in catalog.price_rows.get(device, ()) if row.price_kind != "reference"]
    now = (row.price_per_device_hour for row in offers)
    past = (row.price_per_device_hour for row in catalog.price_history.get(device, ()))
    return [*_usd(catalog, chain(now, past))]


def _by_device(
    name: ObservedName, what: str, unit: Unit, values: Mapping[str, Sequence[float]]
) -> dict[ObservedName, Observed]:
    """The range of all devices together, and of each that has some rows of its own."""
    every = [*chain.from_iterable(values.values())]
    own = {
        f"{name}/{device}": observed(f"{what} of {device}", unit, rows)
        for device, rows in values.items()
        if len(rows) >= LEAST_OF_A_DEVICE
    }
    return {name: observed(f"{what} of all devices", unit, every), **own}


def _of_devices(catalog: Catalog) -> Iterator[tuple[ObservedName, Observed]]:
    """What the data sheets of all devices print."""
    rows = catalog.accelerators.values()
    links = [one.scale_up for one in rows if one.scale_up is not UNSET]
    numbers: tuple[tuple[ObservedName, str, Unit, list[float]], ...] = (
        ("memory_bytes", "memories in GB", "byte", _values(one.memory_bytes for one in rows)),
        (
            "memory_byte_per_s",
            "memory bandwidths in GB/s",
            "byte/s",
            _values(one.memory_bandwidth_byte_per_s for one in rows),
        ),
        ("watts", "rated powers", "watt", _values(one.tdp_w for one in rows)),
        (
            "link_byte_per_s",
            "one-way links in GB/s",
            "byte/s",
            _values(link.unidirectional_byte_per_s for link in links),
        ),
        *_peaks(catalog),
    )
    for name, what, unit, values in numbers:
        if len(values) >= LEAST_OF_A_DEVICE:
            yield f"device_{name}", observed(f"{what} of devices", unit, values)


def _peaks(catalog: Catalog) -> Iterator[tuple[ObservedName, str, Unit, list[float]]]:
    """The dense peaks in each format."""
    peaks = [device.peak_dense_flop_per_s for device in catalog.accelerators.values()]
    for form in dict.fromkeys(chain.from_iterable(peaks)):
        values = _values(one.get(form, UNSET) for one in peaks)
        yield f"peak/{form}", f"dense {form} peaks in TFLOP/s", "flop/s", values


def _of_runs(catalog: Catalog) -> Iterator[tuple[ObservedName, Observed]]:
    """What published runs trained, and how well."""
    runs = [run.facts for run in catalog.runs.values()]
    trained = [run.facts for run in catalog.runs.values() if run.kind == "pretraining"]
    sized = [run for run in runs if "tokens_b" in run and "active_params_b" in run]
    yield "mfu", observed("MFUs of published runs", "share", [*_facts(trained, "mfu_or_hfu")])
    yield (
        "pretraining_tokens",
        observed(
            "token counts of published pre-trainings",
            "token",
            [tokens * BILLION for tokens in _facts(trained, "tokens_b")],
        ),
    )
    yield (
        "flop",
        observed(
            "FLOP counts of published runs",
            "flop",
            [
                FLOP_PER_PARAMETER_AND_TOKEN
                * (run["active_params_b"] * BILLION)
                * (run["tokens_b"] * BILLION)
                for run in sized
            ],
        ),
    )
    yield (
        "parameters",
        observed(
            "parameter counts of models",
            "count",
            [
                *_values(model.params_total for model in catalog.models.values()),
                *(billions * BILLION for billions in _facts(runs, "total_params_b")),
            ],
        ),
    )
    yield (
        "batch_tokens",
        observed("batches of published runs", "token", [*_facts(trained, "batch_tokens")]),
    )


def _facts(runs: Iterable[Mapping[str, float]], name: str) -> Iterator[float]:
    return (run[name] for run in runs if name in run)


def _of_defaults(catalog: Catalog, named: str, what: str) -> Observed:
    """The 90% intervals of the defaults of this name, or of those whose names begin so."""
    data = [
        datum
        for name, datum in catalog.assumptions.items()
        if name == named or (named.endswith(".") and name.startswith(named))
    ]
    ends = [end for datum in data for end in (datum.low, datum.high) if end is not UNSET]
    middle = observed(f"defaults for {what}", data[0].unit, _values(data))
    return Observed(
        what=middle.what,
        unit=middle.unit,
        low=min(ends),
        median=middle.median,
        high=max(ends),
        count=len(data),
    )


def _each(catalog: Catalog, member: str) -> Iterator[Datum | UnsetType]:
    return (getattr(site, member) for site in catalog.sites.values())


def _pues(catalog: Catalog) -> list[float]:
    fleets = (row.pue for rows in catalog.fleet_pues.values() for row in rows)
    return _values(chain(_each(catalog, "pue"), fleets))


def _values(data: Iterable[Datum | UnsetType]) -> list[float]:
    """The numbers that are known."""
    return [datum._value for datum in data if datum is not UNSET]  # noqa: SLF001 - not sealed for us


def _usd(catalog: Catalog, prices: Iterable[Datum | UnsetType]) -> Iterator[float]:
    """Prices in dollars, at the catalog's rates of exchange."""
    for price in prices:
        if price is not UNSET:
            yield usd_of(price, catalog.assumptions)
