"""Device-hours of DeepSeek-V3's pre-training, from model, tokens and cluster alone.

All losses are left at their defaults. Its own software, which hides the exchange of experts behind
compute and multiplies in 8 bits with kernels of its own, is faster than any stack that the engine
was fitted to: the disclosed 2.664 million hours are about 0.7 of the central prediction, and must
lie between p10 and p90. Dense runs stand in test_published_runs.py, with closer tolerances.
"""

from service.catalog_files import load_catalog
from tests.worlds import answer

CATALOG = load_catalog()


def predicted(model, accelerator, devices, **work):
    stage = {"kind": "pretraining", "model": {"kind": "preset", "id": model}} | work
    quoted = answer(
        {
            "run": {"name": model, "stages": [{"name": "pre-training", "work": stage}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        CATALOG,
    )
    return quoted.stages[0].device_hours


def test_the_hours_of_deepseek_v3_lie_inside_its_interval():
    hours = predicted(
        "deepseek-v3",
        "nvidia-h800-sxm-80gb",
        2048,
        tokens=14.8e12,
        sequence_length=4096,
        global_batch_tokens=15360 * 4096,
        precision="fp8",
    )
    assert hours.p10 <= 2.664e6 <= hours.p90
