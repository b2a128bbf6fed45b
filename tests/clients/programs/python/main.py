"""Sends four requests through the client that openapi-generator made, and prints what it read."""

import json
import sys

from openapi_client import (
    AcceleratorChoice,
    Accounting,
    AccountingBaseModel,
    ApiClient,
    ApiException,
    BaseRuns,
    Cluster,
    ClusterSupply,
    Configuration,
    DeviceHoursQuantity,
    Interval,
    Metered,
    Problem,
    Quote,
    QuoteRequest,
    QuotesApi,
    Rate,
    Run,
    Stage,
    StageWork,
    UsdPerDeviceHourQuantity,
)

BASE_RUNS = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]


def stage(name: str, hours: float | Interval) -> Stage:
    work = Metered(kind="metered", device_hours=DeviceHoursQuantity(hours))
    return Stage(name=name, work=StageWork(work))


def request(accelerator: str, hours: float | Interval, rate: float | Interval) -> QuoteRequest:
    supply = Rate(kind="rate", usd_per_device_hour=UsdPerDeviceHourQuantity(rate))
    return QuoteRequest(
        run=Run(
            name="DeepSeek-R1",
            stages=[stage("R1-Zero", hours), stage("SFT data", 5000.0), stage("R1", 41000.0)],
        ),
        cluster=Cluster(
            accelerator=AcceleratorChoice(accelerator),
            devices=512,
            supply=ClusterSupply(supply),
        ),
        accounting=Accounting(base_model=AccountingBaseModel(BaseRuns(kind="runs", ids=BASE_RUNS))),
    )


def asked(url: str, question: QuoteRequest) -> Quote:
    return QuotesApi(ApiClient(Configuration(host=url))).create_quote(question)


def refused(url: str) -> dict[str, object]:
    try:
        asked(url, request("no-such-accelerator", 101000.0, 2.0))
    except ApiException as refusal:
        problem: Problem = refusal.data
        first = problem.errors[0]
        return {"status": problem.status, "code": first.code, "pointer": first.pointer}
    raise AssertionError("it was not refused")


service, later = sys.argv[1:]
H800 = "nvidia-h800-sxm-80gb"
number = asked(service, request(H800, 101000.0, 2.0))
interval = asked(
    service, request(H800, Interval(low=90000, high=120000), Interval(low=1.8, high=2.4))
)
added = asked(later, request(H800, 101000.0, 2.0))
print(
    json.dumps(
        {
            "number": {"id": number.id, "total": number.bases[0].total.amount},
            "interval": {"id": interval.id},
            "refused": refused(service),
            "later": {
                "id": added.id,
                "total": added.bases[0].total.amount,
                "status": added.bases[-1].status,
                "item": added.bases[0].lines[0].item,
                "warning": added.warnings[0].code,
            },
            "later_refused": refused(later),
        }
    )
)
