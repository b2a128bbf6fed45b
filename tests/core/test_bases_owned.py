"""Laws of the basis `owned`, straight line, and of its break-even with renting."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.bills.owned.straight_line import (
    NEVER,
    acquisition,
    break_even,
    capital_usd,
    device_hour_usd,
    energy_usd,
    hosting_usd,
    purchase_rates,
    written_off_per_hour,
)

BOUGHT: dict[str, Any] = {
    "price_usd_per_device": 31_900.0,
    "server_share": 0.275,
    "network_share": 0.19,
    "life_years": 5.0,
    "residual_share": 0.1,
    "utilisation": 0.8,
    "cost_of_capital_per_year": 0.1,
    "maintenance_share_per_year": 0.06,
    "price_includes_server": 1.0,
}
POWER_USD = energy_usd(kwh_per_device_hour=1.07, usd_per_kwh=0.08)
shares = st.floats(0.01, 1.0)


def lines_at(utilisation):
    """The rates of all lines for one device-hour of an H100, by item."""
    bought = purchase_rates(**{**BOUGHT, "utilisation": utilisation})
    hosting = hosting_usd(rated_w=1_275, usd_per_kilowatt_month=184.06, utilisation=utilisation)
    return {**bought._asdict(), "hosting_usd": hosting, "energy_usd": POWER_USD}


def rate_at(utilisation):
    return device_hour_usd(**lines_at(utilisation))


def break_even_at(utilisation, rental):
    lines = lines_at(utilisation)
    kept_up = ("maintenance_usd", "hosting_usd", "energy_usd")
    return break_even(
        owned_usd_per_device_hour=rate_at(utilisation),
        purchase_usd_per_device_hour=sum(v for k, v in lines.items() if k not in kept_up),
        energy_usd_per_device_hour=POWER_USD,
        price_usd=8 * 39_400.0,
        devices=8.0,
        rental_usd_per_device_hour=rental,
        utilisation=utilisation,
    )


@given(less=shares, more=shares)
def test_more_use_never_makes_an_hour_dearer(less, more):
    less, more = sorted((less, more))
    for item, busy in lines_at(more).items():
        assert busy <= lines_at(less)[item] * (1 + 1e-12)


def test_full_use_is_cheaper_than_half():
    assert rate_at(1.0) < rate_at(0.5)


def test_straight_line_writes_the_price_off_over_the_hours_used():
    share = written_off_per_hour(residual_share=0.1, life_years=5, utilisation=0.8)
    assert share == pytest.approx(0.9 / (5 * 8_766 * 0.8))


def test_interest_is_on_half_the_price_where_nothing_remains():
    rate = capital_usd(
        price_usd=30_000, residual_share=0.0, cost_of_capital_per_year=0.1, utilisation=1.0
    )
    assert rate == pytest.approx(15_000 * 0.1 / 8_766)


@given(interest=st.floats(0.01, 0.2), life=st.floats(2.0, 8.0), residual=st.floats(0.0, 0.3))
def test_an_annuity_costs_a_little_more_than_straight_line_with_average_interest(
    interest, life, residual
):
    hours = 8_766.0
    line = written_off_per_hour(residual_share=residual, life_years=life, utilisation=1.0)
    average = capital_usd(
        price_usd=1.0,
        residual_share=residual,
        cost_of_capital_per_year=interest,
        utilisation=1.0,
    )
    growth = (1 + interest) ** life
    annuity = interest * growth / (growth - 1) * (1 - residual / growth)
    assert 1.0 <= annuity / ((line + average) * hours) <= 1.2


def test_a_rack_is_paid_for_by_the_month():
    rate = hosting_usd(rated_w=1_275, usd_per_kilowatt_month=184.06, utilisation=0.5)
    assert rate == pytest.approx(1.275 * 184.06 / 730.5 / 0.5)


@given(price=st.floats(1e3, 1e5), host=st.floats(0.0, 0.5), network=st.floats(0.0, 0.4))
def test_a_complete_servers_price_is_split_and_a_cards_is_added_to(price, host, network):
    split, added = (
        acquisition(
            devices=8,
            price_usd_per_device=price,
            server_share=host,
            network_share=network,
            price_includes_server=included,
        )
        for included in (1.0, 0.0)
    )
    for bought in (split, added):
        assert sum(bought[:-1]) == pytest.approx(bought.total_usd)
        assert bought.network_usd == pytest.approx(bought.total_usd * network, abs=1e-6)
    assert split.accelerators_usd + split.servers_usd == pytest.approx(8 * price)
    assert added.accelerators_usd == pytest.approx(8 * price)
    assert split.servers_usd == pytest.approx(
        host * (split.accelerators_usd + split.servers_usd), abs=1e-6
    )


@given(utilisation=st.floats(0.05, 1.0), rental=st.floats(0.2, 20.0))
def test_at_the_break_even_utilisation_owning_costs_the_rental_rate(utilisation, rental):
    even = break_even_at(utilisation, rental)
    if 0.05 < even.utilisation < 1.0:
        assert rate_at(even.utilisation) == pytest.approx(rental, rel=1e-6)


def test_owning_never_pays_against_a_rate_below_its_upkeep():
    even = break_even_at(0.8, 0.01)
    assert even.months == NEVER
    assert even.utilisation > 1.0
    assert even.saving_usd_per_device_hour < 0.0


def test_an_h100_owned_for_five_years_costs_around_what_the_market_asks():
    """One-year contracts were at 1.70 to 2.65 dollars in 2025 and 2026."""
    assert 1.2 < rate_at(0.8) < 2.7


def test_draws_and_single_numbers_agree():
    uses = np.array([0.3, 0.6, 0.9])
    assert rate_at(uses) == pytest.approx([rate_at(float(use)) for use in uses])
    assert break_even_at(0.8, np.array([0.01, 3.0])).months[0] == NEVER


def test_months_to_break_even_pay_back_the_price_with_what_renting_costs_beyond_upkeep():
    """Owned at 1.50, of which 0.90 are the purchase: upkeep is 0.60, and 1.40 an hour is saved."""
    even = break_even(
        owned_usd_per_device_hour=1.5,
        purchase_usd_per_device_hour=0.9,
        energy_usd_per_device_hour=0.1,
        price_usd=8 * 30_000.0,
        devices=8.0,
        rental_usd_per_device_hour=2.0,
        utilisation=0.5,
    )
    assert even.months == pytest.approx(30_000 / ((2.0 - 0.6) * 0.5 * 730.5))
    assert even.utilisation == pytest.approx((1.5 - 0.1) * 0.5 / (2.0 - 0.1))
    assert even.saving_usd_per_device_hour == 0.5


def test_owning_never_breaks_even_where_renting_costs_less_than_electricity():
    even = break_even_at(0.8, POWER_USD / 2)
    assert even.utilisation == even.months == NEVER
