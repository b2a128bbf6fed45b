"""Given numbers beside what the catalog holds: what is far outside is warned of, with its range."""

import json
import math
from time import perf_counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.refusing.decoding import decode_request
from service.api.refusing.errors import Refused
from service.catalog_files.observed import asked_prices_in, observed_in
from service.core.argument import Argument
from service.core.catalog.observed import AskedPrice, observed, price_position
from service.core.figures.units import HOURS_PER_MONTH
from service.core.plausible import (
    CHECKED,
    RATE_CHECK,
    GivenNumber,
    is_far,
    likely_mistakes,
    rows_of,
    warn_if_far,
)
from tests.worlds import answer, device, embedded, number, offer, world

H100 = "nvidia-h100-sxm-80gb"
POLICY = embedded().policy
METERED = {"kind": "metered", "device_hours": 12_000}
PRETRAINING = {
    "kind": "pretraining",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "tokens": 15e12,
}


def request(work=None, *, accounting=None, **cluster):
    """A small run on 64 H100s, with these parts instead."""
    return {
        "run": {"name": "run", "stages": [{"name": "stage", "work": work or METERED}]},
        "cluster": {"accelerator": H100, "devices": 64} | cluster,
        "accounting": accounting or {},
    }


def rate(usd):
    return request(supply={"kind": "rate", "usd_per_device_hour": usd})


def site(**numbers):
    return request(site=numbers)


def described(**members):
    """A run of known hours on a device that is described."""
    hopper = {"name": "one of ours", "generation": "hopper", "memory_gb": 80}
    return request(accelerator=hopper | members)


PEAKS = {"fp32": 150, "tf32": 500, "bf16": 990, "fp16": 990, "fp8": 1980, "int8": 1980}
PEAKS |= {"mxfp8": 4500, "fp4": 9000, "nvfp4": 9000}


def work(**members):
    return request(PRETRAINING | members)


def compute(**members):
    return request({"kind": "compute", "flop": 1e24} | members)


def implausible(asked, catalog=None):
    quoted = answer(asked, catalog or embedded())
    return [one for one in quoted.warnings if one.code == "implausible_value"]


RATE_AT = "/cluster/supply/usd_per_device_hour"
WORK_AT = "/run/stages/0/work"
WRONG = {
    "a month's price": (rate(1460), RATE_AT, ["the price of a month", "in cents"], 1460 / 730.5),
    "a second's price": (rate(0.00055), RATE_AT, ["the price of a second"], 1.98),
    "a server's price": (
        rate(98.32),
        RATE_AT,
        ["the price of a day", "the price of a server of 8"],
        98.32 / 24,
    ),
    "a tariff in cents": (
        site(usd_per_kwh=8.26),
        "/cluster/site/usd_per_kwh",
        ["in cents"],
        0.0826,
    ),
    "a tariff for a MWh": (
        site(usd_per_kwh=82.6),
        "/cluster/site/usd_per_kwh",
        ["for a megawatt-hour"],
        0.0826,
    ),
    "carbon in tonnes": (
        site(carbon_kg_co2e_per_kwh=0.0003695),
        "/cluster/site/carbon_kg_co2e_per_kwh",
        ["in tonnes"],
        0.3695,
    ),
    "a PUE of four": (site(pue=4.0), "/cluster/site/pue", [], None),
    "an MFU of 95%": (compute(mfu=0.95), f"{WORK_AT}/mfu", [], None),
    "an MFU of 95% of a prediction": (work(mfu=0.95), f"{WORK_AT}/mfu", [], None),
    "an MFU of 0.38%": (compute(mfu=0.0038), f"{WORK_AT}/mfu", ["divided by 100 twice"], 0.38),
    "tokens in billions": (
        work(tokens=15_000),
        f"{WORK_AT}/tokens",
        ["in billions", "in millions"],
        15e12,
    ),
    "tokens in trillions": (
        work(tokens=15),
        f"{WORK_AT}/tokens",
        ["in trillions", "in billions"],
        15e12,
    ),
    "a batch in sequences": (
        work(global_batch_tokens=1024),
        f"{WORK_AT}/global_batch_tokens",
        ["counted in sequences", "in thousands"],
        1024 * 4096,
    ),
    "FLOP in units of 1e21": (
        compute(flop=38),
        f"{WORK_AT}/flop",
        ["in units of 1e21", "in petaFLOP/s-days"],
        38e21,
    ),
    "parameters in millions": (
        work(model={"kind": "parameters", "total": 405_000}),
        f"{WORK_AT}/model/total",
        ["in millions", "in thousands"],
        405e9,
    ),
    "a device in thousands": (
        request(supply={"kind": "owned", "usd_per_device": 32}),
        "/cluster/supply/usd_per_device",
        ["in thousands of dollars"],
        32_000,
    ),
    "a device as a server": (
        request(accounting={"owned": {"usd_per_device": 280_000}}),
        "/accounting/owned/usd_per_device",
        ["the price of a server of 8"],
        35_000,
    ),
    "pay in thousands": (
        request(
            accounting={
                "staff": {"kind": "people", "people": 30, "months": 6, "usd_per_person_year": 350}
            }
        ),
        "/accounting/staff/usd_per_person_year",
        ["in thousands of dollars", "for an hour of work"],
        350_000,
    ),
    "storage for a terabyte": (
        request(accounting={"storage": {"gigabytes": 5000, "usd_per_gigabyte_month": 23}}),
        "/accounting/storage/usd_per_gigabyte_month",
        ["for a terabyte"],
        0.023,
    ),
    "transfer in cents": (
        request(accounting={"transfer": {"gigabytes": 5000, "usd_per_gigabyte": 9}}),
        "/accounting/transfer/usd_per_gigabyte",
        ["in cents", "for a terabyte"],
        0.09,
    ),
    "hosting for a watt": (
        request(accounting={"owned": {"usd_per_kilowatt_month": 0.18}}),
        "/accounting/owned/usd_per_kilowatt_month",
        ["for a watt", "for a kilowatt-hour"],
        180,
    ),
    "experiments in percent": (
        request(accounting={"experiments": {"factor": 220}}),
        "/accounting/experiments/factor",
        ["in percent"],
        2.2,
    ),
    "a network in megabits": (
        request(PRETRAINING, network_gbit_per_s_per_device=50_000),
        "/cluster/network_gbit_per_s_per_device",
        ["in megabits"],
        50e9 / 8,
    ),
    "failures for a year": (
        request(PRETRAINING, reliability={"failures_per_device_day": 0.17}),
        "/cluster/reliability/failures_per_device_day",
        ["for a year", "for a thousand devices"],
        0.17 / 365.25,
    ),
    "memory in megabytes": (
        described(memory_gb=81_920),
        "/cluster/accelerator/memory_gb",
        ["in megabytes"],
        81.92e9,
    ),
    "a bandwidth in terabytes": (
        described(memory_bandwidth_gb_per_s=3.35),
        "/cluster/accelerator/memory_bandwidth_gb_per_s",
        ["in terabytes"],
        3.35e12,
    ),
    "the power of a server": (
        described(power_w=10_200),
        "/cluster/accelerator/power_w",
        ["of a server of 8"],
        1275.0,
    ),
    "a link in gigabits": (
        described(scale_up_gb_per_s=7200),
        "/cluster/accelerator/scale_up_gb_per_s",
        ["in gigabits"],
        900e9,
    ),
    **{
        f"a peak in {form} in petaFLOP/s": (
            described(peak_dense_tflops={form: tflops / 1000}),
            f"/cluster/accelerator/peak_dense_tflops/{form}",
            ["in petaFLOP/s"],
            tflops * 1e12,
        )
        for form, tflops in PEAKS.items()
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_a_number_far_outside_is_warned_of_with_the_range_and_the_likely_mistake(name):
    asked, pointer, mistakes, right = WRONG[name]
    (warning,) = implausible(asked)
    assert (warning.pointer, warning.severity) == (pointer, "act")
    seen = warning.observed
    assert [one.mistake for one in seen.likely] == mistakes
    if right is not None:
        assert seen.likely[0].value == pytest.approx(right)
        assert seen.low <= seen.likely[0].value <= seen.high
    assert not seen.low <= seen.given <= seen.high
    assert seen.count >= 1
    assert seen.what in warning.detail


def test_every_checked_member_is_tried():
    """Each kind of number has a wrong one above; the terms of owning stand in two places."""
    places = {asked[1].rpartition("/")[2] for asked in WRONG.values()}
    assert places | {"active"} == {member for checks in CHECKED.values() for member in checks}


def test_the_range_of_a_rate_is_that_of_the_catalog_s_prices_of_the_device():
    (warning,) = implausible(rate(1460))
    catalog = embedded()
    rows = [
        row.price_per_device_hour
        for row in catalog.price_rows[H100]
        if row.price_kind != "reference"
    ] + [row.price_per_device_hour for row in catalog.price_history[H100]]
    rates = {
        f"{currency}/device_hour": number(catalog.assumptions[f"usd_per_{currency}"])
        for currency in ("eur", "inr", "cny")
    }
    usd = [row._value * rates.get(row.unit, 1.0) for row in rows]
    seen = warning.observed
    assert (seen.low, seen.high, seen.count) == (min(usd), max(usd), len(usd))
    assert warning.detail.startswith(
        f"1,460 usd/device_hour is far outside the catalog's {len(usd)} prices of a device-hour"
    )


def test_a_device_without_prices_is_compared_with_all():
    rows = rows_of(embedded().observed, GivenNumber(1460, "", "huawei-ascend-910b", RATE_CHECK))
    assert rows is not None
    assert rows.what.endswith("of all devices")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        (site(pue=0.12), "/cluster/site/pue"),
        (site(pue=12), "/cluster/site/pue"),
        (compute(mfu=120), f"{WORK_AT}/mfu"),
        (work(mfu=410), f"{WORK_AT}/mfu"),
        (request(supply={"kind": "owned", "utilization": 80}), "/cluster/supply/utilization"),
        (site(carbon_kg_co2e_per_kwh=369.5), "/cluster/site/carbon_kg_co2e_per_kwh"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place_with_both_numbers(asked, pointer):
    with pytest.raises(Refused) as refused:
        decode_request(json.dumps(asked).encode())
    (fault,) = refused.value.errors
    assert (fault.code, fault.pointer) == ("out_of_bounds", pointer)
    limit = fault.maximum if fault.maximum is not msgspec.UNSET else fault.minimum
    assert f"{limit:g}" in fault.detail
    assert ("write 0.8" in fault.detail) == pointer.endswith("utilization")


@pytest.mark.parametrize("usd", [1.5, 2.0, 6.88, 12.0, {"low": 0.1, "high": 60.0}])
def test_a_usual_rate_is_not_warned_of(usd):
    assert not implausible(rate(usd))


def test_an_interval_counts_by_its_middle():
    assert implausible(rate({"low": 1000, "high": 2000}))
    assert implausible(rate({"low": 1.0, "high": 2000, "central": 1460}))
    assert not implausible(rate({"low": 1.0, "high": 2000, "central": 2.0}))


@pytest.mark.parametrize("asked", [site(usd_per_kwh=0.0), site(carbon_kg_co2e_per_kwh=0.0)])
def test_a_zero_leaves_something_out_and_is_not_warned_of(asked):
    assert not implausible(asked)


DEFAULTS = {
    "energy.pue": lambda value: site(pue=value),
    "energy.usd_per_kwh": lambda value: site(usd_per_kwh=value),
    "energy.carbon_kg_co2e_per_kwh": lambda value: site(carbon_kg_co2e_per_kwh=value),
    "compute.mfu": lambda value: compute(mfu=value),
    "rental.usd_per_gigabyte_month": lambda value: request(
        accounting={"storage": {"gigabytes": 1, "usd_per_gigabyte_month": value}}
    ),
    "rental.usd_per_gigabyte": lambda value: request(
        accounting={"transfer": {"gigabytes": 1, "usd_per_gigabyte": value}}
    ),
    "owned.usd_per_kilowatt_month": lambda value: request(
        accounting={"owned": {"usd_per_kilowatt_month": value}}
    ),
    "fully_loaded.experiment_factor": lambda value: request(
        accounting={"experiments": {"factor": value}}
    ),
    "fully_loaded.usd_per_person_year": lambda value: request(
        accounting={
            "staff": {"kind": "people", "people": 1, "months": 1, "usd_per_person_year": value}
        }
    ),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_no_default_of_the_catalog_warns_about_itself(name):
    assert not implausible(DEFAULTS[name](number(embedded().assumptions[name])))


def test_no_default_that_hangs_on_the_device_warns_about_itself():
    catalog = embedded()
    for name, datum in catalog.assumptions.items():
        stem, _, id = name.rpartition(".")
        member = {
            "owned.server_price_usd": "usd_per_device",
            "owned.card_price_usd": "usd_per_device",
            "reliability.failures_per_device_day": "failures_per_device_day",
            "network.byte_per_s_per_device": "byte_per_s_per_device",
        }.get(stem)
        if member is not None:
            rows = catalog.observed.get(f"{member}/{id}") or catalog.observed[member]
            assert not is_far(datum._value, rows, POLICY), name


def test_no_row_that_a_range_is_made_of_is_far_outside():
    for name, rows in embedded().observed.items():
        assert rows.low <= rows.median <= rows.high
        assert not any(is_far(one, rows, POLICY) for one in (rows.low, rows.median, rows.high)), (
            name
        )


positive = st.floats(1e-6, 1e6)


@given(values=st.lists(positive, min_size=1), number=positive)
def test_far_outside_is_beyond_the_range_by_the_factor(values, number):
    rows = observed("prices", "usd/kwh", values)
    far = number < min(values) / 3.0 or number > max(values) * 3.0
    assert is_far(number, rows, POLICY) == far


@given(values=st.lists(st.floats(0.01, 0.9), min_size=1), number=st.floats(0.001, 1.0))
def test_of_a_share_it_is_the_factor_of_its_odds(values, number):
    rows = observed("MFUs", "share", values)
    odds = number / (1.0 - number) if number < 1.0 else math.inf
    low, high = min(values) / (1 - min(values)), max(values) / (1 - max(values))
    assert is_far(number, rows, POLICY) == (odds < low / 3.0 or odds > high * 2.0)


def test_sixty_percent_at_most_makes_three_quarters_implausible():
    """0.6 has odds of 1.5; twice that is 3, the odds of 0.75."""
    mfu = embedded().observed["mfu"]
    assert mfu.high == 0.6
    assert not is_far(0.749, mfu, POLICY)
    assert is_far(0.751, mfu, POLICY)


def test_a_mistake_that_leads_close_to_the_range_is_named_if_none_leads_inside():
    """An H100 for 25 thousand is below the 28,750 of the cheapest price, and not far from it."""
    (warning,) = implausible(request(supply={"kind": "owned", "usd_per_device": 25}))
    assert warning.observed.low == 28_750
    assert [one.value for one in warning.observed.likely] == [25_000]


@given(number=positive)
def test_a_likely_mistake_leads_inside_or_else_near_and_nearest_to_the_middle_first(number):
    rows = embedded().observed[f"usd_per_device_hour/{H100}"]
    found = likely_mistakes(number, rows, RATE_CHECK, POLICY)
    values = [number * factor for factor in RATE_CHECK.mistakes.values()]
    if any(rows.low <= value <= rows.high for value in values):
        assert all(rows.low <= one.value <= rows.high for one in found)
    assert not any(is_far(one.value, rows, POLICY) for one in found)
    assert all(one.value == number * RATE_CHECK.mistakes[one.mistake] for one in found)
    distances = [abs(math.log(one.value / rows.median)) for one in found]
    assert distances == pytest.approx(sorted(distances))


def test_a_warning_may_say_how_a_number_follows():
    argument = Argument(embedded())
    given_ = GivenNumber(1460.0, "/x", H100, RATE_CHECK)
    warn_if_far(argument, given_, because="the budget makes ")
    assert argument.warnings[0].detail.startswith("the budget makes 1,460 usd/device_hour")


# Where a given rate stands.

ROWS = (
    offer("a-new", "a", "d", 2.0, observed_on="2026-03-01"),
    offer("a-old", "a", "d", 9.0, observed_on="2025-01-01"),
    offer("a-reserved", "a", "d", 1.0, price_kind="reserved_1y", observed_on="2025-06-01"),
    offer("b", "b", "d", 3.0, observed_on="2026-01-15"),
    offer("b-spot", "b", "d", 0.2, price_kind="spot"),
    offer("c", "c", "d", 4.0, unit="eur/device_hour"),
    offer("host", "h", "d", 0.1),
    offer("other", "b", "e", 0.5),
)


def market():
    """Four comparable prices of `d`: $1, $2, $3 and 4 euros, which are $4.80."""
    catalog = world(device("d"), device("e"), device("f"), offers=ROWS, h="marketplace")
    return msgspec.structs.replace(catalog, asked_prices=asked_prices_in(catalog))


def at_rate(usd, accelerator="d"):
    supply = {"kind": "rate", "usd_per_device_hour": usd}
    asked = request(accelerator=accelerator, supply=supply) | {"options": {"bases": ["rental"]}}
    return answer(asked, market())


def test_a_given_rate_is_placed_among_the_newest_price_of_each_seller_and_term():
    (found,) = at_rate(2.5).rate_versus_market
    assert (found.cluster, found.accelerator) == ("/cluster", "d")
    assert found.figure == "request/cluster/supply/usd_per_device_hour"
    assert (found.usd_per_device_hour, found.share_below, found.count) == ("2.50", 0.5, 4)
    assert (found.lowest, found.median, found.highest) == ("1.00", "2.50", "4.80")
    assert found.newest == "2026-03-01"


def test_without_comparable_prices_or_a_given_rate_there_is_no_such_part():
    assert at_rate(2.5, "f").rate_versus_market == ()
    on_the_market = request(accelerator="d") | {"options": {"bases": ["rental"]}}
    assert answer(on_the_market, market()).rate_versus_market == ()


@pytest.mark.parametrize(("usd", "words"), [(0.9, "below all 4"), (5.0, "above all 4")])
def test_a_rate_outside_of_all_prices_is_warned_of(usd, words):
    (warning,) = (one for one in at_rate(usd).warnings if one.code == "rate_outside_market")
    assert words in warning.detail
    assert warning.pointer == RATE_AT


@pytest.mark.parametrize("usd", [1.0, 2.5, 4.8])
def test_a_rate_among_the_prices_is_not_warned_of(usd):
    assert "rate_outside_market" not in {one.code for one in at_rate(usd).warnings}


def test_two_prices_are_no_market_to_be_outside_of():
    supply = {"kind": "rate", "usd_per_device_hour": 9.0}
    quoted = answer(
        request(accelerator="e", supply=supply) | {"options": {"bases": ["rental"]}}, market()
    )
    assert quoted.rate_versus_market[0].count == 1
    assert "rate_outside_market" not in {one.code for one in quoted.warnings}


def test_one_rate_is_warned_of_once():
    """$1,460 is far from what the catalog holds; that it is above the market is the same thing."""
    codes = [one.code for one in answer(rate(1460), embedded()).warnings]
    assert "implausible_value" in codes
    assert "rate_outside_market" not in codes


@given(st.lists(positive, min_size=1), positive)
def test_the_share_below_counts_what_is_cheaper(usd, given_usd):
    prices = [AskedPrice(one, "2026-01-01", "id") for one in sorted(usd)]
    found = price_position(prices, given_usd)
    assert found.share_below == sum(one < given_usd for one in usd) / len(usd)
    assert (found.lowest, found.highest) == (min(usd), max(usd))


def test_comparable_prices_are_those_that_enter_the_market_statistic():
    catalog = embedded()
    by_id = {one.offer.id: one for some in catalog.listed.values() for one in some}
    for prices in catalog.asked_prices.values():
        rows = [catalog.offers[price.offer] for price in prices]
        stand = [by_id[row.id] for row in rows]
        assert {one.segment for one in stand} <= {"hyperscaler", "neocloud"}
        assert len({(one.seller, one.offer.price_kind) for one in stand}) == len(rows)
        assert all(row.complete and not row.sold_out for row in rows)


def test_the_ranges_are_made_once_at_the_start_and_cost_little(capsys):
    catalog = embedded()
    start = perf_counter()
    assert observed_in(catalog) == catalog.observed
    assert asked_prices_in(catalog) == catalog.asked_prices
    spent_ms = 1e3 * (perf_counter() - start)
    with capsys.disabled():
        print(f"\nranges of {len(catalog.offers)} offers and all other rows: {spent_ms:.1f} ms")


def test_a_month_has_the_hours_of_a_twelfth_of_a_year():
    assert pytest.approx(730.5) == HOURS_PER_MONTH
