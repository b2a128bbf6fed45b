"""`python -m lab ranges measure`: how far figures without a printed range may be off.

Measured on the catalog itself. Each rule is a standard deviation on the scale on which figures of
its kind are alike: two numbers at most, read off all the rows that bear on it.
`service.catalog_files.ranges` applies them.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from lab.files import Texts
from service.catalog_files import DATA_DIRECTORY
from service.catalog_files.files import DataFiles
from service.catalog_files.market.purchases import chosen_usd, counted_of, rows_by_board
from service.catalog_files.ranges import RangeRow, RuleName, Scale, on_scale
from service.core.catalog.catalog import Catalog, Site
from service.core.figures.ledger import Ledger
from service.core.figures.sources import Datum, Published
from service.core.figures.units import Z_90

FILE: Final = DATA_DIRECTORY / "ranges" / "measured.toml"
TARIFFS_BY_YEAR: Final = DATA_DIRECTORY / "prices" / "epoch_energy_prices.csv"
METERED: Final = "energy.it_power_w."
FROM_RATINGS: Final = ("energy.device_load_share", "energy.server_power_ratio")
COUNTRY: Final = "grid:us"
DIGITS: Final = 3
CONTINENTS: Final = {
    "grid:x-europe": ("cy", "de", "dk", "fi", "fr", "gb", "ie", "is", "no", "se"),
    "grid:x-asia": ("cn", "in", "jp", "kr", "sg"),
    "grid:x-north-america": ("ca", "us"),
}
"""Countries that have a tariff of their own, by the average that would stand in for it."""
HEADER: Final = """\
# The 90% interval of figures whose source prints none: a standard deviation below and above
# the figure, on a scale on which figures of the kind are alike, and what it was measured on.
# `python -m lab ranges measure` writes this file.
"""


def made(catalog: Catalog) -> Texts:
    """The file of rules as today's catalog measures them."""
    return {FILE: text_of(measured(catalog))}


def measured(catalog: Catalog) -> tuple[RangeRow, ...]:
    """Every rule, in the order of the file."""
    return (
        *tariffs(catalog),
        carbon_of_region(catalog),
        carbon_of_zone(catalog),
        *pues(catalog),
        estimated_power(catalog),
        purchase_price(catalog),
    )


def text_of(rules: Iterable[RangeRow]) -> str:
    """The file's text; zeros are left out."""
    text = HEADER
    for rule in rules:
        members = {name: value for name, value in msgspec.structs.asdict(rule).items() if value}
        text += "\n[[range]]\n"
        text += "".join(f"{name} = {_toml(value)}\n" for name, value in members.items())
    return text


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else repr(value)


def tariffs(catalog: Catalog) -> tuple[RangeRow, ...]:
    """A state's tariff only ages; a country's is that of no one place, a continent's less so."""
    by_year = _tariffs_by_year()
    per_root_year = _rms(np.diff(np.log(by_year)))
    aging = (
        f"changes of the US industrial average in {len(by_year) - 1} years, by the time since "
        "the tariff's period"
    )
    states = [
        math.log(tariff / _tariff(catalog.sites[COUNTRY], catalog))
        for site in catalog.sites.values()
        if site.level == "state" and (tariff := _tariff(site, catalog))
    ]
    low, high = np.quantile(states, (0.05, 0.95)).tolist()
    stand_ins = [
        math.log(_tariff(catalog.sites[f"grid:{country}"], catalog) / _tariff(average, catalog))
        for average, countries in (
            (catalog.sites[id], countries) for id, countries in CONTINENTS.items()
        )
        for country in countries
    ]
    off = _rms(stand_ins)

    def rule(name: RuleName, below: float, above: float, rows: int, basis: str) -> RangeRow:
        return RangeRow(
            name=name,
            scale="log",
            below=below,
            above=above,
            below_per_root_year=per_root_year,
            above_per_root_year=per_root_year,
            rows=rows,
            basis=basis,
        )

    return (
        rule(
            "tariff_of_zone",
            0.0,
            0.0,
            len(by_year) - 1,
            f"{aging}; the site's own contract is not in it",
        ),
        rule(
            "tariff_of_country",
            -low / Z_90,
            high / Z_90,
            len(states),
            f"tariffs of {len(states)} US states over the country's average, as a site lies to "
            f"its country's, and {aging}",
        ),
        rule(
            "tariff_stand_in",
            off,
            off,
            len(stand_ins),
            f"tariffs of {len(stand_ins)} countries over their continent's average, and {aging}",
        ),
    )


def _tariffs_by_year() -> list[float]:
    lines = TARIFFS_BY_YEAR.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [float(row["usd_per_kwh"]) for row in rows]


def _tariff(site: Site, catalog: Catalog) -> float:
    """A site's own tariff in dollars; zero where it has none."""
    if site.price_per_kwh is UNSET:
        return 0.0
    currency = site.price_per_kwh.unit.partition("/")[0]
    rate = 1.0 if currency == "usd" else _opened(catalog.assumptions[f"usd_per_{currency}"])
    return _opened(site.price_per_kwh) * rate


def carbon_of_region(catalog: Catalog) -> RangeRow:
    """Two publishers on one operator's zone, each as far off as the other."""
    published: dict[str, dict[str, float]] = defaultdict(dict)
    for site, carbon in _with_own_carbon(catalog):
        if site.grid_operator_zone:
            published[site.grid_operator_zone][_publisher(carbon)] = _root(carbon)
    pairs = [tuple(of_it.values()) for of_it in published.values() if len(of_it) > 1]
    deviation = _rms([(one - other) / math.sqrt(2.0) for one, other in pairs])
    return _symmetric(
        "carbon_of_region",
        "root_gram",
        deviation,
        len(pairs),
        f"two publishers' figures of {len(pairs)} grid operators' zones, which differ in method "
        "and year; hours of the day are not in it",
    )


def carbon_of_zone(catalog: Catalog) -> RangeRow:
    """What cloud regions publish against the country or state in which they stand."""
    found: dict[str, list[float]] = defaultdict(list)
    for site, carbon in _with_own_carbon(catalog):
        zone = catalog.sites[f"grid:{site.grid_zone}"].carbon_kg_co2e_per_kwh
        if zone is not UNSET:
            found[site.grid_zone].append(_root(carbon) - _root(zone))
    zones = [float(np.mean(of_it)) for of_it in found.values()]
    return _symmetric(
        "carbon_of_zone",
        "root_gram",
        _rms(zones),
        len(zones),
        f"cloud regions' own figures against those of the {len(zones)} countries, states and "
        "provinces in which they stand",
    )


def _publisher(carbon: Datum) -> str:
    assert isinstance(carbon.source, Published)
    return carbon.source.title


def _with_own_carbon(catalog: Catalog) -> list[tuple[Site, Datum]]:
    """Cloud regions that publish their carbon, and do not take that of their grid zone."""
    found = []
    for site in catalog.sites.values():
        carbon = site.carbon_kg_co2e_per_kwh
        if (
            site.kind == "cloud_region"
            and carbon is not UNSET
            and not _is_of_zone(catalog, site, carbon)
        ):
            found.append((site, carbon))
    return found


def _is_of_zone(catalog: Catalog, site: Site, carbon: Datum) -> bool:
    zone: Datum | UnsetType = catalog.sites[f"grid:{site.grid_zone}"].carbon_kg_co2e_per_kwh
    return zone is not UNSET and zone.source == carbon.source


def pues(catalog: Catalog) -> tuple[RangeRow, RangeRow]:
    """A region's PUE ages; a fleet's is besides that of no one region. Both by what exceeds one."""
    moves = []
    for fleet in catalog.fleet_pues.values():
        means = sorted((row for row in fleet if "simple mean" in row.scope), key=lambda r: r.year)
        excess = [on_scale("log_excess", _opened(row.pue)) for row in means]
        moves += np.diff(excess).tolist()
    per_root_year = _rms(moves)
    regions: dict[str, list[float]] = defaultdict(list)
    for site in catalog.sites.values():
        if site.pue is not UNSET:
            regions[site.provider].append(_opened(site.pue))
    off = [
        on_scale("log_excess", pue) - on_scale("log_excess", float(np.mean(of_it)))
        for of_it in regions.values()
        for pue in of_it
    ]
    aging = f"{len(moves)} changes of an operator's mean from year to year, by the figure's age"
    own = _symmetric("pue_of_region", "log_excess", 0.0, len(moves), aging)
    fleets = _symmetric(
        "pue_of_fleet",
        "log_excess",
        _rms(off),
        len(off),
        f"{len(off)} regions of {len(regions)} operators about their operator's mean, and {aging}",
    )
    return _aging(own, per_root_year), _aging(fleets, per_root_year)


def _aging(rule: RangeRow, per_root_year: float) -> RangeRow:
    return msgspec.structs.replace(
        rule, below_per_root_year=per_root_year, above_per_root_year=per_root_year
    )


def estimated_power(catalog: Catalog) -> RangeRow:
    """Metered power over what the listed one makes of it, of chips that have both."""
    ratings = math.prod(_opened(catalog.assumptions[name]) for name in FROM_RATINGS)
    logs = []
    for name, metered in catalog.assumptions.items():
        device = catalog.accelerators.get(name.removeprefix(METERED))
        if device is not None and device.kind == "tpu" and device.tdp_w is not UNSET:
            logs.append(math.log(_opened(metered) / (_opened(device.tdp_w) * ratings)))
    return _symmetric(
        "estimated_power",
        "log",
        _rms(logs),
        len(logs),
        f"metered power of {len(logs)} TPU generations over that expected of the listed one",
    )


def purchase_price(catalog: Catalog) -> RangeRow:
    """Every price that counts over the one that is chosen, on boards of which several count."""
    boards = rows_by_board(DataFiles(DATA_DIRECTORY), catalog.accelerators)
    several = [found for rows in boards.values() if len(found := counted_of(rows)) > 1]
    logs = [
        math.log(row.usd_per_device / chosen_usd(counted)) for counted in several for row in counted
    ]
    return _symmetric(
        "purchase_price",
        "log",
        _rms(logs),
        len(logs),
        f"{len(logs)} prices of {len(several)} kinds of device about those chosen from them",
    )


def _symmetric(name: RuleName, scale: Scale, deviation: float, rows: int, basis: str) -> RangeRow:
    return RangeRow(
        name=name, scale=scale, below=deviation, above=deviation, rows=rows, basis=basis
    )


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _root(carbon: Datum) -> float:
    return on_scale("root_gram", _opened(carbon))


def _opened(datum: Datum) -> float:
    return Ledger().take(datum).central
