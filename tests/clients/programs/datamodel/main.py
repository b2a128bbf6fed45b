"""Sends four requests made of datamodel-code-generator's models, and prints what it read."""

import json
import sys

import httpx
from models import (
    Accounting,
    BaseRuns,
    Cluster,
    DeviceHoursQuantity,
    Interval,
    Metered,
    Problem,
    Quote,
    QuoteRequest,
    Rate,
    Run,
    Stage,
    UsdPerDeviceHourQuantity,
)

BASE_RUNS = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]


def stage(name: str, hours: float | Interval) -> Stage:
    return Stage(name=name, work=Metered(kind="metered", device_hours=DeviceHoursQuantity(hours)))


def request(accelerator: str, hours: float | Interval, rate: float | Interval) -> QuoteRequest:
    return QuoteRequest(
        run=Run(
            name="DeepSeek-R1",
            stages=[stage("R1-Zero", hours), stage("SFT data", 5000), stage("R1", 41000)],
        ),
        cluster=Cluster(
            accelerator=accelerator,
            devices=512,
            supply=Rate(kind="rate", usd_per_device_hour=UsdPerDeviceHourQuantity(rate)),
        ),
        accounting=Accounting(base_model=BaseRuns(kind="runs", ids=BASE_RUNS)),
    )


def asked(url: str, question: QuoteRequest) -> httpx.Response:
    body = question.model_dump_json(exclude_none=True)
    headers = {"content-type": "application/json"}
    return httpx.post(f"{url}/quote", content=body, headers=headers, timeout=60)


def quoted(url: str, question: QuoteRequest) -> Quote:
    return Quote.model_validate_json(asked(url, question).raise_for_status().content)


def refused(url: str) -> dict[str, object]:
    answer = asked(url, request("no-such-accelerator", 101000, 2.0))
    problem = Problem.model_validate_json(answer.content)
    first = problem.errors[0]
    return {"status": problem.status, "code": first.code, "pointer": first.pointer}


def plain(value: object) -> object:
    """A value without the model around it."""
    return getattr(value, "root", value)


service, later = sys.argv[1:]
H800 = "nvidia-h800-sxm-80gb"
number = quoted(service, request(H800, 101000, 2.0))
interval = quoted(
    service, request(H800, Interval(low=90000, high=120000), Interval(low=1.8, high=2.4))
)
added = quoted(later, request(H800, 101000, 2.0))
print(
    json.dumps(
        {
            "number": {"id": number.id, "total": plain(number.bases[0].total.amount)},
            "interval": {"id": interval.id},
            "refused": refused(service),
            "later": {
                "id": added.id,
                "total": plain(added.bases[0].total.amount),
                "status": added.bases[-1].status,
                "item": plain(added.bases[0].lines[0].item),
                "warning": added.warnings[0].code,
            },
            "later_refused": refused(later),
        }
    )
)
