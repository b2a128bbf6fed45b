"""`runs/*.jsonl`: published runs. `accelerator_aliases.csv`: names of devices in print."""

import re
from collections.abc import Container, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.ranges import Ranges
from service.catalog_files.sources import LOW, Text, Url
from service.core.catalog.catalog import PredictedHours, ReferenceRun, Slug
from service.core.figures.sources import AsOf, Confidence, Datum, Published
from service.core.figures.units import Unit

SLUG = re.compile(r"[a-z0-9][a-z0-9._:-]{0,127}")
Amount = Annotated[float, Meta(gt=0, le=1e15)]
Number = float | None
Members = dict[str, Any] | None

PLACED = frozenset(
    (
        "id",
        "model",
        "developer",
        "date",
        "kind",
        "accelerator",
        "benchmark_grade",
        "device_hours_basis",
        "device_hours",
        "stated_price_per_device_hour",
        "stated_cost_usd",
        "source",
        "quote_basis",
        "base_runs",
    )
)
"""Members of a row that have a field of their own. The others are kept in `facts`."""


class RunSource(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a run was disclosed."""

    title: Text
    where: Text
    url: Url | None = None
    url_from_memory: bool = False


class RunRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One disclosed run. `memory` lists the members that were recalled; false if none was.

    Files of other collections in this format decode too. Only the catalog requires slugs as ids.
    """

    id: Text
    model: Text
    developer: Text
    date: AsOf
    kind: Literal["pretraining", "mid_training", "sft", "rl", "generation", "diffusion", "other"]
    benchmark_grade: Literal["A", "B", "C", "D"]
    confidence: Confidence
    memory: list[str] | Literal[False]
    source: Annotated[list[RunSource], Meta(min_length=1)]
    quote_basis: str | None = None
    base_runs: list[Slug] | None = None
    total_params_b: Number = None
    active_params_b: Number = None
    architecture: Members = None
    tokens_b: Number = None
    samples: Number = None
    batch_tokens: Number = None
    accelerator: str | None = None
    device_count: Number = None
    device_hours: Amount | None = None
    device_hours_basis: str | None = None
    wall_clock_hours: Number = None
    mfu_or_hfu: Number = None
    mfu_kind: str | None = None
    precision: str | None = None
    stated_cost_usd: Amount | None = None
    cost_basis: str | None = None
    stated_price_per_device_hour: Amount | None = None
    energy_mwh: Number = None
    energy_basis: str | None = None
    co2_t: Number = None
    power_w_per_device: Number = None
    pue: Number = None
    goodput: Any = None
    rl: Members = None
    mlperf: Members = None
    framework: str | None = None
    framework_version: str | None = None
    software_date: str | None = None
    compile: bool | None = None
    attention_kernel: str | None = None
    optimizer_offload: str | bool | None = None
    packing: bool | None = None
    peft: str | None = None
    base_bits: Number = None
    micro_batch: Number = None


class LooseRunRow(RunRow, forbid_unknown_fields=False, frozen=True, kw_only=True):
    """A disclosed run of another collection, which may say more than is used here, or less."""

    developer: Text = "unknown"
    confidence: Confidence = "medium"
    memory: list[str] | Literal[False] = False


class PredictedRow(Struct, frozen=True, forbid_unknown_fields=True):
    """The prediction of the engine for a run, when the file was written."""

    run: Slug
    device_hours: Amount
    p10: Amount
    p90: Amount


class AliasRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A name used in print. `assumed` if it leaves form factor or memory open."""

    alias: Text
    accelerator: Slug
    assumed: bool


def read_aliases(files: DataFiles, accelerators: Container[str]) -> dict[str, str]:
    """Names used in print to ids of the catalog."""
    found: dict[str, str] = {}
    for place, row in files.csv_rows("accelerator_aliases.csv", AliasRow):
        with suppress(RefusedError):
            place.check_new(row.alias, found)
            if row.accelerator not in accelerators:
                place.report(f"unknown accelerator {row.accelerator!r}")
            found[row.alias] = row.accelerator
    return found


def read_runs(
    files: DataFiles, aliases: Mapping[str, str], ranges: Ranges
) -> dict[str, ReferenceRun]:
    """All published runs by id."""
    found: dict[str, ReferenceRun] = {}
    bases: list[tuple[Place, str]] = []
    for place, row in files.jsonl_rows("runs/*.jsonl", RunRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            place.check_date(row.date)
            if not SLUG.fullmatch(row.id):
                place.report(f"{row.id!r} cannot be an id")
            found[row.id] = _without_spread(_run(place, row, aliases), ranges)
            bases += ((place, base) for base in row.base_runs or ())
    for place, base in bases:
        with suppress(RefusedError):
            if base not in found:
                raise place.refusal(f"unknown base run {base!r}")
    return _with_predictions(files, found)


def _with_predictions(files: DataFiles, runs: dict[str, ReferenceRun]) -> dict[str, ReferenceRun]:
    """The runs with their predicted device-hours beside the disclosed ones."""
    found = dict(runs)
    for place, row in files.csv_rows("runs/predicted_runs.csv", PredictedRow):
        with suppress(RefusedError):
            if row.run not in runs:
                raise place.refusal(f"unknown run {row.run!r}")
            hours = PredictedHours(device_hours=row.device_hours, p10=row.p10, p90=row.p90)
            found[row.run] = msgspec.structs.replace(found[row.run], predicted=hours)
    return found


def _run(place: Place, row: RunRow, aliases: Mapping[str, str]) -> ReferenceRun:
    if row.device_hours is not None and not row.device_hours_basis:
        place.report("device_hours without device_hours_basis")
    return run_of(row, aliases)


def _without_spread(run: ReferenceRun, ranges: Ranges) -> ReferenceRun:
    """The run with its disclosed numbers as exact ones, as the report states them."""

    def exact(datum: Datum | UnsetType) -> Datum | UnsetType:
        if datum is UNSET:
            return UNSET
        value = datum._value  # noqa: SLF001 - not sealed for us
        return msgspec.structs.replace(datum, **ranges.exact("disclosure", value))

    return msgspec.structs.replace(
        run,
        device_count=exact(run.device_count),
        device_hours=exact(run.device_hours),
        usd_per_device_hour=exact(run.usd_per_device_hour),
        stated_cost_usd=exact(run.stated_cost_usd),
    )


def run_of(row: RunRow, aliases: Mapping[str, str]) -> ReferenceRun:
    """A disclosed run as the catalog holds it."""
    members = msgspec.structs.asdict(row)
    facts = {
        name: value
        for name, value in members.items()
        if name not in PLACED and value is not None and value is not False
    }
    if row.accelerator is not None:
        facts["accelerator_as_stated"] = row.accelerator

    def figure(member: str, name: str, unit: Unit) -> Datum | UnsetType:
        value = members[member]
        if value is None:
            return UNSET
        return Datum(
            name=f"runs/{row.id}/{name}",
            _value=float(value),
            unit=unit,
            source=_published(row, row.source[0], recalled=member in (row.memory or ())),
        )

    return ReferenceRun(
        id=row.id,
        model=row.model,
        developer=row.developer,
        date=row.date,
        kind=row.kind,
        accelerator=aliases.get(row.accelerator or "", ""),
        benchmark_grade=row.benchmark_grade,
        device_hours_basis=row.device_hours_basis or "",
        facts=facts,
        device_count=figure("device_count", "device_count", "count"),
        device_hours=figure("device_hours", "device_hours", "device_hour"),
        usd_per_device_hour=figure(
            "stated_price_per_device_hour", "usd_per_device_hour", "usd/device_hour"
        ),
        stated_cost_usd=figure("stated_cost_usd", "stated_cost_usd", "usd"),
        sources=tuple(_published(row, source, recalled=False) for source in row.source),
        quote_basis=row.quote_basis or "",
        base_runs=tuple(row.base_runs or ()),
    )


def _published(row: RunRow, source: RunSource, *, recalled: bool) -> Published:
    return Published(
        title=source.title,
        locator=source.where,
        as_of=row.date,
        url=source.url or UNSET,
        confidence=LOW if recalled else row.confidence,
    )
