"""The rules: they parse, they ask for metrics that the service has, and none is without a test.

What they do is tested where they are evaluated: `promtool test rules rules_test.yml`.
"""

import inspect
import re
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from service.cache import BREAKER_STATES
from service.computing.lanes import Lane
from service.core.draws.memo import Memo
from service.identity.canonical import content_id
from service.metrics import Counts, Metrics
from tests.deploy.programs import RULES, RULES_TEST, TOP

RUNBOOKS = TOP / "docs" / "runbooks"

RULE_LIST: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULE_LIST if "alert" in rule}
RECORDED = {rule["record"] for rule in RULE_LIST if "record" in rule}
TESTS: list[dict[str, Any]] = yaml.safe_load(RULES_TEST.read_text())["tests"]


TARGET_LABELS = {"job", "instance"}
SCRAPE_SERIES = {"up": TARGET_LABELS}


def nodes(expression: str) -> list[promql.Expr]:
    """An expression and every expression in it."""
    found: list[promql.Expr] = []
    promql.walk(promql.parse(expression), found.append)
    return found


def exposed() -> dict[str, set[str]]:
    """The series that the service exposes, each with its labels."""
    metrics = Metrics()
    metrics.watch(Memo())
    metrics.watch_lanes({"apart": Lane(at_once=1, most_waiting_s=1.0)})
    metrics.watch_log(lambda: 0)
    series: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            series.setdefault(sample.name, set(TARGET_LABELS)).update(sample.labels)
    for instrument in metrics.registry._collector_to_names:
        if isinstance(instrument, Counts):
            series[f"{instrument._name}_total"] = TARGET_LABELS | set(instrument._labels)
        if not isinstance(instrument, MetricWrapperBase):
            continue
        labels = TARGET_LABELS | set(instrument._labelnames)
        match instrument:
            case Counter():
                series[f"{instrument._name}_total"] = labels
            case Histogram():
                series[f"{instrument._name}_bucket"] = labels | {"le"}
                series[f"{instrument._name}_sum"] = series[f"{instrument._name}_count"] = labels
            case _:
                series[instrument._name] = labels
    return series


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_series_and_labels_that_there_are(rule):
    known = exposed() | SCRAPE_SERIES
    for node in nodes(rule["expr"]):
        if not isinstance(node, promql.VectorSelector) or node.name in RECORDED:
            continue
        assert node.name in known
        assert {matcher.name for matcher in node.matchers.matchers} <= known[node.name]


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_groups_by_labels_that_its_series_have(rule):
    known = exposed() | SCRAPE_SERIES
    for node in nodes(rule["expr"]):
        if not isinstance(node, promql.AggregateExpr) or node.modifier is None:
            continue
        for inner in nodes(node.expr.prettify()):
            if isinstance(inner, promql.VectorSelector) and inner.name not in RECORDED:
                assert inner.name is not None
                assert set(node.modifier.labels) <= known[inner.name]


def test_the_breaker_is_asked_for_a_state_that_it_has():
    (closed,) = (
        matcher.value
        for node in nodes(ALERTS["RunquoteCacheUnreachable"]["expr"])
        if isinstance(node, promql.VectorSelector)
        for matcher in node.matchers.matchers
    )
    assert closed in BREAKER_STATES


def test_replicas_are_told_apart_by_all_that_their_ids_cover():
    (told_apart,) = (
        set(node.modifier.labels)
        for node in nodes(ALERTS["RunquoteReplicasDiffer"]["expr"])
        if isinstance(node, promql.AggregateExpr)
        and node.modifier is not None
        and set(node.modifier.labels) != {"job"}
    )
    covered = set(inspect.signature(content_id).parameters) - {"canonical", "prefix", "domain"}
    assert told_apart == covered | {"job"}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert):
    expected = [
        bool(case["exp_alerts"])
        for test in TESTS
        for case in test.get("alert_rule_test", ())
        if case["alertname"] == alert
    ]
    assert set(expected) == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert):
    assert ALERTS[alert]["labels"]["severity"] in {"page", "ticket"}
    assert set(ALERTS[alert]["annotations"]) == {"summary", "action", "runbook_url"}


HEADINGS = ["What it means", "What callers see", "Where to look", "What to do"]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_leads_to_a_page_that_says_what_it_watches(alert):
    page = TOP / ALERTS[alert]["annotations"]["runbook_url"]
    assert page == RUNBOOKS / f"{alert}.md"
    text = page.read_text()
    assert text.startswith(f"# {alert}\n\nSeverity: {ALERTS[alert]['labels']['severity']}:")
    assert " ".join(ALERTS[alert]["expr"].split()) in text
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert f"[{alert}]({alert}.md)" in (RUNBOOKS / "README.md").read_text()


def test_there_is_no_page_of_an_alert_that_is_gone():
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {"README", *ALERTS}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_leads_to_pages_and_metrics_that_there_are(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    known = exposed()
    for name in re.findall(r"\b(?:runquote|process)_[a-z0-9_]+", text):
        at_all = {name, f"{name}_bucket"} & known.keys() or any(
            recorded.endswith((name, f"{name}:p99_rate5m")) or name in recorded
            for recorded in RECORDED
        )
        assert at_all, name
