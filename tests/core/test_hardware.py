"""Does a device do what its row says, and is a step measured and quoted on one machine?"""

import pytest

from service.core.argument import Argument, Fixed, Unknown
from service.core.cluster.hardware import Hardware, hardware_of
from service.core.figures.sources import Derived
from service.core.request.request import Cluster
from service.core.training.steptime import Machine
from service.core.training.timing import RECIPE_OF_PEAK
from service.scoring.steps.inputs import Expressed, expressed
from service.scoring.steps.measurements import Arch, Measured, Measurement
from tests.worlds import answer, embedded, run_of

GIGABIT = 1e9 / 8


def hardware(device: str, precision: str) -> tuple[Hardware | Unknown, set[str]]:
    """The hardware of eight devices for work at a precision, and the codes of its warnings."""
    argument = Argument(embedded())
    cluster = argument.at(Cluster(device=device, devices=8.0), pointer="/cluster", prefix="cluster")
    found = hardware_of(cluster, Fixed(precision, "/precision"))
    return found, {warning.code for warning in argument.warnings}


@pytest.mark.parametrize(
    ("device", "asked", "used", "tflop_per_s"),
    [
        ("nvidia-a100-sxm-80gb", "fp8", "bf16", 312),
        ("nvidia-a100-sxm-80gb", "int8", "int8", 624),
        ("nvidia-h100-sxm-80gb", "mxfp8", "fp8", 1979),
        ("nvidia-h100-sxm-80gb", "nvfp4", "fp8", 1979),
        ("nvidia-h100-sxm-80gb", "fp32", "fp32", 67),
        ("nvidia-h100-sxm-80gb", "tf32", "tf32", 494.5),
        ("nvidia-b200-sxm", "mxfp8", "mxfp8", 4500),
        ("nvidia-b200-sxm", "nvfp4", "fp4", 9000),
        ("nvidia-v100-sxm2-32gb", "bf16", "fp32", 15.7),
        ("nvidia-v100-sxm2-32gb", "fp16", "fp16", 125),
        ("nvidia-v100-sxm2-32gb", "fp8", "fp16", 125),
        ("intel-gaudi2", "fp16", "bf16", 432),
        ("google-tpu-v5p", "fp32", "bf16", 459),
        ("google-tpu-v5p", "fp16", "bf16", 459),
        ("google-tpu-v6e", "int8", "int8", 1836),
    ],
)
def test_a_precision_that_a_device_lacks_takes_the_format_that_a_run_would_use(
    device, asked, used, tflop_per_s
):
    found, _ = hardware(device, asked)
    assert isinstance(found, Hardware)
    assert found.precision == used
    assert found.peak_flop_per_s.central == tflop_per_s * 1e12


def test_a_stand_in_is_said_unless_it_is_only_another_name():
    assert "precision_substituted" in hardware("nvidia-h100-sxm-80gb", "mxfp8")[1]
    assert "precision_substituted" in hardware("google-tpu-v5p", "fp32")[1]
    assert "precision_substituted" not in hardware("nvidia-b200-sxm", "nvfp4")[1]
    assert "precision_substituted" in hardware("nvidia-v100-sxm2-32gb", "fp8")[1]


def test_bf16_that_software_emulates_is_said():
    said = hardware("nvidia-v100-sxm2-32gb", "bf16")[1]
    assert "precision_emulated" in said
    assert "precision_substituted" not in said
    assert "precision_emulated" not in hardware("nvidia-v100-sxm2-32gb", "fp16")[1]


@pytest.mark.parametrize(("asked", "tflop_per_s"), [("bf16", 15.7), ("fp16", 125), ("fp8", 125)])
def test_attention_runs_in_the_16_bits_that_the_work_has(asked, tflop_per_s):
    found, _ = hardware("nvidia-v100-sxm2-32gb", asked)
    assert isinstance(found, Hardware)
    assert found.bf16_peak_flop_per_s.central == tflop_per_s * 1e12


def test_nothing_stands_in_for_fp32_on_a_device_that_is_no_tpu():
    found, _ = hardware("intel-gaudi2", "fp32")
    assert isinstance(found, Unknown)
    assert found.reason == "unsuited"


@pytest.mark.parametrize(
    ("device", "gbit_per_s"),
    [
        ("google-tpu-v5e", 6.4e3 / 256),
        ("google-tpu-v5p", 50),
        ("google-tpu-v6e", 25.6e3 / 256),
        ("google-tpu-v7", 100),
        ("intel-gaudi2", 3 * 100),
        ("intel-gaudi3", 3 * 200),
        ("nvidia-h100-sxm-80gb", 400),
        ("nvidia-h100-pcie-80gb", 24.8),
    ],
)
def test_the_usual_network_of_a_device_is_what_its_maker_gives_it(device, gbit_per_s):
    found, _ = hardware(device, "bf16")
    assert isinstance(found, Hardware)
    assert found.scale_out_byte_per_s.central == pytest.approx(gbit_per_s * GIGABIT)


def quoted_rates(device: str, precision: str) -> dict[str, float] | None:
    """What a quote times a step of pretraining by; none where it cannot."""
    work = {
        "kind": "pretraining",
        "model": {"kind": "parameters", "total": 1e9},
        "tokens": 1e9,
        "global_batch_tokens": 262_144,
        "precision": precision,
    }
    figures = answer(
        run_of({"work": work}, cluster={"accelerator": device, "devices": 16}), embedded()
    ).figures
    part = figures.get("stages/0/step/parts/gemm")
    if part is None:
        return None
    assert isinstance(part.source, Derived)
    named = {name: figures[figure].value for name, figure in part.source.inputs.items()}
    return {name: value for name, value in named.items() if hasattr(Machine, name)}


def measured_on(device: str, precision: str) -> Measurement:
    """A row that says no more of its cluster than the device and how many there are."""
    return Measurement(
        id="row",
        accelerator=device,
        device_count=16.0,
        precision=precision,
        arch=Arch(layers=16, hidden=2048, heads=16, vocab=32_000, ffn_hidden=5504, seq_len=4096),
        measured=Measured(step_time_s=1.0),
    )


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp8", "mxfp8", "nvfp4", "int8", "fp32"])
@pytest.mark.parametrize(
    "device",
    [
        "amd-mi300x",
        "aws-trainium2",
        "google-tpu-v5e",
        "google-tpu-v6e",
        "huawei-ascend-910b",
        "intel-gaudi2",
        "intel-gaudi3",
        "nvidia-a100-pcie-80gb",
        "nvidia-gb200",
        "nvidia-h100-sxm-80gb",
        "nvidia-v100-sxm2-32gb",
    ],
)
def test_a_measured_step_is_fitted_on_the_machine_that_its_quote_is_timed_on(device, precision):
    """A row is fitted on no other peak, link or network than a quote of its cluster takes."""
    quoted = quoted_rates(device, precision)
    row = expressed(measured_on(device, precision), embedded())
    assert isinstance(row, str) == (quoted is None)
    if isinstance(row, Expressed) and quoted is not None:
        assert {name: getattr(row.machine, name) for name in quoted} == quoted


def test_a_row_is_fitted_by_the_recipe_that_its_quote_would_use():
    for precision in RECIPE_OF_PEAK:
        found, _ = hardware("nvidia-a100-sxm-80gb", precision)
        row = expressed(measured_on("nvidia-a100-sxm-80gb", precision), embedded())
        assert isinstance(found, Hardware)
        assert isinstance(row, Expressed)
        assert row.recipe.precision == RECIPE_OF_PEAK[found.precision]


def test_slices_bound_the_domain_of_a_measured_pod():
    row = measured_on("google-tpu-v5p", "bf16")
    row.device_count = 512.0
    row.parallelism.slices = 2.0
    found = expressed(row, embedded())
    assert isinstance(found, Expressed)
    assert found.machine.scale_up_domain == 512 / 2
