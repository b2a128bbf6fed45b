"""What bills leave out: each cost once, in words and amounts of the quote itself."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import PricedLine
from service.core.figures.vocabulary import BASES
from tests.requests import R1
from tests.worlds import answer, device, embedded, run_of, world

V3_RUNS = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]
OWNED = {"kind": "owned", "usd_per_device": 40_000, "utilization": 0.8}
H100 = {
    "accelerator": "nvidia-h100-sxm-80gb",
    "devices": 8,
    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
    "site": {"pue": 1.2, "usd_per_kwh": 0.1, "carbon_kg_co2e_per_kwh": 0.4},
}
TIMED = {"work": {"kind": "timed", "hours": 100}}
TUNING = {
    "kind": "pretraining",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "tokens": 1e9,
    "sequence_length": 4096,
    "global_batch_tokens": 1_048_576,
}


def quoted(*stages, cluster=None, bases=BASES, catalog=None, **accounting):
    request = run_of(*(stages or (TIMED,)), cluster=H100 | (cluster or {}), bases=bases)
    request["accounting"] = accounting
    return answer(request, catalog or embedded())


def rows_of(*stages, **facts):
    return {row.item: row for row in quoted(*stages, **facts).exclusions}


def central(answered, item):
    """The central amount of an exclusion, through the figure that it names."""
    (row,) = (row for row in answered.exclusions if row.item == item)
    assert row.figure, row
    return answered.figures[row.figure].value


def codes_of(answered):
    return {one.code for one in (*answered.warnings, *answered.notes)}


def test_each_cost_is_printed_once_with_the_bases_that_leave_it_out():
    answered = quoted()
    items = [row.item for row in answered.exclusions]
    assert len(items) == len(set(items)) > 10
    for bill in answered.bases:
        assert set(bill.excludes) == {
            row.item for row in answered.exclusions if bill.basis in row.bases
        }
    named = {item for bill in answered.bases for item in bill.excludes}
    assert named == set(items)


def test_a_fully_loaded_bill_on_owned_hardware_leaves_out_what_the_owned_one_does():
    rented, owned = (
        {bill.basis: set(bill.excludes) for bill in quoted(hardware=hardware).bases}
        for hardware in ("rental", "owned")
    )
    beside = {"idle_energy", "insurance", "spares"}
    assert beside <= owned["owned"]
    assert beside <= owned["fully_loaded"]
    assert not beside & rented["fully_loaded"]
    assert "capital" in rented["fully_loaded"]
    assert "capital" not in owned["fully_loaded"]


def test_experiments_staff_and_data_are_the_lines_that_the_fully_loaded_bill_has():
    answered = answer(R1, embedded())
    rows = {row.item: row for row in answered.exclusions}
    (loaded,) = (bill for bill in answered.bases if bill.basis == "fully_loaded")
    for item in ("experiments", "staff", "data"):
        (line,) = (line for line in loaded.lines if line.item == item)
        assert isinstance(line, PricedLine)
        assert rows[item].amount == line.interval
        assert rows[item].bases == ("rental", "owned")


def test_amounts_do_not_depend_on_which_bases_are_asked_for():
    whole = {row.item: row for row in quoted(base_model={"kind": "amount", "usd": 1e6}).exclusions}
    for basis in BASES:
        alone = quoted(bases=(basis,), base_model={"kind": "amount", "usd": 1e6})
        assert [bill.basis for bill in alone.bases] == [basis]
        for row in alone.exclusions:
            assert row.bases == (basis,)
            assert row.amount == whole[row.item].amount
            assert row.what == whole[row.item].what


def test_a_bill_that_is_not_asked_for_warns_of_nothing():
    assert "unpriced_line" not in codes_of(quoted(bases=("rental",)))
    assert "unpriced_line" in codes_of(quoted(bases=("rental", "fully_loaded")))


def test_a_summary_has_none():
    request = run_of(TIMED, cluster=H100)
    request["options"] = {"detail": "summary"}
    answered = answer(request, embedded())
    assert answered.exclusions == ()
    assert not any(bill.excludes for bill in answered.bases)


def test_capital_is_the_purchase_of_this_cluster():
    # 40,000 dollars with the server, and a network of 19% of the whole, for each of 8 devices.
    answered = quoted(owned={"usd_per_device": 40_000})
    assert central(answered, "capital") == pytest.approx(8 * 40_000 / 0.81)
    assert "8 nvidia-h100-sxm-80gb" in rows_of()["capital"].what


def test_licences_are_of_the_hours_of_nvidia_devices():
    # 800 device-hours at 4,500 dollars a year of 8,766 hours.
    assert central(quoted(), "software_licences") == pytest.approx(800 * 0.513)
    amd = rows_of(cluster={"accelerator": "amd-mi300x"})["software_licences"]
    assert amd.amount is msgspec.UNSET
    assert "NVIDIA" not in amd.what
    mixed = quoted(TIMED, TIMED | {"cluster": H100 | {"accelerator": "amd-mi300x"}})
    assert central(mixed, "software_licences") == pytest.approx(800 * 0.513)


def test_licences_are_those_of_devices_that_a_stage_runs_on():
    """The run's own cluster is of NVIDIA devices, and no stage runs on it."""
    on_tpus = TIMED | {"cluster": {"accelerator": "google-tpu-v5e", "devices": 8}}
    assert rows_of(on_tpus)["software_licences"].amount is msgspec.UNSET


def test_insurance_spares_and_idle_energy_follow_the_owned_bill():
    answered = quoted(cluster={"supply": OWNED})
    bought = 8 * 40_000 / 0.81
    # 0.4% a year, for 100 hours of use in 125 hours of the calendar.
    assert central(answered, "insurance") == pytest.approx(bought * 0.004 * 125 / 8_766)
    (owned,) = (bill for bill in answered.bases if bill.basis == "owned")
    lines = [line for line in owned.lines if isinstance(line, PricedLine)]
    purchase = ("accelerators", "servers", "cluster_network", "capital")
    held = sum(line.quantity * float(line.rate) for line in lines if line.item in purchase)
    assert central(answered, "spares") == pytest.approx(0.05 * held)
    (energy,) = (line for line in lines if line.item == "energy")
    used = energy.quantity * float(energy.rate)
    assert central(answered, "idle_energy") == pytest.approx(0.06 * used)


def test_taxes_are_a_share_of_the_bill_of_the_hardware():
    assert central(quoted(), "tax") == pytest.approx(0.1 * 1_600)
    vat = [{"kind": "tax", "label": "VAT", "share": 0.2}]
    answered = quoted(uplifts=vat)
    (row,) = (row for row in answered.exclusions if row.item == "tax")
    assert row.bases == ("owned",)
    assert central(answered, "tax") == pytest.approx(0.2 * 1_600)


def test_storage_and_transfer_are_those_of_the_model_that_is_trained():
    # Five checkpoints of 14 bytes a parameter for three months, and one copy of 2 bytes.
    parameters = 8_030_261_248
    answered = quoted({"work": TUNING})
    months = parameters * 14 / 1e9 * 5 * 3
    assert central(answered, "storage") == pytest.approx(months * 0.023)
    assert central(answered, "transfer") == pytest.approx(parameters * 2 / 1e9 * 0.09)
    metered = rows_of()
    for item in ("storage", "transfer"):
        assert metered[item].amount is msgspec.UNSET
        assert metered[item].magnitude
        assert metered[item].detail == "the size of the model is not known"


def test_adapters_are_kept_and_moved_without_their_model():
    lora = {
        "kind": "finetuning",
        "model": {"kind": "preset", "id": "llama-3.1-8b"},
        "data": {"kind": "tokens", "tokens": 1e8},
        "method": {"kind": "lora", "rank": 16},
    }
    whole = quoted({"work": TUNING})
    adapters = quoted({"work": lora})
    assert central(adapters, "storage") < central(whole, "storage") / 50
    assert central(adapters, "transfer") < central(whole, "transfer") / 50


def test_declared_storage_is_what_the_owned_bill_leaves_out():
    answered = quoted(storage={"gigabytes": 1_000, "months": 3, "usd_per_gigabyte_month": 0.02})
    (row,) = (row for row in answered.exclusions if row.item == "storage")
    assert row.bases == ("owned",)
    assert central(answered, "storage") == pytest.approx(60)


def test_an_amount_without_spread_has_the_digits_of_an_amount():
    # 3 GB at 0.5 dollars, and 3 at 0.0004.
    for price, printed in ((0.5, "1.50"), (0.0004, "0.0012")):
        row = rows_of(transfer={"gigabytes": 3, "usd_per_gigabyte": price})["transfer"]
        assert (row.amount.p10, row.amount.p90) == (printed, printed)


def test_a_base_model_is_left_out_with_its_amount_and_its_development():
    runs = {"kind": "runs", "ids": V3_RUNS}
    rows = {row.item: row for row in answer(on(runs), embedded()).exclusions}
    assert "deepseek-v3-pretrain" in rows["base_model"].what
    assert rows["base_model"].bases == ("rental", "owned")
    whole = answer(on(runs), embedded())
    assert central(whole, "base_model") == pytest.approx(5_576_000)
    assert central(whole, "base_model_development") == pytest.approx(14_823_166.45, abs=0.01)
    rental = answer(on(runs | {"scope": "rental"}), embedded())
    assert central(rental, "base_model_development") == pytest.approx(14_823_166.45, abs=0.01)
    (row,) = (row for row in rental.exclusions if row.item == "base_model_development")
    assert row.bases == BASES
    amount = {"kind": "amount", "usd": 100}
    (row,) = (
        row
        for row in answer(on(amount), embedded()).exclusions
        if row.item == "base_model_development"
    )
    assert row.amount is msgspec.UNSET
    assert not {"base_model", "base_model_development"} & {
        row.item for row in answer(on({"kind": "none"}), embedded()).exclusions
    }


def on(base):
    return R1 | {"accounting": {"base_model": base}}


def test_a_purchase_without_a_price_has_no_amount_and_says_so():
    rows = rows_of(cluster={"accelerator": "d1"}, catalog=world_with_exclusions())
    assert rows["capital"].amount is msgspec.UNSET
    assert "no purchase price of d1" in rows["capital"].detail
    assert "power" in rows["idle_energy"].detail


def world_with_exclusions():
    return msgspec.structs.replace(world(device("d1")), exclusions=embedded().exclusions)


clusters = st.fixed_dictionaries(
    {
        "accelerator": st.sampled_from(
            ["nvidia-h800-sxm-80gb", "nvidia-b200-sxm", "amd-mi300x", "google-tpu-v5e"]
        ),
        "devices": st.integers(1, 100_000),
    }
)
bases_of_others = st.sampled_from(
    [
        {},
        {"base_model": {"kind": "none"}},
        {"base_model": {"kind": "amount", "usd": 5e6}},
        {"base_model": {"kind": "runs", "ids": ["glm-130b"]}},
    ]
)


@settings(max_examples=30, deadline=None)
@given(cluster=clusters, accounting=bases_of_others, hardware=st.sampled_from(["rental", "owned"]))
def test_no_exclusion_names_another_run(cluster, accounting, hardware):
    said = accounting.get("base_model", {}).get("ids", ())
    rows = quoted(cluster=cluster, hardware=hardware, **accounting).exclusions
    others = [id for id in embedded().runs if id not in said]
    for row in rows:
        words = row.what.casefold()
        assert "deepseek" not in words
        assert not [id for id in others if id in words]
    assert "fleet" not in {row.item for row in rows}


@settings(max_examples=20, deadline=None)
@given(devices=st.integers(1, 5_000), hours=st.floats(1.0, 5_000.0))
def test_amounts_scale_with_the_devices(devices, hours):
    stage = {"work": {"kind": "timed", "hours": hours}}
    once, twice = (
        quoted(stage, cluster={"supply": OWNED, "devices": count}, billing="exact")
        for count in (devices, 2 * devices)
    )
    for item in ("capital", "software_licences", "idle_energy", "insurance", "spares"):
        assert central(twice, item) == pytest.approx(2 * central(once, item))
