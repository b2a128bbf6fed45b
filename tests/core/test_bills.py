"""Laws of the three bases side by side, read off whole quotes."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import PricedBill, UnpricedLine
from service.core.figures.vocabulary import BASES
from tests.worlds import answer, device, embedded, run_of, told, world

SITE = {"pue": 1.2, "usd_per_kwh": 0.08, "carbon_kg_co2e_per_kwh": 0.4}
H100 = {
    "accelerator": "nvidia-h100-sxm-80gb",
    "devices": 64,
    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
    "site": SITE,
}
STAGES = (
    {"name": "a", "work": {"kind": "metered", "device_hours": 90_000}},
    {"name": "b", "work": {"kind": "timed", "hours": 24}},
)


def quoted(*, cluster=None, bases=BASES, **accounting):
    request = run_of(*STAGES, cluster=H100 | (cluster or {}), bases=bases, **accounting)
    return json.loads(msgspec.json.encode(answer(request, embedded())))


def bills(**facts):
    return {bill["basis"]: bill for bill in quoted(**facts)["bases"]}


def by_item(bill):
    found: dict[str, Decimal] = {}
    for line in bill["lines"]:
        found[line["item"]] = found.get(line["item"], Decimal()) + Decimal(line["amount"])
    return found


def reasons(bill):
    return {line.reason for line in bill.lines if isinstance(line, UnpricedLine)}


def total(bill):
    return Decimal(bill["total"]["amount"])


COVERABLE = ("device_rental", "rounding", "unused_commitment", "storage", "transfer")
terms = st.fixed_dictionaries(
    {},
    optional={
        "years": st.floats(0.25, 30.0),
        "residual_share": st.floats(0.0, 0.95),
        "utilization": st.floats(0.01, 1.0),
        "convention": st.sampled_from(["straight_line", "epoch-2024"]),
        "usd_per_device": st.floats(1.0, 1e6),
        "price_includes_server": st.booleans(),
    },
)
accountings = st.fixed_dictionaries(
    {"owned": terms, "hardware": st.sampled_from(["rental", "owned"])},
    optional={
        "discounts": st.lists(
            st.fixed_dictionaries(
                {"label": st.just("d"), "share": st.floats(0.0, 1.0)},
                optional={"covers": st.sets(st.sampled_from(COVERABLE), min_size=1).map(list)},
            ),
            max_size=3,
        ),
        "uplifts": st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["tax", "markup"]),
                    "label": st.just("u"),
                    "share": st.floats(0.0, 1.0),
                }
            ),
            max_size=3,
        ),
        "storage": st.fixed_dictionaries({"gigabytes": st.floats(0.0, 1e9)}),
        "transfer": st.fixed_dictionaries({"gigabytes": st.floats(0.0, 1e9)}),
        "support": st.fixed_dictionaries({}, optional={"share": st.floats(0.0, 1.0)}),
        "commitment_hours": st.floats(1e-6, 1e5),
        "base_model": st.sampled_from(
            [
                {"kind": "amount", "usd": 5e6},
                {"kind": "none"},
                {"kind": "runs", "ids": ["deepseek-v3-pretrain", "deepseek-v3-context"]},
            ]
        ),
        "staff": st.sampled_from(
            [
                {"kind": "share", "share": 0.3},
                {"kind": "people", "people": 12.5, "months": 9},
                {"kind": "amount", "usd": 1e6},
            ]
        ),
        "data": st.sampled_from([{"kind": "ratio", "ratio": 0.1}, {"kind": "amount", "usd": 7}]),
    },
)


@settings(max_examples=40, deadline=None)
@given(accounting=accountings)
def test_parts_sum_to_totals_to_the_cent_in_every_basis_and_bridge(accounting):
    answered = quoted(**accounting)
    totals = {}
    for bill in answered["bases"]:
        priced = [line for line in bill["lines"] if line["status"] == "priced"]
        summed = sum(Decimal(line["amount"]) for line in priced)
        if bill["status"] == "priced":
            assert summed == total(bill)
            totals[bill["basis"]] = total(bill)
        else:
            assert bill["basis"] == "fully_loaded"
            assert summed == Decimal(bill["priced_lines_total"]["amount"])
            unpriced = [line for line in bill["lines"] if line["status"] != "priced"]
            assert {line["reason"] for line in unpriced} == {"size_below_known"}
    assert {(b["start_basis"], b["end_basis"]) for b in answered["bridges"]} == {
        ("rental", basis) for basis in totals if basis != "rental"
    }
    for bridge in answered["bridges"]:
        running = Decimal(bridge["start"]["amount"])
        assert running == totals[bridge["start_basis"]]
        for step in bridge["steps"]:
            running += Decimal(step["amount"])
            assert running == Decimal(step["running_total"])
        assert running == Decimal(bridge["end"]["amount"]) == totals[bridge["end_basis"]]
    for owned in answered["ownership"]:
        bought = owned["acquisition"]
        parts = (bought[part] for part in ("accelerators", "servers", "cluster_network"))
        assert sum(map(Decimal, parts)) == Decimal(bought["total"]["amount"])


@pytest.mark.parametrize("convention", ["straight_line", "epoch-2024"])
def test_doubling_the_tariff_doubles_the_energy_line_and_nothing_else(convention):
    once, twice = (
        bills(cluster={"site": SITE | {"usd_per_kwh": tariff}}, owned={"convention": convention})
        for tariff in (0.0625, 0.125)
    )
    for before, after in zip(once["owned"]["lines"], twice["owned"]["lines"], strict=True):
        if before["item"] == "energy":
            doubled = 2 * Decimal(before["amount"])
            assert abs(Decimal(after["amount"]) - doubled) <= Decimal("0.01")
        else:
            assert before == after
    assert once["rental"] == twice["rental"]


def test_owned_at_full_utilisation_never_costs_more_per_hour_than_at_half():
    full, half = (bills(owned={"utilization": use})["owned"] for use in (1.0, 0.5))
    assert total(full) < total(half)
    for item, amount in by_item(full).items():
        assert amount <= by_item(half)[item]


def test_carbon_scales_with_the_grid():
    clean, dirty = (
        quoted(cluster={"site": SITE | {"carbon_kg_co2e_per_kwh": grid}})["stages"]
        for grid in (0.25, 0.5)
    )
    for one, two in zip(clean, dirty, strict=True):
        carbon = [stage["carbon_kg_co2e"]["location_based"]["central"] for stage in (one, two)]
        assert carbon[1] == 2 * carbon[0]
        assert one["energy_kwh"] == two["energy_kwh"]


def test_it_and_overhead_sum_to_the_facility_and_stages_to_the_run():
    answered = quoted(embodied_carbon=True, cluster={"site": {"id": "aws:us-east-1"}})
    for stage in (*answered["stages"], answered["totals"]):
        energy = {part: stage["energy_kwh"][part]["central"] for part in stage["energy_kwh"]}
        assert energy["it"] + energy["overhead"] == energy["facility"]
    for kind in ("energy_kwh", "carbon_kg_co2e"):
        for part, whole in answered["totals"][kind].items():
            assert sum(s[kind][part]["central"] for s in answered["stages"]) == whole["central"]
    assert {"location_based", "embodied"} <= set(answered["totals"]["carbon_kg_co2e"])


def test_the_energy_line_bills_the_facility_kilowatt_hours_of_the_stage():
    answered = quoted()
    (owned,) = (bill for bill in answered["bases"] if bill["basis"] == "owned")
    lines = [line for line in owned["lines"] if line["item"] == "energy"]
    for line, stage in zip(lines, answered["stages"], strict=True):
        assert line["quantity"] == stage["energy_kwh"]["facility"]["central"]
        assert line["rate"] == "0.08"


@pytest.mark.parametrize("basis", BASES)
def test_no_basis_reads_anothers_lines(basis):
    """Alone or beside the others, a bill is the same; and only what is its own moves it."""
    alone, beside = bills(bases=(basis,))[basis], bills()[basis]
    for member in ("lines", "total", "interval", "excludes"):
        assert alone[member] == beside[member]
    assert [d["figure"] for d in alone["drivers"][:1]] == [
        d["figure"] for d in beside["drivers"][:1]
    ]
    moved = bills(
        owned={"years": 2, "usd_per_device": 60_000},
        experiments={"factor": 3},
        cluster={"supply": {"kind": "rate", "usd_per_device_hour": 4.0}},
    )
    changed: dict[str, dict[str, Any]] = {
        "rental": {"cluster": {"supply": {"kind": "rate", "usd_per_device_hour": 4.0}}},
        "owned": {"owned": {"years": 2, "usd_per_device": 60_000}},
        "fully_loaded": {
            "experiments": {"factor": 3},
            "cluster": {"supply": {"kind": "rate", "usd_per_device_hour": 4.0}},
        },
    }
    assert bills(**changed[basis])[basis]["lines"] == moved[basis]["lines"]


def test_the_fully_loaded_bill_holds_the_lines_of_the_chosen_hardware():
    for hardware in ("rental", "owned"):
        found = bills(hardware=hardware)
        own = found[hardware]["lines"]
        assert found["fully_loaded"]["lines"][: len(own)] == own
    owner = bills(cluster={"supply": {"kind": "owned", "years": 4}})
    assert owner["fully_loaded"]["lines"][0]["item"] == "accelerators"


def test_discounts_and_uplifts_are_labelled_and_given():
    answered = quoted(
        bases=("rental",),
        discounts=[{"label": "volume", "share": 0.1}, {"label": "prepaid", "share": 0.05}],
        uplifts=[{"kind": "markup", "label": "margin", "share": 0.2}],
    )
    (bill,) = answered["bases"]
    rent = Decimal(2 * (90_000 + 64 * 24))
    volume, prepaid, margin = bill["lines"][-3:]
    assert Decimal(volume["amount"]) == -rent / 10
    assert Decimal(prepaid["amount"]) == -(rent - rent / 10) / 20
    discounted = rent * Decimal("0.9") * Decimal("0.95")
    assert abs(Decimal(margin["amount"]) - discounted / 5) <= Decimal("0.005")
    assert [line["label"] for line in (volume, prepaid, margin)] == ["volume", "prepaid", "margin"]
    for kind in ("discounts", "uplifts"):
        figure = answered["figures"][f"request/accounting/{kind}/0/share"]
        assert figure["source"] == {"kind": "given", "pointer": f"/accounting/{kind}/0/share"}


def test_a_reserved_term_is_billed_to_its_end():
    run_hours = 90_000 / 64 + 24
    (bill,) = quoted(bases=("rental",), commitment_hours=2_000)["bases"]
    unused = bill["lines"][-1]
    assert unused["item"] == "unused_commitment"
    assert unused["quantity"] == pytest.approx(64 * (2_000 - run_hours))
    assert total(bill) == 64 * 2_000 * 2
    (bill,) = quoted(bases=("rental",), commitment_hours=100)["bases"]
    assert total(bill) == Decimal(2 * (90_000 + 64 * 24))
    reserved = {"supply": {"kind": "market", "term": "reserved_1y"}}
    (bill,) = quoted(bases=("rental",), cluster=reserved)["bases"]
    held = sum(line["quantity"] for line in bill["lines"])
    assert held == pytest.approx(64 * 8_766)


def test_storage_transfer_and_support_stand_in_the_bill_where_they_are_declared():
    (plain,) = quoted(bases=("rental",))["bases"]
    (bill,) = quoted(
        bases=("rental",),
        storage={"gigabytes": 1_000, "months": 3, "usd_per_gigabyte_month": 0.02},
        transfer={"gigabytes": 500},
        support={"share": 0.05},
    )["bases"]
    items = by_item(bill)
    assert items["storage"] == 60
    assert items["transfer"] == 45
    assert items["support"] == total(plain) / 20
    left_out = set(plain["excludes"]) - set(bill["excludes"])
    assert left_out == {"storage", "transfer"}


def test_what_a_fully_loaded_bill_leaves_to_defaults_has_a_source_and_a_wide_interval():
    answered = quoted()
    (bill,) = (bill for bill in answered["bases"] if bill["basis"] == "fully_loaded")
    for line in bill["lines"]:
        if line["item"] in {"experiments", "staff", "data"}:
            assert Decimal(line["interval"]["p10"]) < Decimal(line["interval"]["p90"])
    for name in ("experiment_factor", "staff_share", "data_ratio"):
        figure = answered["figures"][f"assumptions/fully_loaded.{name}"]
        assert figure["low"] < figure["value"] < figure["high"]
        assert figure["source"]["kind"] in {"published", "judged"}
        assert figure["pointer"].startswith("/accounting/")


def test_every_exclusion_has_a_source_and_most_an_amount_or_an_order_of_magnitude():
    rows = quoted()["exclusions"]
    assert all(row["source"] for row in rows)
    assert sum("amount" in row for row in rows) > len(rows) / 2
    assert not [row for row in rows if "amount" in row and "magnitude" in row]


def test_a_base_model_is_named_as_missing_unless_it_is_in_the_bill_or_there_is_none():
    def missing(**facts):
        return set(bills(**facts)["fully_loaded"]["excludes"])

    assert "base_model" in missing()
    assert "base_model" not in missing(base_model={"kind": "none"})
    amount = {"kind": "amount", "usd": 1e6}
    assert "base_model" not in missing(base_model=amount)
    assert "base_model_development" in missing(base_model=amount)
    assert "base_model_development" not in missing(base_model=amount | {"scope": "fully_loaded"})


def test_a_tariff_in_another_currency_is_converted_by_a_figure():
    answered = quoted(cluster={"site": {"id": "grid:gb"}})
    tariff = answered["figures"]["sites/grid:gb/price_per_kwh/usd"]
    native = answered["figures"]["sites/grid:gb/price_per_kwh"]
    rate = answered["figures"]["currencies/usd_per_gbp"]
    assert native["unit"] == "gbp/kwh"
    assert tariff["value"] == native["value"] * rate["value"]


def test_a_site_brings_market_based_and_marginal_carbon_where_it_has_them():
    scopes = {
        site.id: (
            site.market_based_carbon_kg_co2e_per_kwh is not msgspec.UNSET,
            site.marginal_carbon_kg_co2e_per_kwh is not msgspec.UNSET,
        )
        for site in embedded().sites.values()
    }
    with_both = next(id for id, has in scopes.items() if all(has))
    with_none = next(id for id, has in scopes.items() if not any(has))
    for id, expected in ((with_both, True), (with_none, False)):
        carbon = quoted(cluster={"site": {"id": id}})["stages"][0]["carbon_kg_co2e"]
        assert ("market_based" in carbon, "marginal" in carbon) == (expected, expected)


def test_market_based_carbon_names_the_operator_who_claims_it():
    answered = quoted(cluster={"site": {"id": "aws:us-east-1"}})
    claimed = [one["carbon_kg_co2e"] for one in (*answered["stages"], answered["totals"])]
    assert [one["market_based"]["claimed_by"] for one in claimed] == [["aws"]] * 3
    assert not any("claimed_by" in one["location_based"] for one in claimed)


def test_a_sum_of_market_based_carbon_names_all_who_claim_a_part():
    stages = [
        {**stage, "cluster": H100 | {"site": {"id": site}}}
        for stage, site in zip(STAGES, ("aws:us-east-1", "gcp:asia-east1"), strict=True)
    ]
    totals = msgspec.to_builtins(answer(run_of(*stages, cluster=H100), embedded()).totals)
    assert totals["carbon_kg_co2e"]["market_based"]["claimed_by"] == ("aws", "gcp")


def test_a_device_that_nobody_sells_leaves_the_owned_bill_without_a_total():
    catalog = world(device("d1"))
    request = run_of(STAGES[0], cluster=H100 | {"accelerator": "d1"}, bases=BASES)
    rental, owned, loaded = answer(request, catalog).bases
    assert isinstance(rental, PricedBill)
    assert isinstance(loaded, PricedBill)
    assert not isinstance(owned, PricedBill)
    assert reasons(owned) == {"no_purchase_price", "power_unknown"}
    request["accounting"] = {"hardware": "owned"}
    loaded = answer(request, catalog).bases[2]
    assert "depends_on_an_unpriced_line" in reasons(loaded)


def test_lines_that_wait_for_the_price_of_hardware_are_told_once_with_all_their_places():
    catalog = world(device("d1"))
    request = run_of(STAGES[0], cluster=H100 | {"accelerator": "d1"}, bases=("fully_loaded",))
    request["accounting"] = {"hardware": "owned"}
    waiting = [one for one in told(answer(request, catalog)) if "are shares of" in one.detail]
    assert [(one.code, one.pointer, one.also_at) for one in waiting] == [
        (
            "unpriced_line",
            "/accounting/data",
            ("/accounting/experiments/factor", "/accounting/staff"),
        )
    ]


def test_at_the_break_even_utilisation_owning_costs_the_rent():
    even = quoted(owned={"utilization": 0.6})["ownership"][0]["break_even"]
    at = quoted(owned={"utilization": min(even["utilization"]["central"], 1.0)})
    owned = at["ownership"][0]
    assert even["utilization"]["central"] < 1.0
    assert owned["usd_per_device_hour"]["central"] == pytest.approx(2.0)


def test_the_implied_rate_is_the_bill_over_its_device_hours():
    for convention in ("straight_line", "epoch-2024"):
        answered = quoted(owned={"convention": convention})
        rate = answered["ownership"][0]["usd_per_device_hour"]["central"]
        hours = 90_000 + 64 * 24
        (owned,) = (bill for bill in answered["bases"] if bill["basis"] == "owned")
        assert rate * hours == pytest.approx(float(total(owned)), abs=0.2)


def test_own_numbers_go_before_those_of_the_site():
    site = {"id": "aws:us-east-1", "pue": 1.5}
    answered = quoted(cluster={"site": site})
    energy = answered["stages"][0]["energy_kwh"]
    assert energy["facility"]["central"] == pytest.approx(1.5 * energy["it"]["central"])
    assert "assumed_site" not in {note["code"] for note in answered["notes"]}


def test_a_base_quote_without_a_rental_total_is_a_state():
    request = run_of(*STAGES, cluster=H100, bases=BASES)
    request["accounting"] = {"base_model": {"kind": "quote", "id": "q_" + "0" * 64}}
    loaded = answer(request, embedded()).bases[2]
    assert not isinstance(loaded, PricedBill)
    assert "base_model_cost_unknown" in {
        line.reason
        for line in loaded.lines
        if isinstance(line, UnpricedLine) and line.item == "base_model"
    }


def test_a_lump_sum_is_counted_once():
    amounts = {
        "base_model": {"kind": "amount", "usd": 1e6},
        "staff": {"kind": "amount", "usd": 2e5},
        "data": {"kind": "amount", "usd": 7},
    }
    found = by_item(bills(**amounts)["fully_loaded"])
    assert {item: found[item] for item in amounts} == {
        "base_model": Decimal(1_000_000),
        "staff": Decimal(200_000),
        "data": Decimal(7),
    }


def test_epoch_2024_breaks_even_by_the_calendar_hour_as_if_always_used():
    """What is held is paid for all hours: owned less energy, over rented less energy."""
    answered = quoted(owned={"convention": "epoch-2024"})
    (ownership,) = answered["ownership"]
    owned = ownership["usd_per_device_hour"]["central"]
    (energy,) = (
        figure["value"]
        for name, figure in answered["figures"].items()
        if name.endswith("/energy_usd_per_device_hour")
    )
    even = ownership["break_even"]
    assert even["utilization"]["central"] == pytest.approx((owned - energy) / (2.0 - energy))
    bought = float(ownership["acquisition"]["total"]["amount"]) / 64
    upkeep = energy  # the convention has neither hosting nor maintenance
    assert even["months"]["central"] == pytest.approx(bought / ((2.0 - upkeep) * 730.5), rel=1e-6)
