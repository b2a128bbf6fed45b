"""What is sold of a cluster: whole instances and systems, whole increments of a seller's clock."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from service.core.bills.sold import billed_hours, devices_sold, rounding_device_hours, usual_node
from service.core.catalog.catalog import BillingTerms
from tests.worlds import answer, datum, device, embedded, number, offer, priced, run_of, told, world

H100 = "nvidia-h100-sxm-80gb"
P5 = "aws-us-east-1-p5-48xlarge-on-demand-2026-07"  # 8 devices at $6.88 each
BLOCK = "aws-us-east-1-p5-48xlarge-capacity-block-2024-12"  # 8 devices at $4.9162 each
ALL = ("rental", "owned", "fully_loaded")
DAY = 86_400.0


def timed(hours):
    return {"work": {"kind": "timed", "hours": hours}}


def of_offer(id, devices, accelerator=H100):
    return {
        "accelerator": accelerator,
        "devices": devices,
        "supply": {"kind": "offer", "id": id},
    }


def at_rate(devices, **more):
    supply = {"kind": "rate", "usd_per_device_hour": 2.0} | more
    return {"accelerator": H100, "devices": devices, "supply": supply}


def bill_of(cluster, hours, *, basis="rental", catalog=None, **accounting):
    request = run_of(timed(hours), cluster=cluster, bases=(basis,), **accounting)
    (bill,) = answer(request, catalog or embedded()).bases
    return priced(bill)


def amounts(bill):
    return [(line.item, Decimal(line.amount)) for line in bill.lines]


def total(bill):
    assert sum(amount for _, amount in amounts(bill)) == Decimal(bill.total.amount)
    return Decimal(bill.total.amount)


def terms_of(increment, minimum=None, **long):
    named = {"increment_seconds": increment, "minimum_seconds": minimum or increment, **long}
    return BillingTerms(
        rank=0, **{name: datum(f"billing/{name}", value, "second") for name, value in named.items()}
    )


def test_one_device_of_an_instance_of_eight_pays_for_eight():
    """10 h x $6.88 = $68.80 are used, 8 x 10 h x $6.88 = $550.40 are billed."""
    bill = bill_of(of_offer(P5, 1), 10)
    assert amounts(bill) == [
        ("device_rental", Decimal("68.80")),
        ("rounding", Decimal("481.60")),
    ]
    assert total(bill) == Decimal("550.40")
    assert bill.lines[1].detail == "1 instance of 8 devices is paid for, the run holds 1"
    exact = bill_of(of_offer(P5, 1), 10, billing="exact")
    assert amounts(exact) == [("device_rental", Decimal("68.80"))]


def test_a_hundred_devices_of_a_kind_that_comes_in_eights_are_billed_as_104():
    """$3.29 is the median at the market: 100 x 10 h and 4 x 10 h beside."""
    market = {"accelerator": H100, "devices": 100}
    rental, rounding = bill_of(market, 10).lines
    assert (rental.quantity, rounding.quantity) == (1000, 40)
    assert rental.rate == rounding.rate
    assert [item for item, _ in amounts(bill_of(market | {"devices": 104}, 10))] == [
        "device_rental"
    ]


@pytest.mark.parametrize(
    ("sizes", "devices", "billed"),
    [
        ({"a": [1, 8], "b": [8]}, 1, 1),  # the smallest instance on sale that holds them
        ({"a": [1, 8], "b": [8]}, 2, 8),
        ({"a": [1, 2, 4, 8]}, 3, 4),
        ({"a": [8], "b": [8], "c": [16]}, 9, 16),  # two nodes of eight: most sellers' largest
        ({"a": [8], "b": [8], "c": [16]}, 17, 24),
        ({"a": [4], "b": [8]}, 5, 8),  # as many votes: the smaller is the node, twice
        ({"a": [1], "b": [1]}, 100, 100),  # price lists by the device name no instance
        ({"a": [72]}, 100, 144),
    ],
)
def test_a_market_sells_the_smallest_instance_that_holds_the_devices_or_whole_nodes(
    sizes, devices, billed
):
    offers = tuple(
        offer(f"{seller}-{size}", seller, "d1", 2.0, devices=size)
        for seller, on_sale in sizes.items()
        for size in on_sale
    )
    bill = bill_of(
        {"accelerator": "d1", "devices": devices}, 1, catalog=world(device("d1"), offers=offers)
    )
    assert total(bill) == 2 * billed


def test_a_market_of_one_seller_by_the_device_has_the_node_of_the_others():
    offers = (offer("a", "a", "d1", 2.0), offer("b", "b", "d1", 3.0, devices=8))
    cluster = {"accelerator": "d1", "supply": {"kind": "market", "provider": "a"}}
    catalog = world(device("d1"), offers=offers)
    billed = {n: total(bill_of(cluster | {"devices": n}, 1, catalog=catalog)) for n in (1, 3, 9)}
    assert billed == {1: 2, 3: 16, 9: 32}


def listed_in(catalog):
    return [one for some in catalog.listed.values() for one in some]


def test_a_seller_votes_once_for_the_node():
    offers = [offer("a1", "a", "d1", 2.0, devices=4), offer("a2", "a", "d1", 2.0, devices=2)]
    offers += [offer("b", "b", "d1", 2.0, devices=8), offer("c", "c", "d1", 2.0, devices=8)]
    node = usual_node(listed_in(world(device("d1"), offers=tuple(offers))))
    assert node is not None
    assert node.devices == 8
    lone = offer("a", "a", "d1", 2.0)
    assert usual_node(listed_in(world(device("d1"), offers=(lone,)))) is None


def test_racks_of_72_are_rented_and_owned_whole():
    """An offer by the rack: 144 x 25 h at $10. The owner of 100 has two racks of 72, too."""
    rack = offer("rack", "a", "nvidia-gb200", 10.0, devices=72)
    catalog = replace(embedded(), offers=embedded().offers | {"rack": rack})
    catalog = replace(catalog, providers=catalog.providers | world(offers=(rack,)).providers)
    assert total(bill_of(of_offer("rack", 100, "nvidia-gb200"), 25, catalog=catalog)) == 36_000
    bill = bill_of({"accelerator": "nvidia-gb200", "devices": 100}, 25, basis="owned")
    (rounding,) = (line for line in bill.lines if line.item == "rounding")
    assert rounding.quantity == 44 * 25
    assert rounding.detail.startswith("2 systems of 72 devices are paid for, the run holds 100")


def test_what_an_owner_pays_for_idle_devices_is_all_but_their_energy():
    """One H100 in a server of eight: seven more at the rates of everything but energy.

    Six lines are rounded by half a cent at most, seven times.
    """
    bill = bill_of({"accelerator": H100, "devices": 1}, 1000, basis="owned")
    found = dict(amounts(bill))
    held = sum(amount for item, amount in found.items() if item not in ("energy", "rounding"))
    assert found["rounding"] == pytest.approx(7 * held, abs=Decimal("0.21"))
    exact = bill_of({"accelerator": H100, "devices": 1}, 1000, basis="owned", billing="exact")
    assert dict(amounts(exact)) == {k: v for k, v in found.items() if k != "rounding"}


def test_owning_a_part_of_a_server_is_told_as_the_whole_server():
    request = run_of(timed(1000), cluster={"accelerator": H100, "devices": 100}, bases=ALL)
    quoted = answer(request, embedded())
    exact = answer(request | {"accounting": {"billing": "exact"}}, embedded())
    (owned,), (plain,) = quoted.ownership, exact.ownership
    assert (owned.devices, owned.devices_bought, plain.devices_bought) == (100, 104, 100)
    assert Decimal(owned.acquisition.total.amount) == pytest.approx(
        Decimal(plain.acquisition.total.amount) * 104 / 100, abs=Decimal("0.02")
    )
    bill = priced(quoted.bases[1])
    per_hour = Decimal(bill.total.amount) / 100_000
    assert owned.usd_per_device_hour is not UNSET
    assert owned.usd_per_device_hour.central == pytest.approx(float(per_hour), rel=1e-6)


def test_a_capacity_block_of_25_hours_is_billed_as_48():
    """8 x 25 h x $4.9162 = $983.24 are used, and 8 x 23 h = $904.58 are paid beside."""
    bill = bill_of(of_offer(BLOCK, 8), 25)
    assert amounts(bill) == [
        ("device_rental", Decimal("983.24")),
        ("rounding", Decimal("904.58")),
    ]
    assert bill.lines[1].detail == "25 hours are billed as 48"
    assert [item for item, _ in amounts(bill_of(of_offer(BLOCK, 8), 48))] == ["device_rental"]


@pytest.mark.parametrize(
    ("hours", "billed"), [(1, 24), (24, 24), (25, 48), (14 * 24, 336), (14 * 24 + 1, 21 * 24)]
)
def test_capacity_blocks_are_in_days_up_to_two_weeks_and_in_weeks_beyond(hours, billed):
    assert billed_hours(
        held_hours=float(hours),
        increment_seconds=DAY,
        minimum_seconds=DAY,
        long_after_seconds=14 * DAY,
        long_increment_seconds=7 * DAY,
    ) == pytest.approx(billed)


@pytest.mark.parametrize(
    ("terms", "billed"),
    [
        (terms_of(3600.0), Decimal(4)),  # 1.25 h are two hours
        (terms_of(60.0), Decimal("2.50")),  # 75 minutes are whole
        (terms_of(1.0), Decimal("2.50")),
        (terms_of(1.0, 7200.0), Decimal(4)),  # at least two hours
        (None, Decimal("2.50")),  # nobody says
    ],
)
def test_hours_are_billed_in_the_increments_that_a_seller_documents(terms, billed):
    catalog = world(device("d1"), offers=(offer("o", "a", "d1", 2.0),))
    catalog = replace(catalog, billing={} if terms is None else {"a/": terms})
    request = run_of(timed(1.25), cluster=of_offer("o", 1, "d1"))
    quoted = answer(request, catalog)
    assert total(priced(quoted.bases[0])) == billed
    codes = {warning.code for warning in told(quoted)}
    assert ("billing_increment_unknown" in codes) == (terms is None)


def test_of_several_sellers_the_one_in_the_middle_says_how_time_is_counted():
    catalog = world(device("d1"), offers=tuple(offer(s, s, "d1", 2.0) for s in "abcd"))
    steps = {"a": 1.0, "b": 60.0, "c": 3600.0}
    ranked = {
        f"{seller}/": replace(terms_of(step), rank=rank)
        for rank, (seller, step) in enumerate(steps.items())
    }
    catalog = replace(catalog, billing=ranked)
    bill = bill_of({"accelerator": "d1", "devices": 1}, 1.001, catalog=catalog)
    assert bill.lines[1].detail == "1.001 hours are billed as 1.01667"  # 61 minutes


def test_stages_on_one_cluster_are_rounded_together_and_after_the_last_of_them():
    """0.6 h and 0.6 h on the run's cluster are 1.2 h, billed as 2; 0.5 h elsewhere as 1."""
    catalog = world(device("d1"), offers=(offer("o", "a", "d1", 2.0),))
    catalog = replace(catalog, billing={"a/": terms_of(3600.0)})
    own = of_offer("o", 1, "d1")
    stages = (timed(0.6), timed(0.5) | {"cluster": own}, timed(0.6))
    (bill,) = answer(run_of(*stages, cluster=own), catalog).bases
    found = [(line.item, line.stage, line.quantity) for line in priced(bill).lines]
    assert [(item, stage) for item, stage, _ in found] == [
        ("device_rental", "stage 0"),
        ("device_rental", "stage 1"),
        ("rounding", "stage 1"),
        ("device_rental", "stage 2"),
        ("rounding", UNSET),
    ]
    assert [found[2][2], found[4][2]] == pytest.approx([0.5, 0.8])


def test_a_rounding_that_is_only_likely_is_in_the_bill():
    """24 h are a whole day, and the 23 to 26 h of the request are one day or two."""
    hours = {"low": 23, "high": 26, "central": 24}
    bill = bill_of(of_offer(BLOCK, 8), hours)
    assert amounts(bill)[1] == ("rounding", Decimal("0.00"))
    assert Decimal(bill.lines[1].interval.p90) > 0


def test_a_reservation_of_100_devices_is_one_of_104():
    """$2 x 104 x 1,000 h, of which the run of 10 h uses 100 x 10."""
    bill = bill_of(at_rate(100, devices_per_instance=8), 10, commitment_hours=1000)
    assert amounts(bill) == [
        ("device_rental", Decimal(2_000)),
        ("rounding", Decimal(80)),
        ("unused_commitment", Decimal(2 * 104 * 990)),
    ]
    exact = bill_of(
        at_rate(100, devices_per_instance=8), 10, commitment_hours=1000, billing="exact"
    )
    assert amounts(exact) == [
        ("device_rental", Decimal(2_000)),
        ("unused_commitment", Decimal(2 * 100 * 990)),
    ]


def test_a_rate_of_ones_own_is_billed_as_given_and_says_so():
    request = run_of(timed(10), cluster=at_rate(100))
    quoted = answer(request, embedded())
    assert total(priced(quoted.bases[0])) == 2_000
    (note,) = (one for one in quoted.notes if one.code == "instance_size_unknown")
    assert "rent instances of 8" in note.detail
    for devices, more in ((104, {}), (100, {"devices_per_instance": 4}), (1, {})):
        request = run_of(timed(10), cluster=at_rate(devices, **more))
        codes = {one.code for one in answer(request, embedded()).notes}
        assert "instance_size_unknown" not in codes


def test_rounding_is_part_of_the_runs_own_compute():
    """(68.80 + 481.60) x 1.2 are the experiments of a factor of 2.2."""
    one_dollar = {"kind": "amount", "usd": 1}
    accounting = {"experiments": {"factor": 2.2}, "staff": one_dollar, "data": one_dollar}
    bill = bill_of(of_offer(P5, 1), 10, basis="fully_loaded", **accounting)
    assert dict(amounts(bill))["experiments"] == Decimal("660.48")


counts = st.integers(1, 100_000)
sizes = st.integers(1, 1000)
hours = st.floats(1e-3, 1e5)
increments = st.sampled_from([1.0, 60.0, 600.0, 3600.0, DAY])


@given(devices=counts, size=sizes)
def test_whole_pieces_hold_the_devices_and_have_less_than_one_piece_too_many(devices, size):
    sold = devices_sold(devices=float(devices), devices_per_piece=float(size))
    assert sold % size == 0
    assert 0 <= sold - devices < size


@given(held=hours, increment=increments, minimum=increments)
def test_billed_hours_are_never_less_than_held_and_less_than_an_increment_more(
    held, increment, minimum
):
    billed = billed_hours(held_hours=held, increment_seconds=increment, minimum_seconds=minimum)
    least = max(held, minimum / 3600)
    assert billed >= least * (1 - 2e-9)
    assert billed - least <= (increment / 3600 if increment > 1 else 0) + 1e-9 * billed


@given(count=st.integers(1, 10_000), increment=increments, pieces=counts, size=sizes)
def test_whole_multiples_are_not_rounded(count, increment, pieces, size):
    devices, held = float(pieces * size), count * increment / 3600
    beyond = rounding_device_hours(
        devices_sold=devices_sold(devices=devices, devices_per_piece=float(size)),
        billed_hours=billed_hours(
            held_hours=held, increment_seconds=increment, minimum_seconds=increment
        ),
        devices=devices,
        held_hours=held,
    )
    assert beyond == 0.0


@given(devices=counts, size=sizes, held=hours, increment=increments)
def test_rounding_is_never_negative_and_makes_up_the_whole(devices, size, held, increment):
    sold = devices_sold(devices=float(devices), devices_per_piece=float(size))
    billed = billed_hours(held_hours=held, increment_seconds=increment, minimum_seconds=increment)
    beyond = rounding_device_hours(
        devices_sold=sold, billed_hours=billed, devices=float(devices), held_hours=held
    )
    assert beyond >= 0.0
    assert devices * held + beyond == pytest.approx(sold * billed, rel=1e-8)


@given(held=st.lists(hours, min_size=2, max_size=2), increment=increments)
def test_a_longer_run_is_never_billed_less(held, increment):
    bills = [
        billed_hours(held_hours=one, increment_seconds=increment, minimum_seconds=increment)
        for one in sorted(held)
    ]
    assert all(before <= after * (1 + 1e-9) for before, after in pairwise(bills))


def test_the_catalog_knows_systems_and_the_clocks_of_sellers():
    catalog = embedded()
    sizes = {key: number(rows[0].devices) for key, rows in catalog.systems_by_accelerator.items()}
    assert (sizes["nvidia-gb200"], sizes[H100]) == (72, 8)
    block = catalog.billing_terms("aws", "capacity_block")
    assert block is not None
    assert block != catalog.billing_terms("aws", "on_demand")
    assert catalog.billing_terms("coreweave", "on_demand") is None


@given(
    devices=st.integers(1, 200),
    hours=st.floats(1e-5, 1e4),
    supply=st.sampled_from(
        [
            {"kind": "market"},
            {"kind": "offer", "id": P5},
            {"kind": "offer", "id": BLOCK},
            {"kind": "rate", "usd_per_device_hour": 0.003, "devices_per_instance": 8},
            {"kind": "owned"},
        ]
    ),
)
@settings(max_examples=40)
def test_printed_lines_add_up_to_the_total_and_bridges_lead_from_total_to_total(
    devices, hours, supply
):
    half_a_dollar = {"kind": "amount", "usd": 0.5}
    cluster = {"accelerator": H100, "devices": devices, "supply": supply}
    quoted = answer(
        run_of(timed(hours), cluster=cluster, bases=ALL, staff=half_a_dollar, data=half_a_dollar),
        embedded(),
    )
    totals = {bill.basis: total(priced(bill)) for bill in quoted.bases}
    for bill in quoted.bases:
        roundings = [amount for item, amount in amounts(priced(bill)) if item == "rounding"]
        assert len(roundings) <= 1
        assert all(amount >= 0 for amount in roundings)
    for bridge in quoted.bridges:
        steps = sum(Decimal(step.amount) for step in bridge.steps)
        assert totals[bridge.start_basis] + steps == totals[bridge.end_basis]
