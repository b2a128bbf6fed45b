"""`sites/*.csv`: areas, grid zones, the cloud regions that stand in them, and PUE of fleets."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError, scaled
from service.catalog_files.ranges import Range, Ranges, RuleName
from service.catalog_files.sources import HIGH, LOW, MEDIUM, Sources, Text
from service.core.catalog.areas import Area, AreaKind, Atlas
from service.core.catalog.catalog import FleetPue, Site, Slug
from service.core.figures.sources import AsOf, Confidence, Datum, Published
from service.core.figures.units import Unit
from service.core.names.spelling import plain

Year = Annotated[str, Meta(pattern=r"^20\d{2}$(?!\n)")]
Carbon = Annotated[float, Meta(ge=0, le=3000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Pue = Annotated[float, Meta(ge=1, le=4)]
Liters = Annotated[float, Meta(ge=0, le=100)]
Tariff = Annotated[float, Meta(gt=0, le=5)]

TARIFF_UNITS: dict[str, Unit] = {"USD": "usd/kwh", "EUR": "eur/kwh", "GBP": "gbp/kwh"}
GRAM_TO_KG = -3
BY_LOCATION = ("carbon_kg_co2e_per_kwh", "marginal_carbon_kg_co2e_per_kwh")
ROUGH_TARIFFS = ("stand-in", "rough", "derived")
SECOND_HAND_TARIFFS = ("secondary report",)


class GridRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `sites/grids.csv`. Carbon is the yearly average of consumption, by location."""

    zone: Slug
    name: Text
    level: Literal["country", "state", "province", "bidding_zone", "continent", "group"]
    carbon_g_per_kwh: Carbon | UnsetType = UNSET
    carbon_year: Year = ""
    carbon_source: Slug = ""
    price_per_kwh: Tariff | UnsetType = UNSET
    currency: Literal["", "USD", "EUR", "GBP"] = ""
    price_period: Annotated[str, Meta(pattern=r"^20\d{2}(-[HQ][1-4])?$(?!\n)")] = ""
    price_basis: str = ""
    price_source: Slug = ""
    price_recalled: bool = False


class RegionRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `sites/regions.csv`. Numbers that it leaves out are those of its grid zone."""

    id: Slug
    provider: Slug
    region: Text
    location: Text
    country: Text
    grid_zone: Slug
    grid_operator_zone: str = ""
    carbon_g_per_kwh: Carbon | UnsetType = UNSET
    carbon_year: Year = ""
    carbon_source: Slug = ""
    carbon_free_share: Share | UnsetType = UNSET
    carbon_free_year: Year = ""
    carbon_free_source: Slug = ""
    marginal_carbon_g_per_kwh: Carbon | UnsetType = UNSET
    market_based_carbon_g_per_kwh: Carbon | UnsetType = UNSET
    water_l_per_kwh: Liters | UnsetType = UNSET
    region_year: Year = ""
    region_source: Slug = ""
    pue: Pue | UnsetType = UNSET
    pue_year: Year = ""
    pue_source: Slug = ""


class AreaRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of `sites/areas.csv`: a country of ISO 3166-1, a continent or a group of countries."""

    id: Slug
    kind: AreaKind
    name: Text
    within: str = ""
    also: str = ""


class PueRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of `sites/pue.csv`."""

    provider: Slug
    scope: Text
    year: Year
    pue: Pue
    source: Slug
    recalled: bool


def read_sites(files: DataFiles, sources: Sources, ranges: Ranges) -> dict[str, Site]:
    """Grid zones as `grid:<zone>` and cloud regions as `<provider>:<region>`."""
    zones: dict[str, GridRow] = {}
    found: dict[str, Site] = {}
    for place, zone in files.csv_rows("sites/grids.csv", GridRow):
        with suppress(RefusedError):
            place.check_new(zone.zone, zones)
            found[f"grid:{zone.zone}"] = _zone(place, zone, sources, ranges)
            zones[zone.zone] = zone
    for place, region in files.csv_rows("sites/regions.csv", RegionRow):
        with suppress(RefusedError):
            place.check_new(region.id, found)
            if region.id != f"{region.provider}:{region.region.lower()}":
                place.report("id must be provider:region in lower case")
            if region.grid_zone not in zones:
                raise place.refusal(f"unknown grid zone {region.grid_zone!r}")
            found[region.id] = _region(place, region, zones[region.grid_zone], sources, ranges)
    return found


def read_areas(files: DataFiles) -> dict[str, Area]:
    """Areas by id, the larger before their parts. No two of them have a name in common."""
    found: dict[str, Area] = {}
    names: dict[str, str] = {}
    for place, row in files.csv_rows("sites/areas.csv", AreaRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            within, also = row.within.split(";"), row.also.split(";")
            area = Area(
                id=row.id,
                kind=row.kind,
                name=row.name,
                within=tuple(filter(None, within)),
                also=tuple(filter(None, also)),
            )
            for larger in area.within:
                if larger not in found:
                    place.report(f"no area {larger!r} stands above")
            for name in {plain(one) for one in (area.id, area.name, *area.also)}:
                if name in names:
                    place.report(f"{name!r} is a name of {names[name]!r} too")
                names[name] = area.id
            found[row.id] = area
    return found


def known_regions(codes: Iterable[str], areas: Mapping[str, Area]) -> frozenset[str]:
    """The names of areas, and sellers' codes of regions. A code that names an area is that area."""
    atlas = Atlas(areas)
    of_sellers = {code for code in codes if atlas.named(code) is None}
    return frozenset(of_sellers | {area.slug for area in areas.values()})


def read_fleet_pues(
    files: DataFiles, sources: Sources, ranges: Ranges
) -> dict[str, tuple[FleetPue, ...]]:
    """PUE of whole fleets by operator, as the file has them."""
    found: dict[str, FleetPue] = {}
    for place, row in files.csv_rows("sites/pue.csv", PueRow):
        with suppress(RefusedError):
            name = f"fleet_pues/{row.provider}/{row.year}/{row.scope.replace(' ', '_')}"
            place.check_new(name, found)
            confidence: Confidence = LOW if row.recalled else HIGH
            source = sources.cite(
                place, row.source, as_of=row.year, confidence=confidence, remark=row.scope
            )
            found[name] = FleetPue(
                operator=row.provider,
                scope=row.scope,
                year=row.year,
                pue=Datum(
                    name=name,
                    _value=row.pue,
                    unit="ratio",
                    source=source,
                    **ranges.of("pue_of_fleet", row.pue, as_of=row.year),
                ),
            )
    operators = dict.fromkeys(row.operator for row in found.values())
    return {
        operator: tuple(row for row in found.values() if row.operator == operator)
        for operator in operators
    }


def _zone(place: Place, row: GridRow, sources: Sources, ranges: Ranges) -> Site:
    key = f"grid:{row.zone}"
    return Site(
        id=key,
        kind="grid_zone",
        name=row.name,
        grid_zone=row.zone,
        country=row.zone.upper() if row.level == "country" else "",
        level=row.level,
        carbon_kg_co2e_per_kwh=_zone_carbon(place, key, row, sources, ranges),
        price_per_kwh=_tariff(place, key, row, sources, ranges),
        note=row.price_basis,
    )


def _region(place: Place, row: RegionRow, zone: GridRow, sources: Sources, ranges: Ranges) -> Site:
    def figure(
        name: str, value: float | UnsetType, unit: Unit, source: str, year: str
    ) -> Datum | UnsetType:
        if value is UNSET:
            return UNSET
        if not source or not year:
            raise place.refusal(f"{name} has no source or no year")
        return Datum(
            name=f"sites/{row.id}/{name}",
            _value=float(value),
            unit=unit,
            source=sources.cite(place, source, as_of=year, remark=f"region {row.region}"),
            **_range_in_region(name, float(value), year, ranges),
        )

    def carbon(name: str, value: float | UnsetType, source: str, year: str) -> Datum | UnsetType:
        kg = UNSET if value is UNSET else scaled(value, GRAM_TO_KG)
        return figure(f"{name}_kg_co2e_per_kwh", kg, "kg_co2e/kwh", source, year)

    of_region = (row.region_source, row.region_year)
    own = carbon("carbon", row.carbon_g_per_kwh, row.carbon_source, row.carbon_year)
    return Site(
        id=row.id,
        kind="cloud_region",
        name=row.location,
        provider=row.provider,
        region=row.region,
        country=row.country,
        grid_zone=row.grid_zone,
        grid_operator_zone=row.grid_operator_zone,
        carbon_kg_co2e_per_kwh=_zone_carbon(place, row.id, zone, sources, ranges)
        if own is UNSET
        else own,
        marginal_carbon_kg_co2e_per_kwh=carbon(
            "marginal_carbon", row.marginal_carbon_g_per_kwh, *of_region
        ),
        market_based_carbon_kg_co2e_per_kwh=carbon(
            "market_based_carbon", row.market_based_carbon_g_per_kwh, *of_region
        ),
        carbon_free_share=figure(
            "carbon_free_share",
            row.carbon_free_share,
            "share",
            row.carbon_free_source,
            row.carbon_free_year,
        ),
        price_per_kwh=_tariff(place, row.id, zone, sources, ranges),
        pue=figure("pue", row.pue, "ratio", row.pue_source, row.pue_year),
        water_liter_per_kwh=figure(
            "water_liter_per_kwh", row.water_l_per_kwh, "liter/kwh", *of_region
        ),
    )


def _range_in_region(name: str, value: float, year: str, ranges: Ranges) -> Range | dict[str, Any]:
    """The range of a region's own figure. Figures that no quote uses have none."""
    if name in BY_LOCATION:
        return ranges.of("carbon_of_region", value, as_of=year)
    if name == "pue":
        return ranges.of("pue_of_region", value, as_of=year)
    if name == "market_based_carbon_kg_co2e_per_kwh":
        return ranges.exact("market_statement", value)
    return {}


def _zone_carbon(
    place: Place, site: str, zone: GridRow, sources: Sources, ranges: Ranges
) -> Datum | UnsetType:
    if zone.carbon_g_per_kwh is UNSET:
        return UNSET
    if not zone.carbon_source or not zone.carbon_year:
        raise place.refusal("carbon has no source or no year")
    carbon = scaled(zone.carbon_g_per_kwh, GRAM_TO_KG)
    return Datum(
        name=f"sites/{site}/carbon_kg_co2e_per_kwh",
        _value=carbon,
        unit="kg_co2e/kwh",
        source=sources.cite(
            place, zone.carbon_source, as_of=zone.carbon_year, remark=f"grid zone {zone.zone}"
        ),
        **ranges.of("carbon_of_zone", carbon, as_of=zone.carbon_year),
    )


def _tariff(
    place: Place, site: str, zone: GridRow, sources: Sources, ranges: Ranges
) -> Datum | UnsetType:
    if zone.price_per_kwh is UNSET:
        return UNSET
    if not (zone.price_source and zone.price_period and zone.currency and zone.price_basis):
        raise place.refusal("the tariff has no source, period, currency or basis")
    return Datum(
        name=f"sites/{site}/price_per_kwh",
        _value=zone.price_per_kwh,
        unit=TARIFF_UNITS[zone.currency],
        source=_tariff_source(place, zone, sources),
        **ranges.of(_tariff_rule(zone), zone.price_per_kwh, as_of=_month_of(zone.price_period)),
    )


def _tariff_rule(zone: GridRow) -> RuleName:
    """The rule for a zone's tariff: averages of a continent are wider than those of a country."""
    if zone.level in ("continent", "group") or "stand-in" in zone.price_basis:
        return "tariff_stand_in"
    return "tariff_of_country" if zone.level == "country" else "tariff_of_zone"


def _tariff_source(place: Place, zone: GridRow, sources: Sources) -> Published:
    """The tariff's source, dated by the month in which its period began, with its confidence."""
    confidence: Confidence = HIGH
    if zone.price_recalled or any(word in zone.price_basis for word in ROUGH_TARIFFS):
        confidence = LOW
    elif any(word in zone.price_basis for word in SECOND_HAND_TARIFFS):
        confidence = MEDIUM
    return sources.cite(
        place,
        zone.price_source,
        as_of=_month_of(zone.price_period),
        confidence=confidence,
        remark=f"tariff of grid zone {zone.zone}, {zone.price_period}: {zone.price_basis}",
    )


def _month_of(period: str) -> AsOf:
    """The month in which a period begins: 2024-07 for 2024-H2. A year stays a year."""
    year, _, part = period.partition("-")
    if not part:
        return year
    months = 6 if part[0] == "H" else 3
    return f"{year}-{(int(part[1]) - 1) * months + 1:02d}"
