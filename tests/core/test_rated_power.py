"""The power that a rack must carry is that of the server or rack that devices are sold in."""

import pytest

from tests.worlds import answer, embedded, number, run_of

NETWORK_W = 10.8


def quoted(accelerator, devices):
    stage = {"work": {"kind": "metered", "device_hours": 1000 * devices}}
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    cluster = {"accelerator": accelerator, "devices": devices, "supply": supply}
    return answer(run_of(stage, cluster=cluster, bases=("owned",)), embedded())


@pytest.mark.parametrize(
    ("accelerator", "devices", "rated_kw"),
    [
        ("nvidia-gb200", 72, 120.0),  # it was 72 x 1,200 W x 1.8 = 156 kW
        ("nvidia-gb300", 72, 135.0),  # it was 72 x 1,400 W x 1.8 = 181 kW
        ("nvidia-h100-sxm-80gb", 8, 10.2),
        ("nvidia-a100-sxm-80gb", 8, 6.5),
        ("nvidia-b200-sxm", 8, 14.3),
        ("nvidia-l40s", 8, 8 * 0.35 * 1.8),  # no server is known: from the device's rating
    ],
)
def test_peak_power_is_that_of_the_system_and_its_network(accelerator, devices, rated_kw):
    (stage,) = quoted(accelerator, devices).stages
    assert stage.power_w.peak_it.central == pytest.approx(1000 * rated_kw + devices * NETWORK_W)


def test_hosting_is_billed_by_the_rated_power_of_the_rack():
    # 72,000 hours at a use of 0.8 hold 72 devices for 1,250 hours, or 1.711 months: 120 kW x 1.711.
    (bill,) = quoted("nvidia-gb200", 72).bases
    (hosting,) = (line for line in bill.lines if line.item == "hosting")
    assert hosting.quantity == pytest.approx(120.0 * 1250 / 730.5)


def test_the_rated_power_is_walked_back_to_the_row_of_the_system():
    figures = quoted("nvidia-gb300", 72).figures
    rated = figures["power/nvidia-gb300/rated_w"]
    assert rated.source.formula == "system_w_per_device"
    system = figures[rated.source.inputs["system_w"]]
    assert (system.value, system.low, system.high) == (135_000, 120_000, 142_000)
    assert figures[rated.source.inputs["devices"]].value == 72


def test_no_device_draws_more_under_load_than_its_system_is_rated_for():
    catalog = embedded()
    for id, systems in catalog.systems_by_accelerator.items():
        (stage,) = quoted(id, int(number(systems[0].devices))).stages
        if stage.power_w:
            assert stage.power_w.average_it.central < stage.power_w.peak_it.central, id


def test_what_is_metered_under_load_stays_whatever_the_rating():
    """8 x H100 draw 6.86 to 7.16 kW in MLPerf, in a server that is rated 10.2 kW."""
    (stage,) = quoted("nvidia-h100-sxm-80gb", 8).stages
    assert 6_860 < stage.power_w.average_it.central - 8 * NETWORK_W < 7_160
