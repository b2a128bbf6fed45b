"""Devices that a request describes, as rows that the quote's own catalog has of them.

What the request states is a number of the request. What it leaves out is the median over the
catalog's devices of the stated generation. What is no number, such as the class of network, is that
of the device of the generation that is most like it. Nothing depends on the name of a device.
"""

from collections.abc import Iterator, Mapping
from math import log
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType, structs

from service.core.argument import Caution, read_interval
from service.core.catalog.catalog import Accelerator, Catalog, PurchasePrice, ScaleUp, System
from service.core.cluster.formulas import in_base_unit, peak_from_another
from service.core.figures.described import ComputedDatum, InferredDatum, StatedDatum
from service.core.figures.sources import Datum, Judged
from service.core.figures.units import Unit
from service.core.request.described import PEAK_FORMATS, DescribedAccelerator
from service.core.request.names import PlacedDevice, described_devices
from service.core.request.request import QuoteRequest
from service.core.request.wire import Interval
from service.core.request.work import Metered

GIGA: Final = 1e9
TERA: Final = 1e12
REFERENCE_FORMATS: Final = ("bf16", "fp16", "fp8", "int8", "mxfp8", "tf32", "fp4", "nvfp4", "fp32")
"""From which of the stated peaks others follow: the first of these that is stated."""
USUAL_FLEET: Final = {"gpu": "other", "tpu": "tpu"}
"""Whose failure rate and network hold for a device of no generation of the catalog."""
NO_FAMILY: Final = "other"
ALIKE: Final = 0.1
"""Difference of logarithms at which nothing measured of one device holds for another. Judged."""


class DescribedRow(Accelerator, frozen=True, kw_only=True):
    """A described device as a row. Its id is the quote's own; a reader knows it by its name.

    `like` is the device of the catalog whose numbers it nearly has, if there is one, and `likeness`
    how nearly: 1 if they are the same.
    """

    like: str = ""
    likeness: float = 0.0

    @property
    def timed_as(self) -> str:
        """The device of the catalog that it nearly is by its numbers, if there is one."""
        return self.like or self.id

    @property
    def timed_alike(self) -> float:
        """How far what was measured of that device holds for it."""
        return self.likeness

    @property
    def label(self) -> str:
        """The name that the request gives it, and that it is described there."""
        return f"{self.name} (described)"

    def lacks(self, what: str) -> str:
        """In words, why a number of the device is not known."""
        return (
            f"no {what} of {self.label} is stated, and none follows from its generation, "
            f"{self.generation or self.kind}"
        )


class Named(NamedTuple):
    """A request whose described devices have ids, a catalog that knows them, and what is odd."""

    request: QuoteRequest
    catalog: Catalog
    cautions: tuple[Caution, ...] = ()
    devices: Mapping[str, PlacedDevice] = {}


def with_ids(request: QuoteRequest, catalog: Catalog) -> Named:
    """The request with an id for each described device, and a catalog that also knows them.

    One device that is described in several places is one device. All generations are known.
    """
    ids: dict[DescribedAccelerator, str] = {}
    devices: dict[str, PlacedDevice] = {}
    for placed in described_devices(request):
        if placed.said not in ids:
            ids[placed.said] = f"described-{len(ids) + 1}"
            devices[ids[placed.said]] = placed
    if not devices:
        return Named(request, catalog)
    rows = {id: _Description(id, placed, catalog) for id, placed in devices.items()}
    return Named(
        _named(request, ids),
        catalog.beside(
            {id: row.accelerator() for id, row in rows.items()},
            systems={id: system for id, row in rows.items() if (system := row.system())},
            purchase_prices={id: price for id, row in rows.items() if (price := row.price())},
        ),
        tuple(caution for row in rows.values() for caution in row.cautions()),
        devices,
    )


def _named(request: QuoteRequest, ids: Mapping[DescribedAccelerator, str]) -> QuoteRequest:
    """The request with ids in place of descriptions."""

    def cluster(said: Any) -> Any:
        if said is UNSET or isinstance(said.device, str):
            return said
        return structs.replace(said, device=ids[said.device])

    def work(said: Any) -> Any:
        if isinstance(said, Metered) and isinstance(said.measured_on, DescribedAccelerator):
            return structs.replace(said, measured_on=ids[said.measured_on])
        return said

    stages = tuple(
        structs.replace(stage, cluster=cluster(stage.cluster), work=work(stage.work))
        for stage in request.run.stages
    )
    run = structs.replace(request.run, stages=stages)
    return structs.replace(request, run=run, cluster=cluster(request.cluster))


class _Description:
    """One description, and what stands for the members that it leaves out."""

    def __init__(self, id: str, placed: PlacedDevice, catalog: Catalog) -> None:
        self._id, self._said, self._pointer = id, placed.said, placed.pointer
        self._catalog = catalog
        self._of = catalog.generation(placed.said.generation, pointer=placed.pointer)
        self._odd: list[Caution] = []
        self._inferred: list[str] = []
        self._peaks = self._all_peaks()
        self._memory = self._converted("memory_bytes", "memory_gb", "gigabyte", "byte", GIGA)
        self._bandwidth = self._or_median(
            self._converted(
                "memory_bandwidth", "memory_bandwidth_gb_per_s", "gigabyte/s", "byte/s", GIGA
            ),
            self._of.memory_bandwidth_byte_per_s,
            "memory_bandwidth_gb_per_s",
        )
        self._power = self._or_median(self._stated("power_w", "watt"), self._of.tdp_w, "power_w")
        self._link = self._or_median(
            self._converted(
                "scale_up_unidirectional", "scale_up_gb_per_s", "gigabyte/s", "byte/s", GIGA
            ),
            self._of.scale_up_byte_per_s,
            "scale_up_gb_per_s",
        )
        self._nearest = self._most_like()

    def accelerator(self) -> DescribedRow:
        """The device as a row of the catalog."""
        assert self._memory is not UNSET, "memory is always stated"
        like, kind = self._nearest, self._of.kind
        alike = self._likeness()
        return DescribedRow(
            id=self._id,
            name=self._said.name,
            vendor=like.vendor if like else "",
            architecture=like.architecture if like else "",
            generation=self._of.name if like else "",
            kind=kind,
            fleet=like.fleet if like else USUAL_FLEET[kind],
            network_class=like.network_class if like else USUAL_FLEET[kind],
            epoch_2024_family=like.epoch_2024_family if like else NO_FAMILY,
            form_factor="",
            released=like.released if like else "",
            memory_bytes=self._memory,
            memory_type=like.memory_type if like else "",
            memory_bandwidth_byte_per_s=self._bandwidth,
            peak_dense_flop_per_s=self._peaks,
            tdp_w=self._power,
            scale_up=self._scale_up(),
            like=like.id if like and alike else "",
            likeness=alike,
        )

    def _likeness(self) -> float:
        """How nearly a device of the catalog has this power, these peaks and all else that is said.

            max(0, 1 - largest difference of logarithms / 0.1)

        Devices of one generation reach other shares of their peak by their power. What was measured
        of one holds for a described device the less, the further it is in what decides it.
        """
        like = self._nearest
        if like is None or isinstance(self._power, InferredDatum) or not self._peaks_stated():
            return 0.0
        return max(0.0, 1.0 - max(self._distances(like)) / ALIKE)

    def _peaks_stated(self) -> bool:
        """Whether a peak is stated from which the others follow."""
        return not any(isinstance(peak, InferredDatum) for peak in self._peaks.values())

    def _scale_up(self) -> ScaleUp | UnsetType:
        """The link and its domain. It is not known unless both are."""
        domain = self._said.scale_up_domain_devices
        if domain is UNSET and self._nearest and self._nearest.scale_up is not UNSET:
            domain = float(self._nearest.scale_up.domain_devices)
        if self._link is UNSET or domain is UNSET:
            return UNSET
        return ScaleUp(name="", unidirectional_byte_per_s=self._link, domain_devices=int(domain))

    def system(self) -> System | None:
        """The server in which the device is bought, if one is stated or usual."""
        devices: Datum | UnsetType = self._stated("devices_per_node", "count")
        if devices is UNSET and self._nearest:
            usual = self._catalog.systems_by_accelerator.get(self._nearest.id, ())
            devices = usual[0].devices if usual else UNSET
        if devices is UNSET:
            return None
        return System(id=self._id, name=self._said.name, accelerator=self._id, devices=devices)

    def price(self) -> PurchasePrice | None:
        """What one device costs to buy, if that is stated or usual."""
        said, usual = self._stated("usd_per_device", "usd/device"), self._of.usd_per_device
        usd = self._or_median(said, usual, "usd_per_device")
        if usd is UNSET:
            return None
        includes = self._of.price_includes_server if said is UNSET else None
        return PurchasePrice(
            accelerator=self._id,
            usd_per_device=usd,
            includes_server=self._said.price_includes_server if includes is None else includes,
        )

    def cautions(self) -> Iterator[Caution]:
        """What is odd about the description, and which of its numbers are inferred."""
        yield from dict.fromkeys(self._odd)
        like = self._nearest
        if like is None:
            return
        shape = [
            member
            for member in ("scale_up_domain_devices", "devices_per_node")
            if getattr(self._said, member) is UNSET
        ]
        inferred = list(dict.fromkeys(self._inferred))
        medians = (
            f"{', '.join(inferred)}: medians over the {len(self._of.devices)} devices of "
            f"{self._of.name}"
            if inferred
            else ""
        )
        nearest = f"{', '.join(shape)}: as of {like.id}, which is most like it" if shape else ""
        if words := "; ".join(filter(None, (medians, nearest))):
            yield Caution("assumed_device", f"{self._said.name}: {words}", self._pointer)

    def _stated(
        self, member: str, unit: Unit, *, of: Struct | None = None, within: str = ""
    ) -> StatedDatum | UnsetType:
        """A member as a sealed number, in the unit in which it is stated."""
        value: float | Interval[Any] | UnsetType = getattr(of or self._said, member)
        if value is UNSET:
            return UNSET
        pointer = f"{self._pointer}{within}/{member}"
        low: float | UnsetType = UNSET
        high: float | UnsetType = UNSET
        if isinstance(value, Interval):
            value, low, high, odd = read_interval(value, pointer=pointer, unit=unit)
            self._odd += odd
        return StatedDatum(
            name=pointer,
            _value=value,
            unit=unit,
            source=_stated_at(pointer, self._catalog),
            low=low,
            high=high,
            pointer=pointer,
        )

    def _converted(
        self, name: str, member: str, stated_in: Unit, unit: Unit, base_units: float
    ) -> ComputedDatum | UnsetType:
        """A member in the unit that the catalog has it in."""
        return self._in_base_unit(name, self._stated(member, stated_in), unit, base_units)

    def _in_base_unit(
        self, name: str, stated: StatedDatum | UnsetType, unit: Unit, base_units: float
    ) -> ComputedDatum | UnsetType:
        if stated is UNSET:
            return UNSET
        return ComputedDatum(
            name=f"accelerators/{self._id}/{name}",
            _value=_central(stated) * base_units,
            unit=unit,
            source=stated.source,
            formula=in_base_unit,
            inputs={"stated": stated},
            fixed={"base_units": base_units},
        )

    def _or_median(
        self, stated: Datum | UnsetType, median: Datum | UnsetType, member: str
    ) -> Datum | UnsetType:
        """What is stated, or else the median over the generation, which the member overrides."""
        if stated is not UNSET or median is UNSET:
            return stated
        self._inferred.append(member)
        return _inferred(median, f"{self._pointer}/{member}")

    def _all_peaks(self) -> dict[str, Datum]:
        """The stated peaks, and those in other formats that the generation has."""
        said = self._said.peak_dense_tflops
        stated: dict[str, Datum] = {}
        for form in PEAK_FORMATS:
            at = self._stated(form, "teraflop/s", of=said, within="/peak_dense_tflops")
            peak = self._in_base_unit(f"peak_{form}_dense", at, "flop/s", TERA)
            if peak is not UNSET:
                stated[form] = peak
        others = [form for form in self._of.peak_dense_flop_per_s if form not in stated]
        reference = next((form for form in REFERENCE_FORMATS if form in stated), None)
        found = dict(stated)
        for form in others:
            if reference is None:
                median: Datum | None = self._of.peak_dense_flop_per_s[form]
            else:
                median = self._of.peak_ratios.get((form, reference))
            if median is None:
                continue
            member = f"peak_dense_tflops/{form}"
            self._inferred.append(member)
            inferred = _inferred(median, f"{self._pointer}/{member}")
            found[form] = (
                inferred if reference is None else self._from(stated[reference], inferred, form)
            )
        return found

    def _from(self, peak: Datum, ratio: Datum, form: str) -> ComputedDatum:
        """The peak in one format from the stated one in another."""
        return ComputedDatum(
            name=f"accelerators/{self._id}/peak_{form}_dense",
            _value=_central(peak) * _central(ratio),
            unit="flop/s",
            source=ratio.source,
            formula=peak_from_another,
            inputs={"peak_flop_per_s": peak, "peak_ratio": ratio},
            fixed={},
        )

    def _most_like(self) -> Accelerator | None:
        """The device of the generation whose numbers are nearest to those stated.

        Of several that are as near it is the first in the catalog.
        """
        rows = [self._catalog.accelerators[id] for id in self._of.devices]
        return min(rows, key=self._unlikeness, default=None)

    def _unlikeness(self, row: Accelerator) -> float:
        """How far the stated numbers are from those of a device, in the mean of their logs."""
        logs = self._distances(row)
        return sum(logs) / len(logs)

    def _distances(self, row: Accelerator) -> list[float]:
        """How far each stated number is from that of a device, in logs."""
        link = UNSET if row.scale_up is UNSET else row.scale_up.unidirectional_byte_per_s
        pairs: list[tuple[Datum | UnsetType, Datum | UnsetType]] = [
            (self._memory, row.memory_bytes),
            (self._bandwidth, row.memory_bandwidth_byte_per_s),
            (self._power, row.tdp_w),
            (self._link, link),
        ]
        pairs += [
            (peak, row.peak_dense_flop_per_s.get(form, UNSET)) for form, peak in self._peaks.items()
        ]
        return [
            abs(log(_central(mine) / _central(its)))
            for mine, its in pairs
            if mine is not UNSET and its is not UNSET and not isinstance(mine, InferredDatum)
        ]


def _stated_at(pointer: str, catalog: Catalog) -> Judged:
    return Judged(why=f"stated in the request at {pointer}", as_of=catalog.version)


def _inferred(median: Datum, pointer: str) -> InferredDatum:
    return InferredDatum(**structs.asdict(median), pointer=pointer)


def _central(datum: Datum) -> float:
    return datum._value  # noqa: SLF001 - compared, and converted as the ledger does it again
