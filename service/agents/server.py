"""The tools as a server of the Model Context Protocol, by the package `mcp`, which is an extra."""

from typing import Any, Final

import msgspec
import structlog
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ListedTool

from service.agents.told import Told
from service.agents.tools import TOOLS, Tool
from service.api.refusing.errors import Fault, Refused
from service.api.refusing.problems import KINDS, refusal_of
from service.quoting import Quoting

log = structlog.get_logger("runquote.agents")

NAME: Final = "runquote"
INSTRUCTIONS: Final = (
    "Costs of AI training runs, each number with its source. Amounts are US dollars unless they "
    "say otherwise. Tell people the range of a total and what it leaves out, not the total alone. "
    "A refused call says which argument to mend."
)
LISTED_MS: Final = 3_600_000
"""How long a client may keep the list of tools: it changes with the version of the service."""
MOST_FAULTS: Final = 10
READS_ONLY: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

Context = ServerRequestContext[Any]


def server_of(quoting: Quoting) -> Server[Any]:
    """A server whose tools ask the engine of this process."""

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[listed(tool) for tool in TOOLS.values()])

    async def call_tool(context: Context, asked: CallToolRequestParams) -> CallToolResult:
        result = await called(asked.name, asked.arguments or {}, quoting)
        outcome = "refused" if result.is_error else "answered"
        name = asked.name if asked.name in TOOLS else "unknown"
        quoting.metrics.agent_calls.labels(name, outcome).inc()
        note(context, tool=name, tool_outcome=outcome)
        return result

    return Server(
        NAME,
        version=quoting.engine.version,
        title="What AI training runs cost",
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": CacheHint(ttl_ms=LISTED_MS, scope="public")},
        get_tool_input_schema=lambda name: TOOLS[name].input_schema if name in TOOLS else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def listed(tool: Tool) -> ListedTool:
    """A tool as clients see it."""
    return ListedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        annotations=READS_ONLY,
    )


async def called(name: str, arguments: dict[str, Any], quoting: Quoting) -> CallToolResult:
    """What a tool answers, or why it does not, with pointers into its arguments."""
    try:
        if name not in TOOLS:
            known = ", ".join(TOOLS)
            raise Refused("not-found", f"no tool {name!r}; the tools are {known}")  # noqa: TRY301
        tool = TOOLS[name]
        told = await tool.answer(msgspec.json.encode(arguments), quoting)
        return answered(tool, told)
    except Exception as error:
        refusal = refusal_of(error)
        quoting.metrics.problems.labels(refusal.slug).inc()
        if refusal.slug == "internal-error":
            log.exception("unforeseen error", tool=name)
        return refused(refusal)


def answered(tool: Tool, told: Told) -> CallToolResult:
    """An answer in words, and as an object."""
    return CallToolResult(
        content=[TextContent(text="\n".join(tool.words(told)))],
        structured_content=msgspec.to_builtins(told),
    )


def refused(refusal: Refused) -> CallToolResult:
    """A problem as the API tells it, as a result that a model can read and act on."""
    kind = KINDS[refusal.slug]
    faults = refusal.errors[:MOST_FAULTS]
    lines = [f"{kind.title}: {refusal.detail}", *map(fault_words, faults)]
    problem = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": refusal.detail,
        "errors": msgspec.to_builtins(faults),
        "retry_after_s": refusal.headers.get("Retry-After"),
    }
    return CallToolResult(
        is_error=True,
        content=[TextContent(text="\n".join(lines))],
        structured_content={name: value for name, value in problem.items() if value},
    )


def fault_words(fault: Fault) -> str:
    """A mistake in a line: where it is, and what is wrong."""
    return f"{fault.pointer or fault.parameter or 'arguments'}: {fault.detail}"


def note(context: Context, **facts: str) -> None:
    """Say in the line of the log which tool was called, where there is one."""
    scope = getattr(context.request, "scope", None)
    if scope is not None:
        scope["state"].get("noted", {}).update(facts)
