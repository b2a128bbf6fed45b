"""The dashboard of the service, as Grafana reads it: made from this list, never by hand."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.dashboard import Row as RowBuilder
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import TimeZoneBrowser
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh
from msgspec import Struct

from lab.files import ROOT

PATH: Final = ROOT / "deploy" / "grafana" / "runquote.json"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")
JOB: Final = 'job="$job"'
WIDTH: Final = 8
HEIGHT: Final = 7
STATS: Final = 4


class Drawn(Struct, frozen=True):
    """A panel: its title, its unit, and expressions with the names of their series."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    words: str = ""
    is_one_number: bool = False


class Part(Struct, frozen=True):
    """Panels under one heading."""

    title: str
    panels: tuple[Drawn, ...]


def quantiles(metric: str, *, by: str = "", where: str = JOB) -> tuple[tuple[str, str], ...]:
    """The median and the 99th percentile of a histogram."""
    labels = f"{by}, le" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return tuple(
        (
            f"histogram_quantile({of}, sum by ({labels}) (rate({metric}_bucket{{{where}}}[5m])))",
            f"{legend}{name}",
        )
        for of, name in ((0.5, "p50"), (0.99, "p99"))
    )


PARTS: Final = (
    Part(
        "What callers get",
        (
            Drawn(
                "Replicas that answer",
                "short",
                ((f"sum(up{{{JOB}}})", ""),),
                is_one_number=True,
            ),
            Drawn(
                "Failed in the last hour",
                "percentunit",
                ((f"job:runquote_http_requests_failed:ratio_rate1h{{{JOB}}}", ""),),
                "The objective is 0.1% over 30 days.",
                is_one_number=True,
            ),
            Drawn(
                "p99 of a posted quote",
                "s",
                ((f"job:runquote_quote_request_duration_seconds:p99_rate5m{{{JOB}}}", ""),),
                "The objective is 50 ms.",
                is_one_number=True,
            ),
            Drawn(
                "Days since the catalog spoke",
                "d",
                ((f"(time() - max(runquote_catalog_timestamp_seconds{{{JOB}}})) / 86400", ""),),
                is_one_number=True,
            ),
            Drawn(
                "Requests",
                "reqps",
                ((f"job_route:runquote_http_requests:rate5m{{{JOB}}}", "{{route}}"),),
            ),
            Drawn(
                "Answers by status",
                "reqps",
                (
                    (
                        f"sum by (status) (rate(runquote_http_requests_total{{{JOB}}}[5m]))",
                        "{{status}}",
                    ),
                ),
            ),
            Drawn(
                "Problems",
                "reqps",
                (
                    (
                        f"sum by (problem) (rate(runquote_problems_total{{{JOB}}}[5m]))",
                        "{{problem}}",
                    ),
                ),
            ),
            Drawn(
                "Time of a posted quote",
                "s",
                quantiles(
                    "runquote_http_request_duration_seconds",
                    where=f'{JOB}, route="/quote", method="POST"',
                ),
            ),
            Drawn(
                "Burn of the budget of faults",
                "short",
                tuple(
                    (f"job:runquote_http_requests_failed:ratio_rate{w}{{{JOB}}} / 0.001", w)
                    for w in ("5m", "1h", "6h", "3d")
                ),
                "1 spends the budget of 30 days in 30 days.",
            ),
            Drawn(
                "Quotes and claims computed",
                "reqps",
                (
                    (
                        f"sum by (basis, outcome) (rate(runquote_quotes_total{{{JOB}}}[5m]))",
                        "{{basis}} {{outcome}}",
                    ),
                    (f"sum by (verdict) (rate(runquote_claims_total{{{JOB}}}[5m]))", "{{verdict}}"),
                ),
            ),
        ),
    ),
    Part(
        "How busy it is",
        (
            Drawn(
                "CPU",
                "short",
                ((f"rate(process_cpu_seconds_total{{{JOB}}}[5m])", "{{instance}}"),),
                "Cores in use.",
            ),
            Drawn(
                "Memory",
                "bytes",
                (
                    (f"process_resident_memory_bytes{{{JOB}}}", "{{instance}}"),
                    (f"max(runquote_memory_limit_bytes{{{JOB}}})", "limit"),
                ),
            ),
            Drawn(
                "Seconds of quotes that wait",
                "s",
                ((f"runquote_compute_waiting_seconds{{{JOB}}}", "{{instance}} {{lane}}"),),
            ),
            Drawn(
                "How late the loop is",
                "s",
                (
                    (
                        f"job_instance:runquote_event_loop_lag_seconds:p99_rate5m{{{JOB}}}",
                        "{{instance}} p99",
                    ),
                ),
            ),
            Drawn(
                "Time by phase",
                "s",
                quantiles("runquote_engine_phase_duration_seconds", by="phase"),
            ),
            Drawn(
                "Connections",
                "short",
                (
                    (f"runquote_server_connections{{{JOB}}}", "{{instance}}"),
                    (f"sum(rate(runquote_server_evicted_total{{{JOB}}}[5m]))", "evicted a second"),
                ),
            ),
            Drawn(
                "Refused by the server",
                "reqps",
                (
                    (
                        f"sum by (reason) (rate(runquote_server_refused_total{{{JOB}}}[5m]))",
                        "{{reason}}",
                    ),
                ),
            ),
            Drawn(
                "Quotas",
                "reqps",
                (
                    (
                        f"sum by (outcome) (rate(runquote_quota_charges_total{{{JOB}}}[5m]))",
                        "{{outcome}}",
                    ),
                ),
            ),
            Drawn(
                "CPU asked for",
                "short",
                (
                    (
                        (
                            "sum by (outcome) "
                            f"(rate(runquote_quota_charged_cpu_milliseconds_total{{{JOB}}}[5m]))"
                            " / 1000"
                        ),
                        "{{outcome}}",
                    ),
                ),
                "Cores that callers ask for, as estimated.",
            ),
        ),
    ),
    Part(
        "What it keeps, and what it quotes with",
        (
            Drawn(
                "Found in the cache",
                "percentunit",
                ((f"job_tier:runquote_cache_reads_hit:ratio_rate5m{{{JOB}}}", "{{tier}}"),),
            ),
            Drawn(
                "Kept in memory",
                "bytes",
                (
                    (f"runquote_cache_memory_bytes{{{JOB}}}", "{{instance}} answers"),
                    (f"runquote_memo_bytes{{{JOB}}}", "{{instance}} draws and rows"),
                ),
            ),
            Drawn(
                "Servers of Redis by breaker",
                "short",
                ((f"sum by (state) (runquote_cache_breaker_state{{{JOB}}})", "{{state}}"),),
            ),
            Drawn(
                "What Redis fails in",
                "reqps",
                (
                    (
                        f"sum by (reason) (rate(runquote_cache_failures_total{{{JOB}}}[5m])) > 0",
                        "{{reason}}",
                    ),
                ),
            ),
            Drawn(
                "Engines and catalogs",
                "short",
                (
                    (
                        (
                            "count by (version, engine_digest, catalog_version) "
                            f"(runquote_build_info{{{JOB}}})"
                        ),
                        "{{version}} {{catalog_version}}",
                    ),
                ),
                "Replicas by what their ids cover.",
            ),
            Drawn(
                "Age of prices",
                "d",
                (
                    (
                        (
                            "histogram_quantile(0.5, sum by (family, le) "
                            f"(rate(runquote_quote_price_age_days_bucket{{{JOB}}}[1d])))"
                        ),
                        "{{family}}",
                    ),
                ),
            ),
            Drawn(
                "Warnings",
                "reqps",
                (
                    (
                        f"sum by (code) (rate(runquote_quote_warnings_total{{{JOB}}}[5m]))",
                        "{{code}}",
                    ),
                ),
            ),
        ),
    ),
)


def expressions() -> list[str]:
    """All that the dashboard asks Prometheus for."""
    return [expression for part in PARTS for panel in part.panels for expression, _ in panel.lines]


def dashboard_json() -> str:
    """The dashboard, as its file has it."""
    made = (
        Dashboard("runquote")
        .uid("runquote")
        .tags(["runquote"])
        .editable()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone(TimeZoneBrowser)
        .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(
            QueryVariable("job")
            .label("job")
            .datasource(SOURCE)
            .query("label_values(runquote_build_info, job)")
            .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        )
    )
    for part in PARTS:
        made = made.with_row(RowBuilder(part.title))
        for drawn in part.panels:
            made = made.with_panel(_panel(drawn))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _panel(drawn: Drawn) -> Stat | TimeSeries:
    panel: Stat | TimeSeries = (Stat if drawn.is_one_number else TimeSeries)()
    panel.title(drawn.title).unit(drawn.unit).datasource(SOURCE).description(drawn.words)
    panel.span(6 if drawn.is_one_number else WIDTH).height(STATS if drawn.is_one_number else HEIGHT)
    for number, (expression, legend) in enumerate(drawn.lines):
        query = Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
        panel.with_target(query)
    return panel
