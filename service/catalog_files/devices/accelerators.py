"""`accelerators/*.toml`, their families, and the check that no rate is a vendor's sparse one."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError, scaled
from service.catalog_files.ranges import Range, Ranges
from service.catalog_files.sources import LOW, Sources, Text
from service.core.catalog.catalog import Accelerator, ScaleUp, Slug
from service.core.figures.sources import AsOf, Datum, Published
from service.core.figures.units import Unit
from service.core.figures.vocabulary import DeviceKind

Positive = Annotated[float, Meta(gt=0, le=1e9)]
Format = Literal["fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "fp4", "nvfp4", "int8"]

FAMILIES = "accelerator_families.toml"
FAILURES = "reliability.failures_per_device_day"
USABLE = "device-totals-2026-11"
"""The source of what programs find on devices."""
NETWORK = "network.byte_per_s_per_device"
EPOCH_2024 = ("epoch_2024.server_overhead", "epoch_2024.server_power_ratio")
"""The assumptions of `epoch-2024` that have a value for each family."""

GIGA, TERA = 9, 12
BYTES_PER_GIB = 2**30
MATRIX_FORMATS = ("bf16", "fp16")
RATIO_TOLERANCE = 0.02
"""Makers round their rates: 733 TFLOP/s in FP8 and 362 in BF16 make a ratio of 2.025."""


class FamilyRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the devices of one architecture share."""

    name: Text
    generation: Slug
    kind: DeviceKind
    fleet: Slug


class ScaleUpRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A link as printed, one way and both ways, so that neither is mistaken for the other."""

    name: Text
    unidirectional_gb_per_s: Positive
    bidirectional_gb_per_s: Positive
    domain_devices: Annotated[int, Meta(ge=1, le=1_000_000)]


class AcceleratorRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device, in the units of data sheets. `recalled` names fields that nobody has read.

    `spans` has the lowest and the highest value of fields on which sources differ. `estimated`
    names fields that the maker does not publish.
    """

    id: Slug
    name: Text
    vendor: Text
    architecture: Text
    form_factor: Text
    released: AsOf
    memory_type: Text
    peak_dense_tflops: dict[Format, Positive]
    scale_up: ScaleUpRow
    network_class: Slug
    epoch_2024_family: Slug
    sources: Annotated[list[Slug], Meta(min_length=1)]
    recalled: list[str]
    memory_gb: Positive | UnsetType = UNSET
    memory_gib: Positive | UnsetType = UNSET
    usable_gib: Positive | UnsetType = UNSET
    memory_bandwidth_gb_per_s: Positive | UnsetType = UNSET
    tdp_w: Positive | UnsetType = UNSET
    spans: dict[str, tuple[Positive, Positive]] = {}
    estimated: tuple[Literal["tdp_w"], ...] = ()
    variant_of: Slug | UnsetType = UNSET
    export_control: str = ""
    note: str = ""


class DenseRates(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the dense rates of one architecture relate to each other, by design of the chip.

    `times_bf16` and `times_bf16_at_most` are ratios to the BF16 (else FP16) matrix rate.
    `matrix_to_fp32_at_most` bounds that rate over the FP32 vector rate, which sparsity does not
    change. This catches a sheet that prints every matrix rate twice too high. 0 means no bound.
    `cut_down` has a lower bound for parts whose matrix units the maker slows.
    """

    name: Text
    memory_type: Literal["HBM", "GDDR"]
    matrix_to_fp32_at_most: Annotated[float, Meta(ge=0, le=1000)]
    times_bf16: dict[Format, Positive]
    times_bf16_at_most: dict[Format, Positive]
    cut_down: dict[Slug, Positive]
    why: Text


def read_accelerators(
    files: DataFiles, sources: Sources, ranges: Ranges, assumptions: Mapping[str, Datum]
) -> dict[str, Accelerator]:
    """All devices by id. Names in a row or its family must have a number in `assumptions`."""
    families = _families(files, assumptions)
    dense: dict[tuple[str, str], DenseRates] = {
        (row.name, row.memory_type): row
        for _, row in files.toml_rows("dense_rates.toml", "architecture", DenseRates)
    }
    found: dict[str, Accelerator] = {}
    for place, row in files.toml_rows("accelerators/*.toml", "accelerator", AcceleratorRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            place.check_date(row.released)
            _check_dense(place, row, dense)
            _check_named(place, row, assumptions)
            if row.architecture not in families:
                raise place.refusal(f"{FAMILIES} has no family {row.architecture!r}")
            family = families[row.architecture]
            found[row.id] = _accelerator(place, row, family, sources, ranges)
            if row.variant_of is not UNSET and row.variant_of not in found:
                place.report(f"variant_of {row.variant_of!r} is no device before this one")
    return found


def _families(files: DataFiles, assumptions: Mapping[str, Datum]) -> dict[str, FamilyRow]:
    found: dict[str, FamilyRow] = {}
    for place, row in files.toml_rows(FAMILIES, "family", FamilyRow):
        with suppress(RefusedError):
            place.check_new(row.name, found)
            _check_some(place, assumptions, f"{FAILURES}.{row.fleet}")
            found[row.name] = row
    return found


def _check_named(place: Place, row: AcceleratorRow, assumptions: Mapping[str, Datum]) -> None:
    """Report a class of network, or a family of `epoch-2024`, without numbers."""
    _check_some(place, assumptions, f"{NETWORK}.{row.network_class}")
    _check_some(place, assumptions, *(f"{stem}.{row.epoch_2024_family}" for stem in EPOCH_2024))


def _check_some(place: Place, assumptions: Mapping[str, Datum], *names: str) -> None:
    """Report if the catalog has none of these assumptions."""
    if assumptions.keys().isdisjoint(names):
        place.report(f"there is no assumption {' or '.join(names)}")


def _accelerator(
    place: Place, row: AcceleratorRow, family: FamilyRow, sources: Sources, ranges: Ranges
) -> Accelerator:
    read = sources.cite(place, " ".join(row.sources), remark=f"row {row.name}")
    recalled = sources.cite(place, "recalled", confidence=LOW, remark=f"of {row.name}")
    if unknown := set(row.recalled) - _recallable(row):
        place.report(f"recalled names no field of this row: {', '.join(sorted(unknown))}")

    def source_of(field: str) -> Published:
        return recalled if field in row.recalled else read

    def datum(name: str, value: float, unit: Unit, of: str) -> Datum:
        figure = f"accelerators/{row.id}/{name}"
        spread = _range(row, of, value, ranges)
        return Datum(name=figure, _value=value, unit=unit, source=source_of(of), **spread)

    bandwidth, tdp_w, link = row.memory_bandwidth_gb_per_s, row.tdp_w, row.scale_up
    if not _close(link.bidirectional_gb_per_s, 2 * link.unidirectional_gb_per_s):
        place.report("scale_up: both directions must be twice one direction")
    for field, (low, high) in row.spans.items():
        printed = _printed(row, field)
        if printed is None or not low <= printed <= high:
            place.report(f"spans: {field} is not a field between {low:g} and {high:g}")

    return Accelerator(
        id=row.id,
        name=row.name,
        vendor=row.vendor,
        architecture=row.architecture,
        generation=family.generation,
        kind=family.kind,
        fleet=family.fleet,
        network_class=row.network_class,
        epoch_2024_family=row.epoch_2024_family,
        form_factor=row.form_factor,
        released=row.released,
        memory_bytes=datum("memory_bytes", _memory_bytes(place, row), "byte", "memory_gb"),
        usable_memory_bytes=UNSET
        if row.usable_gib is UNSET
        else Datum(
            name=f"accelerators/{row.id}/usable_memory_bytes",
            _value=row.usable_gib * BYTES_PER_GIB,
            unit="byte",
            source=sources.cite(place, USABLE, remark=f"of {row.name}"),
            **ranges.exact("specification", row.usable_gib * BYTES_PER_GIB),
        ),
        memory_type=row.memory_type,
        memory_bandwidth_byte_per_s=UNSET
        if bandwidth is UNSET
        else datum(
            "memory_bandwidth", scaled(bandwidth, GIGA), "byte/s", "memory_bandwidth_gb_per_s"
        ),
        peak_dense_flop_per_s={
            form: datum(f"peak_{form}_dense", scaled(tflops, TERA), "flop/s", form)
            for form, tflops in row.peak_dense_tflops.items()
        },
        tdp_w=UNSET if tdp_w is UNSET else datum("tdp", float(tdp_w), "watt", "tdp_w"),
        scale_up=ScaleUp(
            name=link.name,
            unidirectional_byte_per_s=datum(
                "scale_up_unidirectional",
                scaled(link.unidirectional_gb_per_s, GIGA),
                "byte/s",
                "scale_up",
            ),
            domain_devices=link.domain_devices,
        ),
        variant_of=row.variant_of or "",
        export_control=row.export_control,
        note=row.note,
    )


def _printed(row: AcceleratorRow, field: str) -> float | None:
    """A field of the row that may have a span, in the row's unit."""
    if field == "scale_up":
        return row.scale_up.unidirectional_gb_per_s
    if field == "tdp_w" and row.tdp_w is not UNSET:
        return row.tdp_w
    return row.peak_dense_tflops.get(field)  # type: ignore[call-overload, no-any-return]


def _range(row: AcceleratorRow, field: str, value: float, ranges: Ranges) -> Range:
    """The span of the sources, or that of estimates. Otherwise a specification is exact."""
    printed = _printed(row, field)
    if field in row.spans and printed is not None:
        low, high = (value * end / printed for end in row.spans[field])
        return {"low": low, "high": high, "range_basis": f"span of what sources print: {row.note}"}
    if field in row.estimated:
        return ranges.of("estimated_power", value, as_of=row.released)
    return ranges.exact("specification", value)


def _memory_bytes(place: Place, row: AcceleratorRow) -> float:
    """Makers' gigabytes, 10**9 bytes, unless the row says GiB."""
    if row.memory_gb is not UNSET and row.memory_gib is UNSET:
        return scaled(row.memory_gb, GIGA)
    if row.memory_gib is not UNSET and row.memory_gb is UNSET:
        return row.memory_gib * BYTES_PER_GIB
    raise place.refusal("needs one of memory_gb and memory_gib")


def _recallable(row: AcceleratorRow) -> set[str]:
    link = {"scale_up", "scale_up_domain"}
    return {*row.__struct_fields__, *row.peak_dense_tflops, *link}


def _check_dense(
    place: Place, row: AcceleratorRow, dense: dict[tuple[str, str], DenseRates]
) -> None:
    """Report every rate that is too high to be dense."""
    rates = row.peak_dense_tflops
    matrix = next((form for form in MATRIX_FORMATS if form in rates), None)
    if matrix is None:
        return
    kind = "GDDR" if row.memory_type.startswith("GDDR") else "HBM"
    design = dense.get((row.architecture, kind))
    if design is None:
        place.report(
            f"architecture {row.architecture} with {kind} is not in dense_rates.toml,"
            " so its rates cannot be told from sparse ones"
        )
        return
    base = rates[matrix]
    for form in rates.keys() - {matrix}:
        ratio = rates[form] / base
        exact, most = design.times_bf16.get(form), design.times_bf16_at_most.get(form)
        if exact is not None and not _close(ratio, exact):
            place.report(f"{form} is {ratio:.3g} x {matrix}, dense rates are {exact:g} x: sparse?")
        if most is not None and ratio > most * (1 + RATIO_TOLERANCE):
            place.report(f"{form} is {ratio:.3g} x {matrix}, dense at most {most:g} x: sparse?")
    most = design.cut_down.get(row.id, design.matrix_to_fp32_at_most)
    if most and "fp32" not in rates:
        place.report(f"without the fp32 rate {matrix} cannot be told from a sparse rate")
    elif most and base / rates["fp32"] > most * (1 + RATIO_TOLERANCE):
        place.report(
            f"{matrix} is {base / rates['fp32']:.3g} x fp32, dense at most {most:g} x: sparse?"
        )


def _close(a: float, b: float) -> bool:
    return abs(a / b - 1) <= RATIO_TOLERANCE
