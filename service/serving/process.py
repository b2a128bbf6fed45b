"""Starts the server: one worker with one application.

The server is uvicorn and not Granian, because its protocol and its end can be guarded.
"""

import gc
from typing import TYPE_CHECKING, Any

import uvicorn

from service.api.http.operations import metrics_app
from service.app import build_app
from service.computing.heap import share_one_heap
from service.lifecycle import Lifecycle
from service.logs import configure_logs, request_log
from service.metrics import Metrics
from service.serving.at_once import AtOnce
from service.serving.guard import GuardState
from service.serving.limits import Limits, within_open_files
from service.serving.protocol import GuardedProtocol
from service.serving.server import GuardedServer
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from service.serving.spans import SentSpans


def serve(settings: Settings, limits: Limits | None = None) -> None:
    """Serve until told to stop. Requests that have come are answered.

    `limits` are those of connections. By default they are the usual ones, with as many connections
    as the settings allow.
    """
    share_one_heap()
    gc.disable()  # until it listens: what a start makes lasts, and no cycle of it is garbage
    writer = configure_logs(level=settings.log_level, form=settings.log_format)
    lifecycle, metrics = Lifecycle(), Metrics()
    metrics.watch_log(lambda: writer.dropped)
    if limits is None:
        limits = Limits(connections=settings.connections_max, request_s=settings.body_timeout_s)
    state = GuardState(within_open_files(limits), metrics.server)
    metrics.server.connections.set_function(lambda: float(len(state.connections)))
    spans = sent_spans() if settings.traces else None
    app = build_app(
        settings,
        lifecycle=lifecycle,
        metrics=metrics,
        request_log=request_log(writer, level=settings.log_level, form=settings.log_format),
        spans=spans,
    )
    state.cors = app.cors
    if app.repeats is not None and not app.looks_at_each:
        state.at_once = AtOnce(app, app.repeats)
    config = config_of(settings, app, port=settings.port)
    beside = None
    if settings.metrics_port is not None:
        beside = config_of(settings, metrics_app(metrics), port=settings.metrics_port)
    server = GuardedServer(
        config,
        state=state,
        lifecycle=lifecycle,
        drain_s=settings.drain_s,
        loop_lag=metrics.loop_lag,
        beside=beside,
    )
    try:
        server.run()
    finally:
        if spans is not None:
            spans.close()
        writer.close()


def sent_spans() -> "SentSpans":
    """Where spans go. Raises `SettingsError` if the extra is not installed."""
    try:
        from service.serving.spans import SentSpans  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingsError(
            f"RUNQUOTE_TRACES=1 takes the extra: pip install 'runquote[traces]' ({error})"
        ) from None
    return SentSpans()


def config_of(settings: Settings, app: Any, *, port: int) -> uvicorn.Config:
    """How uvicorn serves an application: guarded, and with nothing of its own."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        loop="uvloop",
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
