"""Sends four requests through the client of openapi-python-client, and prints what it read."""

import json
import sys

from quotes_client import Client
from quotes_client.api.quotes import create_quote
from quotes_client.models import (
    Accounting,
    BaseRuns,
    BaseRunsKind,
    Cluster,
    Interval,
    Metered,
    MeteredKind,
    Problem,
    Quote,
    QuoteRequest,
    Rate,
    RateKind,
    Run,
    Stage,
)

BASE_RUNS = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]


def stage(name: str, hours: float | Interval) -> Stage:
    return Stage(name=name, work=Metered(kind=MeteredKind.METERED, device_hours=hours))


def request(accelerator: str, hours: float | Interval, rate: float | Interval) -> QuoteRequest:
    return QuoteRequest(
        run=Run(
            name="DeepSeek-R1",
            stages=[stage("R1-Zero", hours), stage("SFT data", 5000), stage("R1", 41000)],
        ),
        cluster=Cluster(
            accelerator=accelerator,
            devices=512,
            supply=Rate(kind=RateKind.RATE, usd_per_device_hour=rate),
        ),
        accounting=Accounting(base_model=BaseRuns(kind=BaseRunsKind.RUNS, ids=BASE_RUNS)),
    )


def asked(url: str, question: QuoteRequest) -> Quote | Problem | None:
    return create_quote.sync(client=Client(base_url=url), body=question)


def quoted(url: str, question: QuoteRequest) -> Quote:
    answer = asked(url, question)
    assert isinstance(answer, Quote)
    return answer


def refused(url: str) -> dict[str, object]:
    answer = asked(url, request("no-such-accelerator", 101000, 2.0))
    assert isinstance(answer, Problem)
    first = answer.errors[0]
    return {"status": answer.status, "code": first.code, "pointer": first.pointer}


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
