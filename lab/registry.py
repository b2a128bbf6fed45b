"""docs/registry.md: all metrics, alerts, kinds of problems and codes of warnings, on one page."""

from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.metrics import MetricWrapperBase

from lab.files import ROOT
from service.api.refusing.problems import KINDS
from service.computing.lanes import Lane
from service.core.answer.warnings import WARNINGS
from service.core.draws.memo import Memo
from service.metrics import Metrics

PAGE: Final = ROOT / "docs" / "registry.md"
RULES: Final = ROOT / "deploy" / "prometheus" / "rules.yml"
OWN: Final = "runquote_"


def metric_rows() -> list[str]:
    """Each metric of our own with its kind, its labels and its words, by name."""
    metrics = Metrics()
    metrics.watch(Memo())
    metrics.watch_lanes({"beside": Lane(at_once=1, most_waiting_s=1.0)})
    metrics.watch_log(lambda: 0)
    labels = {
        one._name: one._labelnames  # noqa: SLF001 - the library shows them nowhere else
        for one in metrics.registry._collector_to_names  # noqa: SLF001
        if isinstance(one, MetricWrapperBase)
    }
    return [
        f"| `{family.name}` | {family.type} | {_listed(_labels_of(family, labels))} | "
        f"{family.documentation} |"
        for family in sorted(metrics.registry.collect(), key=lambda family: family.name)
        if family.name.startswith(OWN)
    ]


def _labels_of(family: Any, known: dict[str, Any]) -> tuple[str, ...]:
    found = {label for sample in family.samples for label in sample.labels} - {"le"}
    return tuple(known.get(family.name, sorted(found)))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def alerts(rules: Path = RULES) -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    groups = yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def registry_page() -> str:
    """The page."""
    told = "\n".join(
        f"| [{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {rule['for']} |"
        for name, rule in alerts().items()
    )
    kinds = "\n".join(f"| `{kind.uri}` | {kind.status} | {kind.title} |" for kind in KINDS.values())
    codes = "\n".join(
        f"| `{code}` | {kind.severity} | {kind.meaning} |"
        for code, kind in sorted(WARNINGS.items())
    )
    return "\n".join(
        (
            "# Registry: what it measures, alerts to, refuses and warns of",
            "",
            "Made by `python -m lab registry` from the code; each can occur, as tests hold.",
            "",
            "## Metrics\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |",
            *metric_rows(),
            "",
            "## Alerts\n\n| alert | severity | fires after |\n| --- | --- | --- |",
            told,
            "",
            "## Kinds of problems\n\n| type | status | title |\n| --- | --- | --- |",
            kinds,
            "",
            "## Codes of warnings\n\n| code | severity | meaning |\n| --- | --- | --- |",
            codes,
            "",
        )
    )
