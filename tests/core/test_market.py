"""Who votes in a market, at which price, and what a quote says of it (docs/market.md)."""

import math
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import PricedBill, PricedLine, UnpricedBill, UnpricedLine
from service.core.catalog.catalog import SEGMENT_OF_OPERATORS, Commitment, Provider, ProviderKind
from service.core.catalog.dates import day_of
from service.core.catalog.market import (
    COMMITTED,
    LEFT_OUT,
    OLD_DAYS,
    Wanted,
    makes,
    panel_of,
)
from tests.worlds import (
    answer,
    datum,
    device,
    embedded,
    listing,
    number,
    offer,
    priced,
    run_of,
    told,
    world,
)

H100 = "nvidia-h100-sxm-80gb"
HOURS_OF_A_YEAR = 8766.0
METERED = {"work": {"kind": "metered", "device_hours": 10}}
DEVICES = tuple(embedded().price_rows)
SIZES = (1, 4, 8, 16, 72, 512, 4096)
TERMS = ("on_demand", "spot", "capacity_block", *COMMITTED)


def market(devices=8, accelerator="d", catalog=None, **terms):
    """The quote of ten device-hours on the market, over a catalog."""
    cluster = {
        "accelerator": accelerator,
        "devices": devices,
        "supply": {"kind": "market", **terms},
    }
    return answer(run_of(METERED, cluster=cluster), catalog or embedded())


def sellers(quoted):
    (found,) = quoted.markets
    return {vote.seller: float(vote.usd_per_device_hour) for vote in found.votes}


def left_out(quoted):
    (found,) = quoted.markets
    return {one.reason: set(one.sellers) for one in found.left_out}


def codes(quoted):
    return {one.code: one for one in told(quoted)}


def with_sellers(catalog, *rows: Provider):
    return listing(
        msgspec.structs.replace(catalog, providers=catalog.providers | {r.id: r for r in rows})
    )


# Laws over the catalog.

any_market = given(
    accelerator=st.sampled_from(DEVICES),
    devices=st.sampled_from(SIZES),
    term=st.sampled_from(TERMS),
)


@any_market
def test_every_operator_has_one_vote(accelerator, devices, term):
    catalog = embedded()
    panel = panel_of(catalog, Wanted(accelerator=accelerator, devices=devices, term=term))
    voters = [seat.seller for seat in panel.seats]
    assert len(voters) == len(set(voters))
    for name in voters:
        seller = catalog.providers[name]
        assert seller.kind in SEGMENT_OF_OPERATORS
        assert not seller.operator, f"{name} is another name of {seller.operator}"


@any_market
def test_only_complete_prices_of_what_can_be_had_vote(accelerator, devices, term):
    catalog = embedded()
    panel = panel_of(catalog, Wanted(accelerator=accelerator, devices=devices, term=term))
    for seat in panel.seats:
        row = seat.offer
        assert row.complete
        assert not row.sold_out
        assert row.accelerator == accelerator
        assert row.min_devices <= devices
        made = makes(catalog, row, devices)
        assert made != "no"
        assert seat.network_known == (made == "yes")
        assert made == "yes" or devices > row.devices


@any_market
def test_nobody_both_votes_and_is_left_out(accelerator, devices, term):
    panel = panel_of(embedded(), Wanted(accelerator=accelerator, devices=devices, term=term))
    votes = {seat.seller for seat in panel.seats}
    refused = [name for names in panel.left_out.values() for name in names]
    assert votes.isdisjoint(refused)
    assert len(refused) == len(set(refused))
    assert [*panel.left_out] == [reason for reason in LEFT_OUT if reason in panel.left_out]


@any_market
def test_the_votes_are_of_one_year(accelerator, devices, term):
    panel = panel_of(embedded(), Wanted(accelerator=accelerator, devices=devices, term=term))
    days = [day_of(seat.offer.observed_on) for seat in panel.seats]
    if days and term not in COMMITTED:
        assert (max(days) - min(days)).days <= OLD_DAYS


@given(
    accelerator=st.sampled_from(DEVICES),
    devices=st.sampled_from(SIZES),
    term=st.sampled_from(COMMITTED),
)
def test_a_commitment_costs_no_more_than_on_demand_unless_the_seller_says_so(
    accelerator, devices, term
):
    catalog = embedded()
    wanted = Wanted(accelerator=accelerator, devices=devices, term=term)
    on_demand = panel_of(catalog, msgspec.structs.replace(wanted, term="on_demand")).seats
    committed = panel_of(catalog, wanted).seats
    if on_demand:
        assert [seat.seller for seat in committed] == [seat.seller for seat in on_demand]
    for seat in committed:
        if seat.basis == "own_price":
            assert seat.offer.price_kind == term
            continue
        assert seat.offer.price_kind == "on_demand"
        ratio = 1.0 if seat.over_on_demand is None else number(seat.over_on_demand)
        assert 0.0 < ratio <= 1.0


@pytest.mark.parametrize("accelerator", [H100, "nvidia-b200-sxm", "amd-mi300x", "nvidia-l40s"])
@pytest.mark.parametrize("devices", [8, 512])
def test_the_quote_says_who_votes_and_adds_up(accelerator, devices):
    quoted = market(devices, accelerator)
    (found,) = quoted.markets
    prices = [float(vote.usd_per_device_hour) for vote in found.votes]
    assert prices == sorted(prices)
    assert float(found.usd_per_device_hour) == pytest.approx(median(prices))
    line = priced(quoted.bases[0]).lines[0]
    assert isinstance(line, PricedLine)
    assert line.rate == found.usd_per_device_hour
    for vote in found.votes:
        assert quoted.figures[vote.figure].value == pytest.approx(float(vote.usd_per_device_hour))
        assert vote.offer in embedded().offers
    dates = [vote.observed_on for vote in found.votes]
    assert (found.oldest, found.newest) == (min(dates), max(dates))
    for one in found.segments:
        of_it = [p for v, p in zip(found.votes, prices, strict=True) if v.segment == one.segment]
        if of_it:
            assert one.count == len(of_it)
            assert float(one.median) == pytest.approx(median(of_it), abs=1e-6)
    unknown = [vote.seller for vote in found.votes if vote.makes_cluster == "unknown"]
    assert ("network_unknown" in codes(quoted)) == bool(unknown)


# The rows of the issue.


def test_verda_and_datacrunch_are_one_operator_with_one_vote():
    quoted = market(8, H100)
    assert "verda" in sellers(quoted)
    assert "datacrunch" not in sellers(quoted)
    of_verda = market(8, H100, provider="datacrunch")
    assert sellers(of_verda) == {"verda": sellers(quoted)["verda"]}


def test_a_reseller_and_brokers_stand_behind_the_operators_own_prices():
    """A reseller lists Verda's prices times 0.99, a broker Nebius' at $2.118: neither votes."""
    quoted = market(8, H100)
    assert left_out(quoted)["behind_operator"] == {"dataoorts", "primeintellect", "shadeform"}
    assert sellers(quoted)["nebius"] == 4.5
    assert all(
        vote.through in ("primeintellect", msgspec.UNSET) for vote in quoted.markets[0].votes
    )


def test_4096_devices_are_not_made_of_single_instances():
    quoted = market(4096, H100)
    assert "jarvis-labs" in left_out(quoted)["single_node"]
    for vote in quoted.markets[0].votes:
        assert makes(embedded(), embedded().offers[vote.offer], 4096) != "no"
    assert "network_unknown" in codes(quoted)
    warned = codes(quoted)["network_unknown"].detail
    assert "runpod" in warned
    sure = [
        float(vote.usd_per_device_hour)
        for vote in quoted.markets[0].votes
        if vote.makes_cluster == "yes"
    ]
    assert f"of the {len(sure)} that do the median is {median(sure):.2f}" in warned


@pytest.mark.parametrize(
    ("id", "code"),
    [
        ("aws-us-east-1-p5-4xlarge-on-demand-2026-10", "offer_too_small"),
        ("runpod-global-nvidia-h100-sxm-80gb-on-demand-2026-10", "network_unknown"),
        ("lambda-all-regions-1-click-cluster-h100-256-on-demand-2026-09", "offer_too_small"),
    ],
)
def test_an_offer_that_does_not_make_the_cluster_is_warned_of(id, code):
    devices = 128 if "256" in id else 4096
    cluster = {"accelerator": H100, "devices": devices, "supply": {"kind": "offer", "id": id}}
    quoted = answer(run_of(METERED, cluster=cluster), embedded())
    assert code in codes(quoted)
    fine = {"accelerator": H100, "devices": 1 if devices == 4096 else 256}
    cluster |= fine
    quoted = answer(run_of(METERED, cluster=cluster), embedded())
    assert not {"offer_too_small", "network_unknown"} & set(codes(quoted))


def test_gb300_costs_no_less_than_gb200():
    """By Azure's contract list and OCI alone GB200 was $21.52, against GB300 at $7.99."""
    gb200, gb300 = (market(72, f"nvidia-{name}") for name in ("gb200", "gb300"))
    assert len(sellers(gb200)) >= 4
    assert "thin_market" not in codes(gb200)
    assert "thin_market" in codes(gb300)
    assert float(gb200.markets[0].usd_per_device_hour) < float(gb300.markets[0].usd_per_device_hour)


def test_a_year_of_h100_costs_less_reserved_than_on_demand():
    """512 for a year: $30.5M reserved, of one component, against $11.8M, is now the other way."""
    stage = {"work": {"kind": "timed", "hours": HOURS_OF_A_YEAR}}
    totals = {}
    for term in ("on_demand", "reserved_1y", "reserved_3y"):
        cluster = {"accelerator": H100, "devices": 512, "supply": {"kind": "market", "term": term}}
        quoted = answer(run_of(stage, cluster=cluster), embedded())
        totals[term] = float(priced(quoted.bases[0]).total.amount)
        found = quoted.markets[0]
        assert all(embedded().offers[vote.offer].complete for vote in found.votes)
        assert len(found.votes) >= 20
        assert ("term_derived" in codes(quoted)) == (term != "on_demand")
    assert totals["reserved_1y"] < totals["on_demand"]
    assert 16e6 < totals["on_demand"] < 19e6
    assert 13e6 < totals["reserved_1y"] < 16e6
    assert totals["reserved_3y"] > totals["reserved_1y"], "three years are paid, and one is used"


@pytest.mark.parametrize("accelerator", [H100, "nvidia-h200-sxm-141gb", "nvidia-b200-sxm"])
@pytest.mark.parametrize("seller", ["aws", "azure", "coreweave", "vultr"])
def test_hyperscalers_have_spot_prices_where_one_was_seen(accelerator, seller):
    rows = [row for row in embedded().listed.get(f"{accelerator}/spot", ()) if row.seller == seller]
    quoted = market(8, accelerator, term="spot", provider=seller)
    (bill,) = quoted.bases
    if rows:
        assert isinstance(bill, PricedBill)
    else:
        assert isinstance(bill, UnpricedBill)
        line = bill.lines[0]
        assert isinstance(line, UnpricedLine)
        assert line.reason == "no_offer_under_these_terms"


@pytest.mark.parametrize(
    "id",
    [
        "nvidia-rtx-3090", "nvidia-h20-96gb", "nvidia-gb300", "amd-mi350x", "amd-mi355x",
        "google-tpu-v7", "aws-trainium3", "nvidia-vr200", "nvidia-h200-nvl-141gb",
    ],
)  # fmt: skip
def test_a_device_that_was_missing_is_there(id):
    catalog = embedded()
    assert id in catalog.accelerators
    assert (
        id in catalog.price_rows
        or id in catalog.purchase_prices
        or id.startswith(("google", "aws"))
    ), "nobody lists a price of TPU v7 or Trainium 3"


# Rules, one at a time.


def panel(*offers, devices=8, term="on_demand", catalog=None, **terms):
    found = catalog or world(device("d"), offers=offers)
    asked = Wanted(accelerator="d", devices=devices, term=term, **terms)
    chosen = panel_of(found, asked)
    return {seat.seller: seat.offer.id for seat in chosen.seats}, chosen.left_out


def test_an_alias_and_its_operator_have_one_vote_and_the_newest_counts():
    rows = (
        offer("old-name", "b", "d", 2.0, observed_on="2026-01-01"),
        offer("new-name", "a", "d", 3.0, observed_on="2026-03-01"),
        offer("other", "c", "d", 4.0),
    )
    catalog = with_sellers(
        world(device("d"), offers=rows), Provider(id="b", kind="gpu_cloud", operator="a")
    )
    assert panel(catalog=catalog) == ({"a": "new-name", "c": "other"}, {})


def test_a_reseller_never_stands_for_its_operator_and_a_broker_does_where_he_lists_nothing():
    rows = (
        offer("own", "a", "d", 3.0),
        offer("resold", "r", "d", 2.9),
        offer("brokered", "a", "d", 1.0, seller="m"),
        offer("only-brokered", "b", "d", 2.0, seller="m"),
    )
    catalog = with_sellers(
        world(device("d"), offers=rows, m="broker"),
        Provider(id="r", kind="reseller", operator="a"),
    )
    assert panel(catalog=catalog) == (
        {"a": "own", "b": "only-brokered"},
        {"behind_operator": ("m", "r")},
    )


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        ({"complete": False}, "gpu_cloud", "component"),
        ({"sold_out": True}, "gpu_cloud", "sold_out"),
        ({"min_devices": 16}, "gpu_cloud", "below_minimum"),
        ({"multi_node": "no"}, "gpu_cloud", "single_node"),
        ({}, "marketplace", "not_an_operator"),
        ({}, "serverless", "not_an_operator"),
        ({}, "virtualised_gpu", "shared_device"),
        ({"price_kind": "community"}, "gpu_cloud_and_community", "not_an_operator"),
    ],
)
def test_who_is_left_out_and_why(facts, kind, reason):
    rows = (offer("a", "a", "d", 2.0), offer("b", "b", "d", 1.0, **facts))
    catalog = world(device("d"), offers=rows, b=kind)
    assert panel(catalog=catalog) == ({"a": "a"}, {reason: ("b",)})


def test_a_price_by_the_device_holds_up_to_a_node_and_a_single_seller_makes_no_more():
    rows = (offer("a", "a", "d", 2.0), offer("b", "b", "d", 1.0))
    catalog = with_sellers(
        world(device("d"), offers=rows), Provider(id="b", kind="gpu_cloud", clusters="no")
    )
    known = [makes(catalog, row, 8) for row in rows]
    assert known == ["yes", "yes"]
    assert [makes(catalog, row, 9) for row in rows] == ["unknown", "no"]
    assert panel(catalog=catalog, devices=9) == ({"a": "a"}, {"single_node": ("b",)})


def test_of_one_seller_what_surely_makes_the_cluster_goes_before_what_may():
    rows = (
        offer("node", "a", "d", 2.0, devices=8, observed_on="2026-03-01"),
        offer("cluster", "a", "d", 3.0, devices=8, multi_node="yes", observed_on="2026-02-01"),
    )
    assert panel(*rows, devices=8)[0] == {"a": "node"}
    assert panel(*rows, devices=64)[0] == {"a": "cluster"}


def test_of_one_list_the_cheapest_for_this_cluster_counts():
    """One device of eight at $1 costs $8; of one at $2 it costs $2."""
    rows = (offer("node", "a", "d", 1.0, devices=8), offer("one", "a", "d", 2.0))
    assert panel(*rows, devices=1)[0] == {"a": "one"}
    assert panel(*rows, devices=8)[0] == {"a": "node"}


def test_a_price_a_year_older_than_the_newest_has_no_vote():
    rows = (
        offer("new", "a", "d", 2.0, observed_on="2026-01-02"),
        offer("year", "b", "d", 2.0, observed_on="2025-01-02"),
        offer("older", "c", "d", 2.0, observed_on="2025-01-01"),
    )
    assert panel(*rows) == ({"a": "new", "b": "year"}, {"too_old": ("c",)})


@given(st.lists(st.floats(1.0, 2.0), min_size=4, max_size=12))
def test_a_price_far_from_its_segment_is_an_outlier_and_one_within_a_factor_of_two_is_not(usd):
    rows = [offer(f"o{n}", f"s{n}", "d", price) for n, price in enumerate(usd)]
    assert len(panel(*rows)[0]) == len(usd)
    far = offer("far", "far", "d", 100.0)
    assert panel(*rows, far)[1] == {"outlier": ("far",)}


def test_outliers_are_those_of_a_segment_and_not_of_the_market():
    """Hyperscalers at $30 beside neoclouds at $1 to $1.3: 3.5 deviations of 0.2 are twice."""
    rows = [offer(f"n{n}", f"n{n}", "d", 1.0 + n / 10) for n in range(4)]
    rows += [offer(f"h{n}", f"h{n}", "d", 30.0) for n in range(3)]
    kinds: dict[str, ProviderKind] = {f"h{n}": "hyperscaler" for n in range(3)}
    assert len(panel(catalog=world(device("d"), offers=tuple(rows), **kinds))[0]) == 7
    dear = offer("dear", "dear", "d", 1.2 * math.exp(0.71))
    assert panel(*rows[:4], dear)[1] == {"outlier": ("dear",)}
    near = offer("near", "near", "d", 1.2 * math.exp(0.69))
    assert panel(*rows[:4], near)[1] == {}


def test_segments_can_be_asked_for():
    rows = (
        offer("a", "a", "d", 2.0),
        offer("h", "h", "d", 8.0),
        offer("m", "m", "d", 1.0, price_kind="marketplace"),
        offer("c", "a", "d", 1.5, price_kind="community"),
        offer("brokered", "a", "d", 1.2, seller="m"),
    )
    catalog = world(device("d"), offers=rows, h="hyperscaler", m="marketplace")
    for segment, found in (
        ("neocloud", {"a": "a"}),
        ("hyperscaler", {"h": "h"}),
        ("marketplace", {"a": "c", "m": "m"}),
    ):
        assert panel(catalog=catalog, segment=segment)[0] == found
    assert panel(catalog=catalog)[0] == {"a": "a", "h": "h"}
    quoted = market(catalog=catalog, segment="marketplace")
    assert sellers(quoted) == {"m": 1.0, "a": 1.5}
    assert {one.segment: one.count for one in market(catalog=catalog).markets[0].segments} == {
        "hyperscaler": 1, "marketplace": 2, "neocloud": 1,
    }  # fmt: skip


def committed_world():
    """Four sellers at $10: with its own price, a discount for its size, one for more, and none."""
    rows = [offer(name, name, "d", 10.0) for name in "abcd"]
    rows += [offer("a-year", "a", "d", 11.0, price_kind="reserved_1y")]
    rows += [offer("e-year", "e", "d", 5.0, price_kind="reserved_1y")]

    def discount(seller, ratio, **facts):
        share = datum(f"commitments/{seller}", ratio, "ratio", low=ratio, high=ratio)
        return (
            Commitment(provider=seller, term="reserved_1y", price_over_on_demand=share, **facts),
        )

    usual = datum("usual", 0.8, "ratio", low=0.5, high=1.0)
    return msgspec.structs.replace(
        world(device("d"), offers=tuple(rows)),
        commitments={
            "b/reserved_1y": discount("b", 0.9, accelerator="d"),
            "c/reserved_1y": discount("c", 0.4, min_devices=256),
        },
        usual_commitments={"neocloud/reserved_1y": usual},
    )


def test_a_committed_price_is_the_sellers_own_or_follows_from_discounts():
    """a says 11, b 0.9 of its 10, c only for 256 devices, d nothing: 0.8 of 10. e has no list."""
    quoted = market(catalog=committed_world(), term="reserved_1y")
    assert sellers(quoted) == {"a": 11.0, "b": 9.0, "c": 8.0, "d": 8.0}
    assert {vote.seller: vote.basis for vote in quoted.markets[0].votes} == {
        "a": "own_price", "b": "own_discount", "c": "segment_discount", "d": "segment_discount",
    }  # fmt: skip
    assert left_out(quoted) == {"no_on_demand_price": {"e"}}
    assert "2 of 4 sellers" in codes(quoted)["term_derived"].detail
    large = market(256, catalog=committed_world(), term="reserved_1y")
    assert sellers(large)["c"] == 4.0


def test_where_nobody_publishes_a_discount_the_price_on_demand_stands_and_the_quote_says_so():
    quoted = market(catalog=committed_world(), term="reserved_3m")
    assert set(sellers(quoted).values()) == {10.0}
    assert {vote.basis for vote in quoted.markets[0].votes} == {"on_demand_price"}
    assert "term_derived" in codes(quoted)


def test_a_seller_without_a_price_on_demand_is_asked_for_by_its_name():
    quoted = market(catalog=committed_world(), term="reserved_1y", provider="e")
    assert sellers(quoted) == {"e": 5.0}
    assert "thin_market" not in codes(quoted)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_market_of_fewer_than_four_sellers_is_thin(count):
    rows = tuple(offer(f"o{n}", f"s{n}", "d", 2.0 + n / 10) for n in range(count))
    quoted = market(catalog=world(device("d"), offers=rows))
    assert ("thin_market" in codes(quoted)) == (count < 4)


def test_a_market_without_a_vote_says_who_was_left_out():
    rows = (offer("a", "a", "d", 2.0, multi_node="no"), offer("b", "b", "d", 1.0, complete=False))
    (bill,) = market(64, catalog=world(device("d"), offers=rows)).bases
    (line,) = bill.lines
    assert isinstance(line, UnpricedLine)
    assert line.reason == "no_offer_under_these_terms"
    assert "component: b; single_node: a" in line.detail


@pytest.mark.parametrize(
    ("term", "hours"),
    [("reserved_1m", 730.5), ("reserved_3m", 2191.5), ("reserved_6m", 4383), ("reserved_1y", 8766)],
)
def test_a_term_is_paid_for_whole(term, hours):
    """Ten device-hours on eight devices at $10: all eight are paid for the whole term."""
    quoted = market(8, catalog=committed_world(), term=term, provider="d")
    (vote,) = quoted.markets[0].votes
    paid = 8 * hours * float(vote.usd_per_device_hour)
    assert float(priced(quoted.bases[0]).total.amount) == pytest.approx(paid)


def test_a_summary_has_no_market():
    request = run_of(METERED, cluster={"accelerator": H100, "devices": 8})
    request["options"]["detail"] = "summary"
    assert answer(request, embedded()).markets == ()
