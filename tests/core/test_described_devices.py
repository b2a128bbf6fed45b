"""A device that a request describes: as good as the catalog's where all is said, and wider else."""

import copy
import itertools
import json
import re
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.catalog.errors import NotQuotable, UnknownGeneration
from service.core.cluster.described import with_ids
from service.core.draws.memo import Memo
from service.core.request.described import DescribedAccelerator
from service.core.request.request import QuoteRequest
from tests.claims import judge, of_work
from tests.worlds import answer, embedded, number, priced, told

H100 = "nvidia-h100-sxm-80gb"
GIGA, TERA = 1e9, 1e12
DOCS = Path(__file__).parents[2] / "docs" / "described-devices.md"
LLAMA = {"kind": "preset", "id": "llama-3.1-8b"}
WORKS: dict[str, Any] = {
    "known hours": {"kind": "metered", "device_hours": 1000},
    "FLOP": {"kind": "compute", "flop": 1e23, "mfu": 0.4},
    "pretraining": {"kind": "pretraining", "model": LLAMA, "tokens": 1e12},
    "pretraining in fp8": {
        "kind": "pretraining",
        "model": LLAMA,
        "tokens": 1e12,
        "precision": "fp8",
    },
    "tuning": {"kind": "finetuning", "model": LLAMA, "data": {"kind": "tokens", "tokens": 1e9}},
    "generation": {"kind": "generation", "model": LLAMA, "requests": 1e6},
}
WIDE = {"low": 300, "high": 1600}
OPTIONAL = (
    "memory_bandwidth_gb_per_s",
    "peak_dense_tflops",
    "power_w",
    "scale_up_gb_per_s",
    "usd_per_device",
)
"""Members of a description that are numbers with a unit, and may be left out."""


def all_of(id: str, name: str = "one of ours") -> dict[str, Any]:
    """All numbers that the catalog has of a device, as a description."""
    catalog = embedded()
    row, price = catalog.accelerators[id], catalog.purchase_prices[id]
    assert row.scale_up
    return {
        "name": name,
        "generation": row.generation,
        "memory_gb": number(row.memory_bytes) / GIGA,
        "memory_bandwidth_gb_per_s": number(row.memory_bandwidth_byte_per_s) / GIGA,
        "peak_dense_tflops": {
            form: number(peak) / TERA for form, peak in row.peak_dense_flop_per_s.items()
        },
        "power_w": number(row.tdp_w),
        "scale_up_gb_per_s": number(row.scale_up.unidirectional_byte_per_s) / GIGA,
        "scale_up_domain_devices": row.scale_up.domain_devices,
        "devices_per_node": int(number(catalog.systems_by_accelerator[id][0].devices)),
        "usd_per_device": number(price.usd_per_device),
        "price_includes_server": price.includes_server,
    }


def on(device: Any, work: str = "pretraining", *, devices: int = 64, **cluster: Any) -> Any:
    """A run of one stage on owned devices."""
    return {
        "run": {"name": "run", "stages": [{"name": "stage", "work": WORKS[work]}]},
        "cluster": {"accelerator": device, "devices": devices, "supply": {"kind": "owned"}}
        | cluster,
        "options": {"bases": ["rental", "owned"]},
    }


def quoted(request: Any, memo: Memo | None = None) -> Any:
    return answer(request, embedded(), memo)


def bill(quote: Any, basis: str = "owned") -> Any:
    return next(one for one in quote.bases if one.basis == basis)


def hours(quote: Any) -> Any:
    return quote.stages[0].device_hours


def spread_of(quote: Any) -> float:
    interval = priced(bill(quote)).interval
    return float(interval.p90) / float(interval.p10)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("device", [H100, "amd-mi300x", "nvidia-b200-sxm"])
def test_a_device_of_which_all_is_said_costs_what_the_catalog_s_own_costs(device, work):
    named, described = (quoted(on(one, work)) for one in (device, all_of(device)))
    assert hours(named).p10 <= hours(described).central <= hours(named).p90
    assert hours(described).central == pytest.approx(hours(named).central, rel=0.05)
    own, other = priced(bill(named)), priced(bill(described))
    assert float(own.interval.p10) <= float(other.total.amount) <= float(own.interval.p90)
    assert float(other.total.amount) == pytest.approx(float(own.total.amount), rel=0.1)
    assert "assumed_device" not in {one.code for one in told(described)}


@pytest.mark.parametrize(
    "changed", [{"power_w": 400}, {"power_w": msgspec.UNSET}, {"peak_dense_tflops": msgspec.UNSET}]
)
def test_what_was_measured_of_a_device_holds_only_for_its_own_power_and_peaks(changed):
    def timed_as(members: Any) -> str:
        said = {name: one for name, one in members.items() if one is not msgspec.UNSET}
        named = with_ids(msgspec.convert(on(said), QuoteRequest), embedded())
        return named.catalog.accelerators["described-1"].timed_as

    whole = all_of("amd-mi300x")
    assert timed_as(whole) == "amd-mi300x"
    assert timed_as(whole | changed) == "described-1"


def test_no_rounding_of_a_described_device_is_a_cliff():
    """A percent more power moves hours by as much at most, up to where nothing measured holds."""

    def taken(power_w: float) -> float:
        return float(hours(quoted(on(all_of("amd-mi300x") | {"power_w": power_w}))).central)

    steps = [taken(750.0 * 1.001**place) for place in range(0, 120, 12)]
    moved = [abs(after / before - 1) for before, after in itertools.pairwise(steps)]
    assert max(moved) < 0.03
    assert steps[-1] != steps[0]


def test_what_is_said_is_given_in_the_figures_and_only_what_is_used():
    figures = quoted(on(all_of(H100))).figures
    bandwidth = figures["accelerators/described-1/memory_bandwidth"]
    assert (bandwidth.value, bandwidth.unit) == (3350e9, "byte/s")
    assert bandwidth.source.formula == "in_base_unit"
    stated = figures[bandwidth.source.inputs["stated"]]
    assert (stated.value, stated.unit) == (3350.0, "gigabyte/s")
    assert stated.source.pointer == "/cluster/accelerator/memory_bandwidth_gb_per_s"
    assert not any("int8" in name for name in figures)


def test_what_is_not_said_is_the_median_of_its_generation_and_says_so():
    bare = {"name": "one of ours", "generation": "hopper", "memory_gb": 80}
    found = quoted(on(bare))
    inferred = found.figures["generations/hopper/memory_bandwidth"]
    rows = [row for row in embedded().accelerators.values() if row.generation == "hopper"]
    bandwidths = [number(row.memory_bandwidth_byte_per_s) for row in rows]
    assert inferred.value == median(bandwidths)
    assert inferred.low < min(bandwidths)
    assert max(bandwidths) < inferred.high
    assert inferred.pointer == "/cluster/accelerator/memory_bandwidth_gb_per_s"
    assert f"the median of {len(rows)} devices of generation hopper" in inferred.source.why
    (warning,) = [one for one in told(found) if one.code == "assumed_device"]
    assert warning.pointer == "/cluster/accelerator"
    assert all(member in warning.detail for member in OPTIONAL)


@pytest.mark.parametrize("member", OPTIONAL)
@pytest.mark.parametrize("device", [H100, "google-tpu-v4", "nvidia-b300-sxm"])
def test_what_is_not_said_is_less_sure_than_what_is(device, member):
    """Of a generation of one device too, whose median is that device's own number."""
    whole = all_of(H100) if device == H100 else on_the_way_to(device)
    part = {name: value for name, value in whole.items() if name != member}
    said, inferred = (ranges_at(quoted(on(one)), member) for one in (whole, part))
    assert said == {1.0}
    assert min(inferred) > 1.2


def test_the_less_is_said_the_wider_is_the_interval():
    whole = all_of(H100)
    bare = {name: whole[name] for name in ("name", "generation", "memory_gb")}
    spreads = [spread_of(quoted(on(one))) for one in (whole, whole | {"power_w": WIDE}, bare)]
    assert spreads == sorted(spreads)
    assert spreads[-1] > 1.5 * spreads[0]


def on_the_way_to(id: str) -> dict[str, Any]:
    """A device said to be of a generation of one device, with some numbers of that device."""
    row = embedded().accelerators[id]
    generation = [
        one.id for one in embedded().accelerators.values() if one.generation == row.generation
    ]
    assert generation == [id]
    return all_of(H100) | {
        "generation": row.generation,
        "memory_gb": number(row.memory_bytes) / GIGA,
        "peak_dense_tflops": {"bf16": number(row.peak_dense_flop_per_s["bf16"]) / TERA},
    }


def ranges_at(quote: Any, member: str) -> set[float]:
    """How wide the figures are that a member of the description gives, or would override."""
    place = f"/cluster/accelerator/{member}"
    found = [one for one in quote.figures.values() if (one.pointer or "").startswith(place)]
    assert found
    return {1.0 if one.low is msgspec.UNSET else one.high / one.low for one in found}


@settings(max_examples=25, deadline=None)
@given(
    member=st.sampled_from(
        ["memory_bandwidth_gb_per_s", "scale_up_gb_per_s", "memory_gb", "bf16", "domain"]
    ),
    factor=st.integers(2, 8),
    work=st.sampled_from(["pretraining", "tuning", "generation"]),
)
def test_more_of_anything_is_never_slower(member, factor, work):
    device = all_of(H100)
    better = copy.deepcopy(device)
    if member == "bf16":
        better["peak_dense_tflops"] = {
            form: peak * factor for form, peak in device["peak_dense_tflops"].items()
        }
    else:
        name = "scale_up_domain_devices" if member == "domain" else member
        better[name] *= factor
    faster, slower = hours(quoted(on(better, work))), hours(quoted(on(device, work)))
    assert faster.central <= slower.central * (1 + 1e-9)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_dearer_device_costs_its_owner_more_and_a_hungrier_one_more_energy(factor):
    device = all_of(H100)
    base, other = (
        quoted(on(device | {"usd_per_device": device["usd_per_device"] * by}, "known hours"))
        for by in (1.0, factor)
    )
    rates = [
        float(next(line.rate for line in bill(one).lines if line.item == "accelerators"))
        for one in (base, other)
    ]
    assert rates[1] == pytest.approx(rates[0] * factor)
    hungry = quoted(on(device | {"power_w": 700 * factor}, "known hours"))
    assert (hungry.totals.energy_kwh.it.central > base.totals.energy_kwh.it.central) is (
        factor > 1.0
    )


def test_peaks_that_are_not_said_follow_from_the_one_that_is():
    """Hopper's matrix units run fp8 at twice the rate of bf16, whatever the chip's size."""
    device = {"name": "half", "generation": "hopper", "memory_gb": 80}
    device["peak_dense_tflops"] = {"bf16": 500}
    figures = quoted(on(device, "pretraining in fp8")).figures
    peak = figures["accelerators/described-1/peak_fp8_dense"]
    assert peak.value == pytest.approx(2 * 500e12, rel=2e-3)
    ratio = figures[peak.source.inputs["peak_ratio"]]
    assert ratio.low < ratio.value < ratio.high
    assert ratio.pointer == "/cluster/accelerator/peak_dense_tflops/fp8"


@pytest.mark.parametrize(
    ("generation", "memory_gb", "nearest"),
    [
        ("hopper", 80, H100),
        ("hopper", 141, "nvidia-h200-sxm-141gb"),
        ("blackwell", 180, "nvidia-b200-sxm"),
        ("blackwell", 32, "nvidia-rtx-5090"),
    ],
)
def test_what_is_no_number_is_that_of_the_device_that_is_most_like_it(
    generation, memory_gb, nearest
):
    device = {"name": "one", "generation": generation, "memory_gb": memory_gb}
    found = quoted(on(device, "known hours"))
    (warning,) = [one for one in told(found) if one.code == "assumed_device"]
    assert f"as of {nearest}, which is most like it" in warning.detail


def test_a_device_of_no_generation_is_unknown_where_nothing_is_said():
    bare = {"name": "one of ours", "generation": "gpu", "memory_gb": 80}
    found = quoted(on(bare))
    assert found.stages[0].device_hours is msgspec.UNSET
    reasons = {one.detail for one in told(found) if one.code in ("unpriced_line", "unknown_power")}
    said = "of one of ours (described) is stated, and none follows from its generation, gpu"
    assert any(detail.startswith(f"no bf16 peak {said}") for detail in reasons)
    assert any(detail.startswith(f"no power {said}") for detail in reasons)
    known = bare | {
        "peak_dense_tflops": {"bf16": 900},
        "memory_bandwidth_gb_per_s": 3000,
        "scale_up_gb_per_s": 400,
        "scale_up_domain_devices": 8,
    }
    found = quoted(on(known))
    assert hours(found).central > 0.0
    lines = {line.item: line for line in bill(found).lines}
    assert lines["accelerators"].reason == "no_purchase_price"
    assert lines["energy"].reason == "power_unknown"
    assert not any(name.startswith("generations/") for name in found.figures)


def test_nobody_in_the_catalog_sells_it():
    found = quoted(on(all_of(H100), "known hours", supply={"kind": "market"}))
    (line,) = [one for one in bill(found, "rental").lines if one.item == "device_rental"]
    assert line.reason == "no_offer_for_device"
    assert "the catalog has no offer of one of ours (described)" in line.detail
    rate = {"kind": "rate", "usd_per_device_hour": 2.5}
    found = quoted(on(all_of(H100), "known hours", supply=rate))
    assert priced(bill(found, "rental")).total.amount == "2500.00"
    assert found.rate_versus_market == ()


def test_a_price_in_the_accounting_goes_before_that_of_the_description():
    owned = {"kind": "owned", "usd_per_device": 50_000}
    figures = quoted(on(all_of(H100), "known hours", supply=owned)).figures
    assert "request/cluster/supply/usd_per_device" in figures
    assert "request/cluster/accelerator/usd_per_device" not in figures


def test_devices_are_bought_in_the_servers_that_are_described():
    device = all_of(H100) | {"devices_per_node": 16}
    found = quoted(on(device, "known hours", devices=20))
    assert found.ownership[0].devices_bought == 32
    assert found.ownership[0].accelerator == "one of ours (described)"


def test_one_device_in_two_places_is_one_device():
    device = all_of(H100)
    request = on(device, "known hours")
    stage = {"name": "other", "work": WORKS["known hours"]}
    again = dict(reversed(device.items()))
    request["run"]["stages"].append(stage | {"cluster": {"accelerator": again, "devices": 8}})
    found = quoted(request)
    assert {one.accelerator for one in found.stages} == {"one of ours (described)"}
    watts = [name for name in found.figures if name.endswith("/power_w")]
    assert watts == ["request/cluster/accelerator/power_w"]
    other = device | {"power_w": 800}
    request["run"]["stages"][1]["cluster"]["accelerator"] = other
    figures = quoted(request).figures
    assert figures["power/described-2/loaded_w"].value > figures["power/described-1/loaded_w"].value


def test_hours_that_were_measured_on_a_described_device_are_said_unless_it_is_the_cluster_s():
    device = all_of(H100)
    metered = WORKS["known hours"] | {"measured_on": device}
    request = on(device, "known hours")
    request["run"]["stages"][0]["work"] = metered
    assert "measured_elsewhere" not in {one.code for one in told(quoted(request))}
    request["cluster"]["accelerator"] = H100
    (warning,) = [one for one in told(quoted(request)) if one.code == "measured_elsewhere"]
    assert warning.detail == (
        f"these hours were measured on one of ours (described); they are taken one to one on {H100}"
    )
    request["cluster"]["accelerator"] = device | {"name": "another"}
    assert "measured_elsewhere" in {one.code for one in told(quoted(request))}


def test_a_claim_may_be_about_a_described_device():
    owned = {"devices": 64, "supply": {"kind": "owned"}}
    readings = [
        {
            (one.basis, one.scope): float(one.total.amount)
            for one in judge(
                of_work(20_000, WORKS["pretraining"], cluster=owned | {"accelerator": device})
            ).readings
        }
        for device in (H100, all_of(H100))
    ]
    key = ("owned_straight_line", "final_run")
    assert readings[1][key] == pytest.approx(readings[0][key], rel=0.05)
    described = judge(
        of_work(20_000, WORKS["pretraining"], cluster=owned | {"accelerator": all_of(H100)})
    )
    stated = [name for name in described.figures if name.endswith("/memory_bandwidth_gb_per_s")]
    assert [described.figures[name].pointer for name in stated] == [
        "/what/cluster/accelerator/memory_bandwidth_gb_per_s"
    ]


def test_every_generation_that_nothing_is_known_of_is_refused_at_once():
    request = on({"name": "a", "generation": "cdna-33", "memory_gb": 80}, "known hours")
    stage = request["run"]["stages"][0]
    stage["work"] = stage["work"] | {
        "measured_on": {"name": "b", "generation": "rubin", "memory_gb": 80}
    }
    with pytest.raises(NotQuotable) as caught:
        quoted(request)
    second, first = caught.value.errors
    assert first.pointer == "/cluster/accelerator/generation"
    assert isinstance(first, UnknownGeneration)
    assert first.nearest[0] == "cdna-3"
    assert second.pointer == "/run/stages/0/work/measured_on/generation"


def test_ends_in_the_wrong_order_are_exchanged_with_a_warning():
    device = all_of(H100) | {"power_w": {"low": 800, "high": 600}}
    found = quoted(on(device, "known hours"))
    (warning,) = [one for one in told(found) if one.code == "interval_reversed"]
    assert warning.pointer == "/cluster/accelerator/power_w"
    power = found.figures["request/cluster/accelerator/power_w"]
    assert (power.low, power.high) == (600, 800)


def test_nothing_that_is_shared_between_quotes_is_kept_by_a_caller_s_words():
    """The second device has the numbers of the first: whatever is shared is found again."""
    memo = Memo()
    device = all_of(H100) | {"power_w": {"low": 600, "high": 800}}
    first = quoted(on(device | {"name": "a secret name"}), memo)
    kept, keys = len(memo), repr(list(memo._entries))
    assert "secret" not in keys
    second = quoted(on(device | {"name": "another"}), memo)
    assert len(memo) == kept
    assert bill(first).total == bill(second).total


def test_a_name_of_the_quote_s_own_cannot_be_asked_for():
    request = on(all_of(H100), "known hours")
    stage = {"name": "other", "work": WORKS["known hours"]}
    cluster = {"accelerator": "described-1", "devices": 8}
    request["run"]["stages"].append(stage | {"cluster": cluster})
    with pytest.raises(NotQuotable) as caught:
        quoted(request)
    (error,) = caught.value.errors
    assert error.pointer == "/run/stages/1/cluster/accelerator"


def test_the_example_of_the_docs_is_quoted_and_warns_of_what_it_leaves_out():
    (example,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    request = json.loads(example)
    found = quoted(request)
    assert float(priced(bill(found, "rental")).total.amount) > 0.0
    (warning,) = [one for one in told(found) if one.code == "assumed_device"]
    left_out = {"scale_up_gb_per_s", "scale_up_domain_devices", "usd_per_device"}
    assert all(member in warning.detail for member in left_out)
    said = {"memory_gb", "memory_bandwidth_gb_per_s", "bf16", "power_w", "devices_per_node"}
    assert not any(member in warning.detail for member in said)


def test_the_docs_have_every_member():
    listed = re.findall(r"^\| `(\w+)`", DOCS.read_text(), flags=re.MULTILINE)
    members = {"name", "generation", "price_includes_server"} | set(listed)
    assert members == set(DescribedAccelerator.__struct_fields__)


@pytest.mark.parametrize("at", [0, 1], ids=["smallest", "largest"])
@pytest.mark.parametrize("work", WORKS)
def test_the_ends_of_all_members_give_a_finite_quote(work, at):
    ends = {
        "memory_gb": (1, 1e5),
        "memory_bandwidth_gb_per_s": (1, 1e6),
        "power_w": (1, 1e5),
        "scale_up_gb_per_s": (0.1, 1e5),
        "scale_up_domain_devices": (1, 1e6),
        "devices_per_node": (1, 1e5),
        "usd_per_device": (1, 1e8),
    }
    for member, values in ends.items():
        found = quoted(on(all_of(H100) | {member: values[at]}, work))
        assert b"null" not in msgspec.json.encode(found.bases)
    device = all_of(H100) | {member: values[at] for member, values in ends.items()}
    device["peak_dense_tflops"] = {"bf16": (0.1, 1e6)[at]}
    assert b"null" not in msgspec.json.encode(quoted(on(device, work)).bases)
    assert json.loads(msgspec.json.encode(quoted(on(device, work)).figures))
