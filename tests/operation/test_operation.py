"""Alerts in the hands of a real Prometheus: firing for their causes, and silent without them.

`make ops-test` runs this. It takes programs that are not Python's; toolchain.sh fetches them.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lab.dashboard import expressions
from service.access.keys import add_entry, new_key
from service.api.contract.examples import R1_CLAIM
from tests.deploy.programs import PROMETHEUS_CONFIG, RULES, RULES_TEST, TOP
from tests.deploy.test_rules import ALERTS, RECORDED, SCRAPE_SERIES, nodes
from tests.layers import H100, write_book
from tests.operation.programs import start_prometheus, told
from tests.redis_server import start_redis, unused_port
from tests.requests import R1, V3, disaggregated_stages
from tests.server import Service, start_service
from tests.wire import connected, said, sent

pytestmark = [pytest.mark.toolchain, pytest.mark.timeout(540)]

MINUTES = 60
MARKET = R1 | {"cluster": R1["cluster"] | {"accelerator": H100, "supply": {"kind": "market"}}}
RATE = f"h100-2027,coreweave,{H100},1.87,2026-11-02,frame,8,on_demand\n"
FOR_REAL = {
    "RunquoteCacheUnreachable",
    "RunquoteCacheFails",
    "RunquoteQuotasUncounted",
    "RunquoteKeysRefused",
    "RunquoteCatalogRefused",
    "RunquoteReplicasDiffer",
    "RunquoteDown",
    "RunquoteSheds",
    "RunquoteErrorBudgetBurnsFast",
    "RunquoteErrorBudgetBurns",
    "RunquoteErrorBudgetBurnsSlowly",
    "RunquoteQuotesSlow",
}
"""Alerts whose cause is made here. The causes of the others are months, a full disk, a lost scrape
or a full memory: those are in rules_test.yml."""
OF_TOO_MUCH = {
    "RunquoteSheds",
    "RunquoteErrorBudgetBurnsFast",
    "RunquoteErrorBudgetBurns",
    "RunquoteErrorBudgetBurnsSlowly",
    "RunquoteQuotesSlow",
}


OF_THE_MACHINE = {"RunquoteQuotesSlow", "RunquoteLoopLate"}
"""Alerts that judge how fast the machine is. That of a test may be busy; rules_test.yml has the
cases in which they are silent."""


def test_the_rules_and_configurations_are_read_by_their_programs():
    assert "SUCCESS" in told("promtool", "check", "rules", RULES)
    assert "SUCCESS" in told("promtool", "check", "config", PROMETHEUS_CONFIG)
    config = TOP / "deploy/alertmanager/alertmanager.yml"
    assert "SUCCESS" in told("amtool", "check-config", config)


def test_every_alert_fires_and_is_silent_as_its_cases_say():
    assert "SUCCESS" in told("promtool", "test", "rules", RULES_TEST)


def ordinary(service: Service, key: str, *, rounds: int, first: int = 0) -> None:
    """Requests as callers make them: new quotes and old ones, mistakes, reads, documents."""
    headers = {"authorization": f"Bearer {key}"}
    for number in range(first, first + rounds):
        for body in (R1, V3, MARKET, R1 | {"run": R1["run"] | {"name": f"run {number}"}}):
            answer = service.client.post("/quote", json=body, headers=headers)
            assert answer.status_code == 200
        service.client.get(answer.headers["content-location"], headers=headers)
        service.client.post("/quote", content=b"{", headers=headers)
        service.client.post("/claim", json=R1_CLAIM.request, headers=headers)
        with connected(service) as one:
            sent(one, b"GET /livez HTTP/1.1\r\n\r\n")
            said(one)
        for path in ("/catalog/models", "/docs", "/livez", "/readyz", "/nowhere"):
            service.client.get(path, headers=headers)


def samples(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    file = tmp_path / "keys.toml"
    key, entry = new_key("planning", made=date(2026, 11, 28), cpu_s_per_minute=10_000)
    add_entry(file, entry)
    return file, key


def test_an_hour_of_ordinary_traffic_replayed_fires_nothing(keys, tmp_path):
    """What a minute of traffic adds to the series of a real server goes on for an hour."""
    file, key = keys
    scraped_on = unused_port()
    with (
        start_redis() as redis,
        start_service(
            RUNQUOTE_KEYS_FILE=str(file),
            RUNQUOTE_REDIS_URL=redis.url,
            RUNQUOTE_METRICS_PORT=str(scraped_on),
            RUNQUOTE_REDIS_TIMEOUT_S="1",
        ) as service,
    ):
        ordinary(service, key, rounds=5)
        before = samples(scraped_on)
        ordinary(service, key, rounds=20, first=5)
        after = samples(scraped_on)
    now = time.time()
    series = [{"series": 'up{job="runquote", instance="a:8000"}', "values": f"1x{MINUTES}"}]
    for (name, labels), value in after.items():  # the world of promtool begins in 1970
        start = before.get((name, labels), 0.0)
        since = now if name.endswith("_timestamp_seconds") else 0.0
        told_labels = {"job": "runquote", "instance": "a:8000", **dict(labels)}
        written = ", ".join(f'{label}="{text}"' for label, text in told_labels.items())
        counts = name.endswith(("_total", "_bucket", "_sum", "_count"))
        values = f"{start}+{value - start}x{MINUTES}" if counts else f"{value - since}x{MINUTES}"
        series.append({"series": f"{name}{{{written}}}", "values": values.replace("+-", "-")})
    moments = [f"{minute}m" for minute in range(10, MINUTES + 1, 10)]
    case = {
        "name": "an hour of ordinary traffic",
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [
            {"alertname": alert, "eval_time": moment, "exp_alerts": []}
            for alert in set(ALERTS) - OF_THE_MACHINE
            for moment in moments
        ],
    }
    replay = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [case]}
    (tmp_path / "replay.yml").write_text(yaml.safe_dump(replay))
    assert "SUCCESS" in told("promtool", "test", "rules", tmp_path / "replay.yml")


def cheap(number: int) -> dict[str, Any]:
    return R1 | {"run": R1["run"] | {"name": f"cheap {number}"}}


@contextlib.contextmanager
def asking(
    service: Service, key: str, make: Callable[[int], dict[str, Any]], *, callers: int
) -> Iterator[None]:
    """Callers who ask for new quotes, one after the other."""
    ended = threading.Event()

    def ask(number: int) -> None:
        asked = number * 10_000
        with httpx.Client(base_url=service.url, timeout=60.0) as client:
            while not ended.is_set():
                asked += 1
                body = make(asked)
                headers = {"authorization": f"Bearer {key}"}
                with contextlib.suppress(httpx.TransportError):
                    client.post("/quote", json=body, headers=headers)

    threads = [
        threading.Thread(target=ask, args=(callers * 100 + number,)) for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_alerts_fire_for_causes_that_are_made_and_are_silent_before(keys, tmp_path):
    file, key = keys
    editions = tmp_path / "editions"
    editions.mkdir()
    ports = [unused_port(), unused_port()]
    common = {
        "RUNQUOTE_KEYS_FILE": str(file),
        "RUNQUOTE_CATALOG_DIR": str(editions),
        "RUNQUOTE_CATALOG_POLL_S": "0.2",
        "RUNQUOTE_COMPUTE_QUEUE_S": "0.2",
        "RUNQUOTE_DRAIN_S": "0",
    }
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(start_redis())
        service = stack.enter_context(
            start_service(
                **common, RUNQUOTE_REDIS_URL=redis.url, RUNQUOTE_METRICS_PORT=str(ports[0])
            )
        )
        other = stack.enter_context(
            start_service(RUNQUOTE_KEYS_FILE=str(file), RUNQUOTE_METRICS_PORT=str(ports[1]))
        )
        (tmp_path / "prometheus").mkdir()
        prometheus = stack.enter_context(
            start_prometheus(tmp_path / "prometheus", [f"127.0.0.1:{port}" for port in ports])
        )
        ordinary(service, key, rounds=10)
        time.sleep(5)  # as many scrapes as five minutes have
        assert prometheus.firing() <= OF_THE_MACHINE
        check_expressions(prometheus)

        redis.kill()
        (editions / "2099-01-01").mkdir()
        (editions / "2099-01-01" / "catalog.toml").write_text("nonsense")
        file.write_text("nonsense")
        with asking(service, key, disaggregated_stages, callers=6):
            assert prometheus.fires(OF_TOO_MUCH, within_s=120) == set()
        with asking(service, key, cheap, callers=1):
            left = FOR_REAL - OF_TOO_MUCH - {"RunquoteDown", "RunquoteReplicasDiffer"}
            assert prometheus.fires(left, within_s=120) == set()
        other.stop()
        assert prometheus.fires({"RunquoteDown"}, within_s=60) == set()


def check_expressions(prometheus: Any) -> None:
    """Every expression is understood; every series that one asks for is there."""
    names = set(prometheus.asked("label/__name__/values"))
    asked = [rule["expr"] for rule in ALERTS.values()] + expressions()
    for expression in asked:
        prometheus.asked("query", query=expression.replace("$job", "runquote"))
        for node in nodes(expression):
            if isinstance(node, promql.VectorSelector) and node.name not in SCRAPE_SERIES:
                assert node.name in names | RECORDED, node.name


def test_replicas_with_other_catalogs_are_told_apart(tmp_path):
    ports = [unused_port(), unused_port()]
    book = tmp_path / "book"
    for folder in ("prometheus", "book"):
        (tmp_path / folder).mkdir()
    with (
        start_service(RUNQUOTE_METRICS_PORT=str(ports[0])),
        start_service(
            RUNQUOTE_METRICS_PORT=str(ports[1]), RUNQUOTE_PRICE_BOOK=str(write_book(book, RATE))
        ),
        start_prometheus(
            tmp_path / "prometheus", [f"127.0.0.1:{port}" for port in ports]
        ) as prometheus,
    ):
        assert prometheus.fires({"RunquoteReplicasDiffer"}, within_s=90) == set()
        assert prometheus.firing() - OF_THE_MACHINE == {"RunquoteReplicasDiffer"}
