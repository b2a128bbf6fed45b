"""Discounts, support, markups and taxes of the rental bill: what each is a share of."""

from decimal import Decimal
from itertools import permutations
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.worlds import answer, device, embedded, priced, run_of, world

WORLD = replace(world(device("d1")), exclusions=embedded().exclusions)
STORAGE = {"gigabytes": 1000, "usd_per_gigabyte_month": 0.1, "months": 1}
TRANSFER = {"gigabytes": 1000, "usd_per_gigabyte": 0.08}
PLAIN = {"storage": STORAGE, "transfer": TRANSFER, "commitment_hours": 200}
BEFORE = {
    "device_rental": Decimal(20_000),  # 10,000 h at $2
    "unused_commitment": Decimal(5_600),  # 64 devices are paid for 200 h and used for 156.25
    "storage": Decimal(100),
    "transfer": Decimal(80),
}
VAT = {"kind": "tax", "label": "VAT", "share": 0.2}
CITY = {"kind": "tax", "label": "city", "share": 0.05}
MARGIN = {"kind": "markup", "label": "margin", "share": 0.1}
CONTINGENCY = {"kind": "markup", "label": "contingency", "share": 0.5}


def bill_of(**accounting):
    stage = {"work": {"kind": "metered", "device_hours": 10_000}}
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    cluster = {"accelerator": "d1", "devices": 64, "supply": supply}
    (bill,) = answer(run_of(stage, cluster=cluster, **accounting), WORLD).bases
    return bill


def lines_of(bill, *items):
    return [line for line in priced(bill).lines if line.item in items]


def amounts_of(bill, *items):
    return [Decimal(line.amount) for line in lines_of(bill, *items)]


def discount(share, *covers):
    stated = {"covers": list(covers)} if covers else {}
    return {"label": "agreed", "share": share} | stated


def test_a_discount_covers_devices_and_commitment_unless_it_says_otherwise():
    bill = bill_of(**PLAIN, discounts=[discount(0.1)])
    assert amounts_of(bill, *BEFORE) == list(BEFORE.values())
    assert amounts_of(bill, "discount") == [Decimal(-2_560)]
    (line,) = lines_of(bill, "discount")
    assert line.detail == "covers device_rental, rounding, unused_commitment"


@pytest.mark.parametrize(
    ("covers", "amount"),
    [
        (("storage",), 50),
        (("transfer",), 40),
        (("storage", "transfer"), 90),
        (("device_rental",), 10_000),
        (("unused_commitment", "storage"), 2_850),
    ],
)
def test_lines_that_a_discount_does_not_cover_are_not_discounted(covers, amount):
    bill = bill_of(**PLAIN, discounts=[discount(0.5, *covers)])
    assert amounts_of(bill, "discount") == [Decimal(-amount)]


def test_each_discount_is_a_share_of_what_the_ones_before_it_leave_of_its_own_items():
    both = ("device_rental", "storage")
    bill = bill_of(**PLAIN, discounts=[discount(0.1, "device_rental"), discount(0.2, *both)])
    # 18,000 of the devices are left, and all 100 of the storage.
    assert amounts_of(bill, "discount") == [Decimal(-2_000), Decimal(-3_620)]


def test_a_discount_on_nothing_that_the_bill_has_takes_nothing_off():
    bill = bill_of(discounts=[discount(0.5, "storage")])
    assert amounts_of(bill, "discount") == [Decimal(0)]
    assert priced(bill).total.amount == "20000.00"


covered = st.lists(
    st.tuples(
        st.integers(0, 100).map(lambda percent: percent / 100),
        st.sets(st.sampled_from(sorted(BEFORE)), min_size=1),
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(discounts=covered)
def test_discounts_take_from_each_item_the_shares_that_cover_it_and_no_more(discounts):
    bill = bill_of(**PLAIN, discounts=[discount(share, *covers) for share, covers in discounts])
    left = sum(
        prod(
            (1 - Decimal(str(share)) for share, covers in discounts if item in covers), start=amount
        )
        for item, amount in BEFORE.items()
    )
    assert abs(Decimal(priced(bill).total.amount) - left) <= Decimal("0.005") * len(discounts)
    assert amounts_of(bill, *BEFORE) == list(BEFORE.values())


def test_support_is_a_share_of_what_is_rented_after_discounts():
    bill = bill_of(**PLAIN, discounts=[discount(0.1), discount(0.5, "storage")])
    supported = bill_of(
        **PLAIN, discounts=[discount(0.1), discount(0.5, "storage")], support={"share": 0.1}
    )
    (support,) = amounts_of(supported, "support")
    assert support == Decimal(2_304)  # a tenth of 90% of 25,600
    assert Decimal(priced(supported).total.amount) == Decimal(priced(bill).total.amount) + support


@pytest.mark.parametrize("uplifts", list(permutations([VAT, MARGIN, CITY])))
def test_taxes_are_charged_on_the_bill_with_its_markups_and_not_on_each_other(uplifts):
    bill = bill_of(uplifts=uplifts)
    found = {line.label: Decimal(line.amount) for line in lines_of(bill, "markup", "tax")}
    assert found == {"margin": Decimal(2_000), "VAT": Decimal(4_400), "city": Decimal(1_100)}
    assert [line.item for line in lines_of(bill, "markup", "tax")] == ["markup", "tax", "tax"]
    assert priced(bill).total.amount == "27500.00"


def test_markups_are_shares_of_all_lines_before_them():
    bill = bill_of(**PLAIN, discounts=[discount(0.1)], uplifts=[VAT, MARGIN, CONTINGENCY])
    # 25,600 less a tenth, storage and transfer: 23,220; with both markups 38,313.
    assert amounts_of(bill, "markup") == [Decimal(2_322), Decimal(12_771)]
    assert amounts_of(bill, "tax") == [Decimal("7662.60")]


def test_a_bill_leaves_out_tax_unless_a_tax_is_among_its_uplifts():
    assert "tax" in left_out()
    assert "tax" in left_out(MARGIN)
    assert "tax" not in left_out(MARGIN, VAT)


def left_out(*uplifts):
    """Items that the bill with these uplifts says it leaves out."""
    return {row if isinstance(row, str) else row.item for row in bill_of(uplifts=uplifts).excludes}
