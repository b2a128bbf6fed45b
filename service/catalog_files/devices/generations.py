"""What the catalog's devices of one generation have in common. Made once, at the start.

A device that a request describes takes the median of its generation where it says nothing. The
range of a median reaches from the lowest to the highest device, and at least as far as devices of
one generation usually differ, so that a generation of one device is no sure guess either.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from math import exp, log, sqrt
from statistics import mean, median
from typing import Final, NamedTuple, TypeAlias

from msgspec import UNSET, UnsetType

from service.core.catalog.catalog import Accelerator, PurchasePrice
from service.core.catalog.generation import DeviceGeneration
from service.core.figures.sources import Datum, Judged
from service.core.figures.units import Z_90, Unit
from service.core.figures.vocabulary import DeviceKind

Devices: TypeAlias = Mapping[str, Sequence[Accelerator]]
"""The catalog's devices by generation."""
Values: TypeAlias = Mapping[str, Sequence[float]]
"""The numbers of the devices of each generation that have one."""

KINDS: Final[tuple[DeviceKind, ...]] = ("gpu", "tpu")
"""What a device is of that is of no generation of the catalog."""
MOST: Final = 0.5
"""A generation has a format if at least this share of its devices has a peak in it."""
LEAST_SPREAD: Final = 0.05
"""The least deviation of a logarithm within a generation."""


class Number(NamedTuple):
    """A number of devices: its name, its unit, and where a device has it."""

    name: str
    unit: Unit
    of: Callable[[Accelerator], float | None]


def read_generations(
    accelerators: Mapping[str, Accelerator],
    prices: Mapping[str, PurchasePrice],
    *,
    as_of: str,
) -> dict[str, DeviceGeneration]:
    """Every generation by name, and `gpu` and `tpu`, of which nothing follows."""
    devices: dict[str, list[Accelerator]] = defaultdict(list)
    for device in accelerators.values():
        devices[device.generation].append(device)
    medians = _Medians(devices, as_of=as_of)
    complete = {name: _sold_complete(rows, prices) for name, rows in devices.items()}

    def usd(device: Accelerator) -> float | None:
        price = prices.get(device.id)
        if price is None or price.includes_server != complete[device.generation]:
            return None
        return price.usd_per_device._value  # noqa: SLF001 - not sealed for us

    bandwidth = medians.of(Number("memory_bandwidth", "byte/s", _bandwidth))
    power = medians.of(Number("tdp", "watt", _power))
    link = medians.of(Number("scale_up_unidirectional", "byte/s", _link))
    bought = medians.of(Number("usd_per_device", "usd/device", usd))
    peaks, ratios = medians.peaks(), medians.ratios()
    named = {
        name: DeviceGeneration(
            name=name,
            kind=rows[0].kind,
            devices=tuple(row.id for row in rows),
            memory_bandwidth_byte_per_s=bandwidth.get(name, UNSET),
            peak_dense_flop_per_s=peaks.get(name, {}),
            peak_ratios=ratios.get(name, {}),
            tdp_w=power.get(name, UNSET),
            scale_up_byte_per_s=link.get(name, UNSET),
            usd_per_device=bought.get(name, UNSET),
            price_includes_server=complete[name],
        )
        for name, rows in devices.items()
    }
    return {**named, **{kind: DeviceGeneration(name=kind, kind=kind) for kind in KINDS}}


class _Medians:
    """Medians over the devices of each generation, with their ranges and their source."""

    def __init__(self, devices: Devices, *, as_of: str) -> None:
        self._devices, self._as_of = devices, as_of

    def of(self, number: Number) -> dict[str, Datum]:
        """The median of a number for each generation of which a device has it."""
        values = self._values(number)
        spread = usual_spread(values)
        return {
            name: self._datum(f"generations/{name}/{number.name}", number.unit, rows, spread)
            for name, rows in values.items()
        }

    def peaks(self) -> dict[str, dict[str, Datum]]:
        """The median peak for each generation in each format that it has."""
        formats = self._formats()
        found: dict[str, dict[str, Datum]] = defaultdict(dict)
        for form in sorted(set(chain.from_iterable(formats.values()))):
            peak = Number(f"peak_{form}_dense", "flop/s", partial(_peak, form=form))
            for name, datum in self.of(peak).items():
                if form in formats[name]:
                    found[name][form] = datum
        return found

    def ratios(self) -> dict[str, dict[tuple[str, str], Datum]]:
        """The median ratio of the peaks in two formats for each generation that has both.

        Ratios follow from the design of the matrix units. So all pairs of formats together say how
        far they differ within a generation.
        """
        values = {
            (name, form, other): rows
            for name, formats in self._formats().items()
            for form in formats
            for other in formats
            if form != other and (rows := [*_ratios(self._devices[name], form, other)])
        }
        spread = usual_spread({"/".join(key): rows for key, rows in values.items()})
        found: dict[str, dict[tuple[str, str], Datum]] = defaultdict(dict)
        for (name, form, other), rows in values.items():
            figure = f"generations/{name}/peak_{form}_over_{other}"
            found[name][form, other] = self._datum(figure, "ratio", rows, spread)
        return found

    def _values(self, number: Number) -> Values:
        found = {
            name: [value for row in rows if (value := number.of(row)) is not None]
            for name, rows in self._devices.items()
        }
        return {name: values for name, values in found.items() if values}

    def _formats(self) -> dict[str, list[str]]:
        """The formats that at least half of the devices of each generation have."""
        return {
            name: [
                form
                for form in dict.fromkeys(
                    chain.from_iterable(row.peak_dense_flop_per_s for row in rows)
                )
                if sum(form in row.peak_dense_flop_per_s for row in rows) >= MOST * len(rows)
            ]
            for name, rows in self._devices.items()
        }

    def _datum(self, name: str, unit: Unit, values: Sequence[float], spread: float) -> Datum:
        """The median of some values, with a range that holds all of them."""
        middle, least, most = median(values), min(values), max(values)
        generation = name.split("/")[1]
        return Datum(
            name=name,
            _value=middle,
            unit=unit,
            source=Judged(
                why=f"not stated: the median of {len(values)} device"
                f"{'s' if len(values) > 1 else ''} of generation {generation} in the catalog, "
                f"from {least:g} to {most:g}",
                as_of=self._as_of,
            ),
            low=min(least, middle * exp(-Z_90 * spread)),
            high=max(most, middle * exp(Z_90 * spread)),
            range_basis=f"all devices of the generation, and at least the deviation of {spread:.3g}"
            " in the logarithm that devices of one generation have over all generations",
        )


def usual_spread(values: Values) -> float:
    """The deviation of the logarithm within a generation, pooled over all with several devices.

    It is never nothing: that few devices agree does not mean that another one does.
    """
    logs = [[log(value) for value in rows] for rows in values.values() if len(rows) > 1]
    squares = sum((value - mean(rows)) ** 2 for rows in logs for value in rows)
    pooled = sqrt(squares / sum(len(rows) - 1 for rows in logs)) if logs else 0.0
    return max(pooled, LEAST_SPREAD)


def _sold_complete(rows: Sequence[Accelerator], prices: Mapping[str, PurchasePrice]) -> bool:
    """Whether any device of a generation has a price as a share of a complete server."""
    return any(row.id in prices and prices[row.id].includes_server for row in rows)


def _ratios(rows: Sequence[Accelerator], form: str, other: str) -> Iterator[float]:
    for row in rows:
        peak, base = _peak(row, form), _peak(row, other)
        if peak is not None and base is not None:
            yield peak / base


def _peak(device: Accelerator, form: str) -> float | None:
    return _value(device.peak_dense_flop_per_s.get(form, UNSET))


def _bandwidth(device: Accelerator) -> float | None:
    return _value(device.memory_bandwidth_byte_per_s)


def _power(device: Accelerator) -> float | None:
    return _value(device.tdp_w)


def _link(device: Accelerator) -> float | None:
    return None if device.scale_up is UNSET else _value(device.scale_up.unidirectional_byte_per_s)


def _value(datum: Datum | UnsetType) -> float | None:
    return None if datum is UNSET else datum._value  # noqa: SLF001 - not sealed for us
