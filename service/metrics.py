"""All metrics, declared once: base units, labels from closed sets, one registry per app."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Final, Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from service.access.quotas import Outcome
from service.access.traces import Parent
from service.cache import REASONS, BreakerState, Operation, Reason, Result, Tier
from service.computing.allowance import memory_limit_bytes
from service.computing.lanes import Lane
from service.core.answer import EngineStamp
from service.core.draws.memo import KINDS, Memo
from service.editions.shelf import Standing

Phase: TypeAlias = Literal["decode", "key", "compute", "encode"]

LATENCY_BUCKETS_S: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""Objectives: 99% of quotes of known hours within 5 ms, of predicted ones within 50 ms."""
PHASE_BUCKETS_S: Final = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25,
)  # fmt: skip

COMPUTE_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

PRICE_AGE_BUCKETS_DAYS: Final = (7, 14, 30, 60, 90, 120, 180, 270, 365, 548, 730)


class Counts(Collector):
    """A counter whose increments cost next to nothing: it is read when it is scraped.

    It belongs to one thread, as all that counts requests.
    """

    def __init__(
        self, name: str, documentation: str, labels: tuple[str, ...], *, registry: CollectorRegistry
    ) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self.of: defaultdict[tuple[str, ...], int] = defaultdict(int)
        """How often, by the values of the labels."""
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The counts so far."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in self.of.items():
            family.add_metric(labels, count)
        yield family


class CacheCounts:
    """Counts what the cache does and what Redis fails in, and shows the state of the breakers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._operations = Counts(
            "runquote_cache_operations",
            "Cache reads and writes, by tier and result.",
            ("tier", "operation", "result"),
            registry=registry,
        )
        self.failures = Counter(
            "runquote_cache_failures",
            "Commands that Redis gave no usable answer to, and failed probes, by reason.",
            ("reason",),
            registry=registry,
        )
        for reason in REASONS:
            self.failures.labels(reason)
        self.breaker = Gauge(
            "runquote_cache_breaker_state",
            "Servers of Redis by the state that the circuit breaker in front of them is in.",
            ("state",),
            registry=registry,
        )

    def observe(self, tier: Tier, operation: Operation, result: Result) -> None:
        """Count one operation on one tier."""
        self._operations.of[tier, operation, result] += 1

    def failed(self, reason: Reason) -> None:
        """Count one command that Redis gave no answer to."""
        self.failures.labels(reason).inc()

    def breakers(self, states: Mapping[BreakerState, int]) -> None:
        """Show how many servers are asked, and how many are not."""
        for state, servers in states.items():
            self.breaker.labels(state).set(servers)


class ServerCounts:
    """Counts what the server refuses before the application sees it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "runquote_server_refused",
            "Connections and requests that the server ended by its limits, by reason.",
            ("reason",),
            registry=registry,
        )
        self.evicted = Counter(
            "runquote_server_evicted",
            "Idle connections that were closed because too many were open.",
            registry=registry,
        )
        self.connections = Gauge(
            "runquote_server_connections", "Open connections.", registry=registry
        )


class AccessCounts:
    """Counts what is taken from quotas, and shows whether the file of keys is refused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._charges = Counter(
            "runquote_quota_charges",
            "Charges to quotas of callers, by outcome; uncounted: Redis did not count, and the "
            "request went through.",
            ("outcome",),
            registry=registry,
        )
        self._units = Counter(
            "runquote_quota_charged_cpu_milliseconds",
            "Milliseconds of estimated CPU in these charges, by outcome.",
            ("outcome",),
            registry=registry,
        )
        for outcome in get_args(Outcome):
            self._charges.labels(outcome)
            self._units.labels(outcome)
        self._refused = Gauge(
            "runquote_keys_refused",
            "1 while the file of keys cannot be used, and the keys from before it hold.",
            registry=registry,
        )

    def charged(self, outcome: Outcome, units: int) -> None:
        """Count a charge."""
        self._charges.labels(outcome).inc()
        self._units.labels(outcome).inc(units)

    def keys_refused(self, *, is_refused: bool) -> None:
        """Show whether the file of keys can be used."""
        self._refused.set(is_refused)


class MemoCollector(Collector):
    """Reads a memo's counts when they are scraped, so that quotes take no time for it."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo

    def collect(self) -> Iterator[Metric]:
        """The memo's size, and its look-ups by kind and result."""
        yield GaugeMetricFamily(
            "runquote_memo_bytes",
            "What the memo holds of draws, rows and bases that computed quotes share.",
            self._memo.used_bytes,
        )
        yield GaugeMetricFamily(
            "runquote_memo_entries", "How many entries the memo holds.", len(self._memo)
        )
        lookups = CounterMetricFamily(
            "runquote_memo_lookups",
            "Look-ups in the memo, by kind of entry and result.",
            labels=("kind", "result"),
        )
        for kind in KINDS:
            hits, misses = self._memo.counts(kind)
            lookups.add_metric((kind, "hit"), hits)
            lookups.add_metric((kind, "miss"), misses)
        yield lookups


class LogCollector(Collector):
    """Reads how many lines of the log were dropped when it is scraped."""

    def __init__(self, dropped: Callable[[], int]) -> None:
        self._dropped = dropped

    def collect(self) -> Iterator[Metric]:
        """Lines that were dropped, because nobody read them or their device was full."""
        yield CounterMetricFamily(
            "runquote_log_lines_dropped",
            "Lines of the log that were dropped, because nobody read them or the device was full.",
            self._dropped(),
        )


class LaneCollector(Collector):
    """Reads what is computed or waits when it is scraped."""

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterator[Metric]:
        """Quotes that are computed or wait, and the seconds that they are expected to take."""
        tasks = GaugeMetricFamily(
            "runquote_compute_tasks",
            "Quotes that are computed or wait, beside requests or apart in a worker.",
            labels=("lane",),
        )
        waiting = GaugeMetricFamily(
            "runquote_compute_waiting_seconds",
            "Seconds of work that is computed or waits, as estimated.",
            labels=("lane",),
        )
        for name, lane in self._lanes.items():
            tasks.add_metric((name,), lane.tasks)
            waiting.add_metric((name,), lane.waiting_s)
        yield tasks
        yield waiting


class Metrics:
    """The instruments of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._bound: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "runquote_http_requests",
            "Requests answered, by route template.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_duration = Histogram(
            "runquote_http_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.queue_duration = Histogram(
            "runquote_http_queue_duration_seconds",
            "Time from the headers of a request to the start of its work.",
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.loop_lag = Histogram(
            "runquote_event_loop_lag_seconds",
            "How late the event loop comes to a timer, ten times a second.",
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.requests_in_progress = 0
        """Requests being answered."""
        Gauge(
            "runquote_http_requests_in_progress",
            "Requests being answered.",
            registry=self.registry,
        ).set_function(lambda: float(self.requests_in_progress))
        self.quotes = Counter(
            "runquote_quotes",
            "Bills in computed quotes, by basis and outcome; cached quotes are not counted again.",
            ("basis", "outcome"),
            registry=self.registry,
        )
        self.warnings = Counter(
            "runquote_quote_warnings",
            "Warnings and notes in computed quotes, by severity and code.",
            ("severity", "code"),
            registry=self.registry,
        )
        self.claims = Counter(
            "runquote_claims",
            "Judged claims, by the verdict of the best reading; cached ones are not counted again.",
            ("verdict",),
            registry=self.registry,
        )
        self.batch_lines = Counter(
            "runquote_batch_lines",
            "Lines of batches, by whether they were answered with a quote.",
            ("outcome",),
            registry=self.registry,
        )
        self.about_quotes = Counter(
            "runquote_questions_about_quotes",
            "Questions about quotes, by kind and by whether they were answered.",
            ("question", "outcome"),
            registry=self.registry,
        )
        self.agent_calls = Counter(
            "runquote_agent_calls",
            "Calls of the tools for agents, by tool and by whether they were answered.",
            ("tool", "outcome"),
            registry=self.registry,
        )
        self.comparisons = Counter(
            "runquote_comparisons",
            "Computed comparisons, by whether any candidate is feasible.",
            ("outcome",),
            registry=self.registry,
        )
        self.solutions = Counter(
            "runquote_solutions",
            "Computed solutions, by what was to be found and whether it was.",
            ("find", "outcome"),
            registry=self.registry,
        )
        self.candidates = Counter(
            "runquote_compared_candidates",
            "Candidates of computed comparisons, by whether they are feasible.",
            ("outcome",),
            registry=self.registry,
        )
        self.left_out = Counter(
            "runquote_compared_left_out",
            "What computed comparisons did not look at: sizes beyond their bound, and devices that "
            "cost a multiple of others.",
            ("what",),
            registry=self.registry,
        )
        self.compute_duration = Histogram(
            "runquote_compute_duration_seconds",
            "Time to compute an answer, by kind of question; from the worker's queue on, if apart.",
            ("kind",),
            buckets=COMPUTE_BUCKETS_S,
            registry=self.registry,
        )
        self.price_age = Histogram(
            "runquote_quote_price_age_days",
            "Days today since the middle one of the prices behind a quote was read, by family of "
            "its accelerator; each quote once a day.",
            ("family",),
            buckets=PRICE_AGE_BUCKETS_DAYS,
            registry=self.registry,
        )
        self.problems = Counter(
            "runquote_problems",
            "Problems answered, by slug.",
            ("problem",),
            registry=self.registry,
        )
        self.cache = CacheCounts(self.registry)
        self.server = ServerCounts(self.registry)
        self.access = AccessCounts(self.registry)
        self.cache_memory_bytes = Gauge(
            "runquote_cache_memory_bytes",
            "What the in-memory cache holds.",
            registry=self.registry,
        )
        self._brotli_copies = Counter(
            "runquote_brotli_copies",
            "Brotli copies of answers that were sent again and again: made, not made because too "
            "many waited, or failed.",
            ("outcome",),
            registry=self.registry,
        )
        for outcome in ("made", "dropped", "failed"):
            self._brotli_copies.labels(outcome)
        Gauge(
            "runquote_memory_limit_bytes",
            "What the container lets the process take; 0 if there is no limit.",
            registry=self.registry,
        ).set(memory_limit_bytes())
        self.catalog_timestamp = Gauge(
            "runquote_catalog_timestamp_seconds",
            "Unix time from which the catalog speaks; its age is time() minus this.",
            registry=self.registry,
        )
        self.catalog_looks = Counter(
            "runquote_catalog_looks",
            "Changes found in the folder of editions and the price book, by outcome and reason.",
            ("outcome", "reason"),
            registry=self.registry,
        )
        self.catalog_refused = Gauge(
            "runquote_catalog_refused",
            "Editions and price books that lie there and are not used, because they are bad.",
            registry=self.registry,
        )
        self.catalog_editions = Gauge(
            "runquote_catalog_editions",
            "Editions of the catalog that a request may ask for.",
            registry=self.registry,
        )
        self.phase_duration = Histogram(
            "runquote_engine_phase_duration_seconds",
            "Time that a quote spends in each phase.",
            ("phase",),
            buckets=PHASE_BUCKETS_S,
            registry=self.registry,
        )
        self.build_info = Gauge(
            "runquote_build_info",
            "1, labelled with versions and digests of the engine and of the catalog.",
            ("version", "engine_digest", "catalog_version", "catalog_digest"),
            registry=self.registry,
        )

    def answered(
        self,
        method: str,
        route: str,
        status: int,
        *,
        queued_s: float,
        duration_s: float,
        trace: Parent | None = None,
    ) -> None:
        """Count a request that is over, and observe how long it waited and took.

        A trace that is kept is an example of the time that its request took.
        """
        bound = self._bound.get((method, route, status))
        if bound is None:
            bound = (
                self.requests.labels(method, route, str(status)),
                self.request_duration.labels(method, route),
            )
            self._bound[method, route, status] = bound
        self.queue_duration.observe(queued_s)
        bound[0].inc()
        example = {"trace_id": trace.trace} if trace is not None and trace.sampled else None
        bound[1].observe(duration_s, example)

    def copied_by_brotli(self, outcome: str) -> None:
        """Count what came of one Brotli copy."""
        self._brotli_copies.labels(outcome).inc()

    def stands(self, standing: Standing, engine: EngineStamp) -> None:
        """Show the edition that answers now, the date it speaks from, and what was refused."""
        current = standing.current
        published = datetime.fromisoformat(current.catalog.published_at)
        self.catalog_timestamp.set(published.timestamp())
        self.catalog_refused.set(len(standing.refused))
        self.catalog_editions.set(len(standing.versions))
        self.build_info.clear()
        self.build_info.labels(engine.version, engine.digest, current.version, current.digest).set(
            1
        )

    def watch(self, memo: Memo) -> None:
        """Show the size of a memo, and its look-ups."""
        self.registry.register(MemoCollector(memo))

    def watch_lanes(self, lanes: Mapping[str, Lane]) -> None:
        """Show what is computed or waits."""
        self.registry.register(LaneCollector(lanes))

    def watch_log(self, dropped: Callable[[], int]) -> None:
        """Show how many lines of the log were dropped."""
        self.registry.register(LogCollector(dropped))

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Observe how long the body of a `with` takes."""
        start = perf_counter()
        try:
            yield
        finally:
            self.phase_duration.labels(phase).observe(perf_counter() - start)

    @contextmanager
    def computing(self, kind: str) -> Iterator[None]:
        """Observe how long an answer of a kind takes to compute."""
        start = perf_counter()
        try:
            yield
        finally:
            self.compute_duration.labels(kind).observe(perf_counter() - start)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text, in the format that the scraper prefers, and its content type."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type
