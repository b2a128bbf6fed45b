"""Builds the whole application from Settings."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from msgspec import Struct

from service.access.quotas import Quotas
from service.access.ring import KeyRing
from service.access.shared_counts import SharedCounts
from service.access.traces import Spans
from service.api.admitting.admission import Admission
from service.api.admitting.hosts import Hosts
from service.api.http.bodies import Bounds
from service.api.http.by_id import get_quote, kept_route, plainly_kept
from service.api.http.catalog import catalog_routes
from service.api.http.copies.encodings import COPIES_SHARE, Copies
from service.api.http.cors import Cors
from service.api.http.documents import document_routes
from service.api.http.middleware import Edge
from service.api.http.operations import operation_routes
from service.api.http.quoted.batches import BatchLimits, batch_route
from service.api.http.quoted.questions import ABOUT_QUOTES, about_route
from service.api.http.quotes import post_route
from service.api.http.repeats import Repeats
from service.api.http.sheets.focus import get_focus
from service.api.http.sheets.parts import get_figure, get_figures, get_lines
from service.api.http.sheets.verify import verify_route
from service.api.refusing.problems import exception_handlers
from service.cache import QuoteCache
from service.cache.redis import Offer
from service.computing.kinds import HANDLED, QUOTES
from service.computing.lanes import Pool
from service.computing.warming import warm_up
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.editions.shelf import Shelf, Sources, shelf_of, stocked_shelf
from service.editions.watch import Watch
from service.envelope.today import gist_of
from service.lifecycle import Lifecycle
from service.logs import RequestLog
from service.metrics import Metrics
from service.quoting import Apart, Quoting
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from service.agents.http import Agents

log = structlog.get_logger("runquote")


def build_app(
    settings: Settings,
    *,
    catalog: Catalog | None = None,
    lifecycle: Lifecycle | None = None,
    metrics: Metrics | None = None,
    request_log: RequestLog | None = None,
    spans: Spans | None = None,
) -> Edge:
    """The whole service as one ASGI application.

    Raises `CatalogError` or `OSError` for a bad catalog, price book or folder of editions.
    """
    shelf = stocked_shelf(sources_of(settings)) if catalog is None else shelf_of(catalog)
    metrics = Metrics() if metrics is None else metrics
    lifecycle = Lifecycle() if lifecycle is None else lifecycle
    copies = Copies(
        max_bytes=settings.cache_memory_bytes // COPIES_SHARE, observe=metrics.copied_by_brotli
    )
    access = access_of(settings, metrics)
    cors = Cors(tuple(settings.cors_origins.split()))
    quoting = quoting_of(
        settings,
        shelf=shelf,
        metrics=metrics,
        offer=copies.keep,
        apart=apart_of(settings) if catalog is None and settings.compute_workers else None,
    )
    engine = quoting.engine
    bounds = Bounds(body_max_bytes=settings.body_max_bytes, body_timeout_s=settings.body_timeout_s)
    agents = agents_of(quoting, bounds, cors) if settings.mcp else None
    watch = Watch(
        shelf,
        every_s=settings.catalog_poll_s,
        observe=lambda outcome, reason: metrics.catalog_looks.labels(outcome, reason).inc(),
        changed=lambda standing: metrics.stands(standing, engine),
    )

    def reload() -> None:
        watch.look_at_once()
        access.look_at_once()

    lifecycle.reload = reload
    metrics.stands(shelf.standing, engine)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        log.info(
            "started",
            pid=os.getpid(),
            version=engine.version,
            engine=engine.digest,
            catalog=shelf.current.version,
            **settings.redacted(),
        )
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(running(quoting))
                if agents is not None:
                    await stack.enter_async_context(agents.running())
                stack.push_async_callback(access.stop)
                stack.push_async_callback(watch.stop)
                watch.start()
                await access.start()
                yield
        finally:
            log.info("stopped")

    app = Litestar(
        route_handlers=[
            *(post_route(asked, quoting, bounds) for asked in HANDLED.values()),
            *(about_route(asked, quoting, bounds) for asked in ABOUT_QUOTES),
            verify_route(quoting, bounds),
            batch_route(quoting, batch_limits_of(settings)),
            get_quote,
            get_focus,
            get_lines,
            get_figures,
            get_figure,
            *(kept_route(asked) for asked in HANDLED.values() if asked is not QUOTES),
            *([] if agents is None else [agents.route()]),
            *catalog_routes(shelf),
            *document_routes(),
            *operation_routes(
                shelf=shelf,
                metrics=metrics,
                engine=engine,
                lifecycle=lifecycle,
                has_metrics=settings.metrics_port is None,
            ),
        ],
        dependencies={"quoting": Provide(lambda: quoting, sync_to_thread=False)},
        exception_handlers=exception_handlers(metrics),
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        state=State(),
    )
    return Edge(
        app,
        metrics=metrics,
        copies=copies,
        repeats=Repeats(quoting, copies),
        by_id=plainly_kept(quoting),
        request_log=request_log,
        cors=cors,
        admission=access.admission,
        spans=spans,
    )


def quoting_of(
    settings: Settings,
    *,
    shelf: Shelf,
    metrics: Metrics,
    offer: Offer | None = None,
    apart: Apart | None = None,
) -> Quoting:
    """What answers questions over a shelf, as the settings say."""
    cache = QuoteCache(
        memory_bytes=settings.cache_memory_bytes,
        url=settings.redis_url or None,
        timeout_s=settings.redis_timeout_s,
        ttl_s=settings.cache_ttl_s,
        max_body_bytes=settings.cache_shared_max_bytes,
        secret=settings.cache_key,
        observer=metrics.cache,
        offer=offer,
        gist=gist_of,
    )
    memo = Memo(max_bytes=settings.memo_max_bytes)
    metrics.watch(memo)
    metrics.cache_memory_bytes.set_function(lambda: float(cache.memory_used_bytes))
    quoting = Quoting(
        shelf=shelf,
        cache=cache,
        memo=memo,
        metrics=metrics,
        apart=apart,
        most_waiting_s=settings.compute_queue_s,
        stale_price_days=settings.stale_price_days,
    )
    metrics.watch_lanes(quoting.lanes)
    return quoting


@asynccontextmanager
async def running(quoting: Quoting) -> AsyncIterator[None]:
    """Its cache and its workers stand as long as this is entered."""
    try:
        current = quoting.shelf.current.catalog
        warm_up(engine=quoting.engine, catalog=current, memo=quoting.memo)
        await quoting.cache.start()
        yield
    finally:
        if quoting.apart is not None:
            await quoting.apart.pool.stop()
        await quoting.cache.close()


def agents_of(quoting: Quoting, bounds: Bounds, cors: Cors) -> "Agents":
    """The tools under `/mcp`. Raises `SettingsError` if the extra is not installed."""
    try:
        from service.agents.http import Agents  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingsError(
            f"RUNQUOTE_MCP=1 takes the extra: pip install 'runquote[mcp]' ({error})"
        ) from None
    return Agents(quoting, bounds, cors=cors)


class Access(Struct, frozen=True):
    """Who may ask: the decision, and what it rests on."""

    admission: Admission
    quotas: Quotas
    ring: KeyRing | None

    async def start(self) -> None:
        """Begin to look whether the keys change, and connect to the Redis that counts."""
        if self.ring is not None:
            self.ring.start()
        await self.quotas.start()

    def look_at_once(self) -> None:
        """Look now whether they have changed."""
        if self.ring is not None:
            self.ring.look_at_once()

    async def stop(self) -> None:
        """Look no more, and close connections."""
        if self.ring is not None:
            await self.ring.stop()
        await self.quotas.close()


def access_of(settings: Settings, metrics: Metrics) -> Access:
    """Keys, quotas and hosts, as the settings say. Raises `KeyFileError`."""
    ring = None
    if settings.keys_file:
        ring = KeyRing(Path(settings.keys_file), refused=metrics.access.keys_refused)
    shared = None
    if settings.redis_url and (settings.quota_cpu_s or ring is not None):
        shared = SharedCounts(settings.redis_url, timeout_s=settings.redis_timeout_s)
    quotas = Quotas(observe=metrics.access.charged, shared=shared)
    admission = Admission(
        ring=ring,
        quotas=quotas,
        cpu_s_per_minute=settings.quota_cpu_s,
        hosts=Hosts(tuple(settings.allowed_hosts.split())),
        metrics_token=settings.metrics_token,
    )
    return Access(admission, quotas, ring)


def batch_limits_of(settings: Settings) -> BatchLimits:
    """How much one batch may hold, as the settings say."""
    return BatchLimits(
        lines=settings.batch_max_lines,
        bytes=settings.batch_max_bytes,
        line_bytes=settings.body_max_bytes,
        cpu_s=settings.batch_max_cpu_s,
        read_s=settings.body_timeout_s,
    )


def apart_of(settings: Settings) -> Apart:
    """Worker processes for costly quotes, as the settings say. They start when they are needed."""
    pool = Pool(
        workers=settings.compute_workers,
        most_waiting_s=settings.compute_queue_s,
        deadline_s=settings.compute_deadline_s,
    )
    return Apart(
        pool,
        beside_s=settings.compute_beside_s,
        most_s=settings.compute_max_s,
    )


def sources_of(settings: Settings) -> Sources:
    """Where editions come from, as the settings say."""
    return Sources(
        folder=Path(settings.catalog_dir) if settings.catalog_dir else None,
        book=Path(settings.price_book) if settings.price_book else None,
    )
