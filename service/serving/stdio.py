"""The tools for agents over standard input and output, by the package `mcp`, which is an extra."""

import asyncio

from mcp.server.stdio import stdio_server

from service.agents.server import server_of
from service.app import apart_of, quoting_of, running, sources_of
from service.editions.shelf import stocked_shelf
from service.logs import configure_logs
from service.metrics import Metrics
from service.settings import Settings


def serve_stdio(settings: Settings) -> None:
    """Answer the agent that started this process, until it closes standard input.

    Standard output belongs to the protocol. What is logged stands on standard error.
    """
    writer = configure_logs(level=settings.log_level, form=settings.log_format)
    try:
        asyncio.run(_serve(settings))
    finally:
        writer.close()


async def _serve(settings: Settings) -> None:
    quoting = quoting_of(
        settings,
        shelf=stocked_shelf(sources_of(settings)),
        metrics=Metrics(),
        apart=apart_of(settings) if settings.compute_workers else None,
    )
    server = server_of(quoting)
    async with running(quoting), stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
