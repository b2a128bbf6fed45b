"""The dashboard and Alertmanager's example: made from code, and about series that there are."""

import json

import promql_parser as promql
import pytest
import yaml

from lab.dashboard import PATH, dashboard_json, expressions
from tests.deploy.programs import TOP
from tests.deploy.test_rules import ALERTS, RECORDED, SCRAPE_SERIES, exposed, nodes


def test_the_file_is_what_the_code_makes():
    assert PATH.read_text() == dashboard_json(), "run: python -m lab dashboard"


@pytest.mark.parametrize("expression", expressions())
def test_a_panel_asks_for_series_and_labels_that_there_are(expression):
    known = exposed() | SCRAPE_SERIES
    selectors = [node for node in nodes(expression) if isinstance(node, promql.VectorSelector)]
    assert selectors
    for node in selectors:
        assert node.name in RECORDED or node.name in known
        asked = {matcher.name for matcher in node.matchers.matchers}
        assert "job" in asked
        if node.name in known:
            assert asked <= known[node.name]
    for other in nodes(expression):
        if isinstance(other, promql.AggregateExpr) and other.modifier is not None:
            for inner in nodes(other.expr.prettify()):
                if isinstance(inner, promql.VectorSelector) and inner.name in known:
                    assert set(other.modifier.labels) <= known[inner.name]


def test_every_expression_of_the_file_is_one_of_the_code():
    panels = json.loads(PATH.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert asked == expressions()
    assert all(panel["title"] for panel in panels)
    places = [tuple(panel["gridPos"].values()) for panel in panels if "gridPos" in panel]
    assert len(set(places)) == len(places)


def test_the_recorded_series_are_drawn_or_alerted_on():
    told = "\n".join((*expressions(), *(alert["expr"] for alert in ALERTS.values())))
    assert {name for name in RECORDED if name not in told} == set()


def test_alertmanager_sends_every_severity_somewhere_and_mutes_alerts_that_there_are():
    config = yaml.safe_load((TOP / "deploy/alertmanager/alertmanager.yml").read_text())
    receivers = {one["name"] for one in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers
    assert {alert["labels"]["severity"] for alert in ALERTS.values()} == {"page", "ticket"}
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            name, _, value = matcher.replace("=~", "=").partition("=")
            assert name == "alertname"
            assert set(value.strip('"').split("|")) <= set(ALERTS)
