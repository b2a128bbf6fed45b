"""The tools for agents, by the package's own client: in this process, by HTTP and by a pipe."""

import json
import os
import sys
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from litestar.testing import TestClient
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from msgspec.structs import fields

from service.access.keys import add_entry, new_key
from service.agents import asked
from service.agents.requests import OF_A_CLAIM, OF_A_CLUSTER, OF_A_RUN, OF_CHOICES
from service.agents.server import server_of
from service.agents.tools import TOOLS
from service.app import build_app
from service.local import local_quoting, quote_bytes, quoting_over
from service.settings import Settings, SettingsError
from tests.claims import R1_RUNS
from tests.requests import R1
from tests.server import start_service

MOST_BYTES = 4096
MOST_BYTES_OF_THE_LIST = 12_000
ERAS = ["2026-07-28", "legacy"]
CLAIM = {"amount_usd": 294000, "said_on": "2025-09-17", "runs": R1_RUNS}
OPTIONS = {"device_hours": 147000, "accelerators": ["H800", "H100 SXM"], "devices": [512]}
LLAMA = {"model": "llama 3.1 8b", "tokens": 1e12, "accelerator": "h100", "devices": 64}


def words(result: Any) -> str:
    """What a model reads that reads text alone."""
    return str(result.content[0].text)


def weight(result) -> int:
    return len(result.model_dump_json(by_alias=True, exclude_none=True).encode())


def here(**calls: dict[str, Any]):
    """Results of calls of tools in this process, which keeps what it answers."""

    async def use():
        quoting = quoting_over(local_quoting().shelf, kept={"nothing": b""})
        async with Client(server_of(quoting)) as client:
            return [await client.call_tool(name, given) for name, given in calls.items()]

    return anyio.run(use)


def refused(name: str, **given: Any):
    (result,) = here(**{name: given})
    assert result.is_error
    problem = result.structured_content
    assert all(one["detail"] in words(result) for one in problem.get("errors", ()))
    return problem


async def uses_all_five(client: Client) -> None:
    """Quote, compare, judge, search and explain R1 within the bytes that there are for it."""
    listed = await client.list_tools()
    assert weight(listed) < MOST_BYTES_OF_THE_LIST
    assert [tool.name for tool in listed.tools] == list(TOOLS)
    quote = await client.call_tool("quote_run", {"request": R1})
    options = await client.call_tool("compare_options", OPTIONS)
    claim = await client.call_tool("judge_claim", CLAIM)
    offers = await client.call_tool("search_catalog", {"list": "offers", "accelerator": "H800"})
    told = quote.structured_content
    figure = next(iter(told["bases"][1]["moved_by"]))
    why = await client.call_tool("explain_figure", {"quote_id": told["quote_id"], "figure": figure})
    for result in (quote, options, claim, offers, why):
        assert not result.is_error, words(result)
        assert weight(result) < MOST_BYTES
    whole = json.loads(quote_bytes(json.dumps(R1).encode()))
    assert told["quote_id"] == whole["id"]
    totals = {bill["basis"]: bill["total"]["amount"] for bill in whole["bases"]}
    assert {bill["basis"]: bill["total"] for bill in told["bases"]} == totals
    assert all(total in words(quote) for total in totals.values())
    assert options.structured_content["options"][0]["rank"] == 1
    assert claim.structured_content["verdict"] == "exact"
    assert "$2.00" in words(claim)
    rows = offers.structured_content["rows"]
    assert rows
    assert {row["accelerator"] for row in rows} == {"nvidia-h800-sxm-80gb"}
    assert why.structured_content["source"]["kind"] in {"judged", "published"}


@pytest.fixture(scope="module")
def service():
    with start_service(RUNQUOTE_MCP="1") as running:
        yield running


@pytest.mark.parametrize("era", ERAS)
def test_a_client_quotes_compares_and_judges_over_http(era, service):
    async def use():
        async with Client(f"{service.url}/mcp", mode=era) as client:
            await uses_all_five(client)

    anyio.run(use)
    assert service.metric("runquote_agent_calls_total", tool="quote_run", outcome="answered") >= 1
    assert service.settles(lambda: '"tool":"judge_claim"' in service.log())


def test_a_client_quotes_compares_and_judges_over_a_pipe():
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "service", "mcp"], env=dict(os.environ)
    )

    async def use():
        async with Client(stdio_client(server)) as client:
            await uses_all_five(client)

    anyio.run(use)


def test_a_schema_is_small_and_has_a_type_for_each_argument():
    for tool in TOOLS.values():
        assert len(json.dumps(tool.input_schema)) < MOST_BYTES
        assert "$ref" not in json.dumps(tool.input_schema)
        assert tool.input_schema["additionalProperties"] is False


def test_pointers_into_a_request_have_an_argument_each():
    for kind, places in (
        (asked.QuoteRun, OF_A_RUN | OF_A_CLUSTER),
        (asked.CompareOptions, OF_A_RUN | OF_CHOICES),
        (asked.JudgeClaim, OF_A_CLAIM),
    ):
        names = {field.name for field in fields(kind)} | {"term"}
        assert {place.removeprefix("/") for place in places.values()} <= names


def test_plain_arguments_make_the_quote_of_a_plain_request():
    request = {
        "run": {
            "name": "run",
            "stages": [
                {
                    "name": "training",
                    "work": {
                        "kind": "pretraining",
                        "model": {"kind": "preset", "id": "llama-3.1-8b"},
                        "tokens": 1e12,
                    },
                }
            ],
        },
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64},
    }
    (result,) = here(quote_run=LLAMA | {"start": "2027-01-15"})
    told = result.structured_content
    assert told["quote_id"] == json.loads(quote_bytes(json.dumps(request).encode()))["id"]
    assert told["ends_p50"].startswith("2027-0")


def test_what_is_wrong_is_told_at_the_argument():
    problem = refused("quote_run", **LLAMA | {"tokens": -1, "devices": 2.5, "color": "red"})
    assert problem["type"] == "/problems/invalid-request"
    found = {one["pointer"]: one["code"] for one in problem["errors"]}
    assert found == {
        "/tokens": "out_of_bounds",
        "/devices": "not_a_whole_number",
        "/color": "unknown_member",
    }


def test_what_the_catalog_does_not_know_is_told_at_the_argument_with_the_nearest():
    problem = refused("quote_run", **LLAMA | {"model": "llama-3.1-8x", "accelerator": "H1000"})
    by_place = {one["pointer"]: one["nearest"] for one in problem["errors"]}
    assert set(by_place) == {"/model", "/accelerator"}
    assert "llama-3.1-8b" in by_place["/model"]
    problem = refused("judge_claim", **CLAIM | {"runs": ["deepseek-r9"]})
    assert problem["errors"][0]["pointer"] == "/runs/0"


def test_a_whole_request_is_wrong_at_its_own_pointers():
    request = R1 | {"cluster": R1["cluster"] | {"devices": 0}}
    problem = refused("quote_run", request=request)
    assert [one["pointer"] for one in problem["errors"]] == ["/request/cluster/devices"]


@pytest.mark.parametrize(
    ("name", "given", "pointer"),
    [
        ("quote_run", {"request": R1, "tokens": 1e12}, "/tokens"),
        ("quote_run", LLAMA | {"device_hours": 5}, "/tokens"),
        ("quote_run", LLAMA | {"parameters": 8e9}, "/parameters"),
        ("quote_run", LLAMA | {"usd_per_device_hour": 2, "term": "spot"}, "/term"),
        ("quote_run", {}, "/model"),
        ("compare_options", {"device_hours": 147000}, "/accelerators"),
        ("judge_claim", {"amount_usd": 294000, "runs": R1_RUNS}, "/said_on"),
        ("explain_figure", {"quote_id": "q_1"}, "/figure"),
    ],
)
def test_what_is_said_twice_or_not_at_all_is_refused_by_its_name(name, given, pointer):
    assert pointer in {one["pointer"] for one in refused(name, **given)["errors"]}


def test_what_is_not_kept_and_what_does_not_exist_is_said():
    problem = refused("explain_figure", quote_id="q_1", figure="anything")
    assert problem["type"] == "/problems/quote-not-kept"
    assert "quote_run" in refused("no_such_tool")["detail"]


def test_a_figure_that_a_quote_has_not_is_refused_with_the_nearest():
    async def use():
        quoting = quoting_over(local_quoting().shelf, kept={"nothing": b""})
        async with Client(server_of(quoting)) as client:
            quote = await client.call_tool("quote_run", {"request": R1})
            return await client.call_tool(
                "explain_figure",
                {
                    "quote_id": quote.structured_content["quote_id"],
                    "figure": "assumptions/owned.utilization",
                },
            )

    (fault,) = anyio.run(use).structured_content["errors"]
    assert "assumptions/owned.utilisation" in fault["nearest"]


def test_words_find_rows_and_none_are_told_with_the_nearest():
    found, none = here(
        search_catalog={"list": "models", "words": "deepseek", "limit": 2},
    ) + here(search_catalog={"list": "accelerators", "words": "h200x"})
    assert found.structured_content["found"] > len(found.structured_content["rows"]) == 2
    assert all("deepseek" in row["id"] for row in found.structured_content["rows"])
    assert none.structured_content["found"] == 0
    assert any("h200" in name for name in none.structured_content["nearest"])


def test_offers_are_told_from_the_lowest_price_on_and_only_lists_with_sellers_are_filtered():
    (found,) = here(search_catalog={"list": "offers", "accelerator": "H100 SXM", "limit": 10})
    prices = [row["price_per_device_hour"] for row in found.structured_content["rows"]]
    assert len(prices) == 10
    assert prices == sorted(prices)
    problem = refused("search_catalog", list="models", accelerator="H100 SXM")
    assert problem["errors"][0]["parameter"] == "accelerator"


def said(service, body=b"{}", method="POST", **headers) -> httpx.Response:
    usual = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    return service.client.request(method, "/mcp", content=body, headers=usual | headers)


def test_what_bounds_other_requests_bounds_these(service):
    assert said(service, method="GET").status_code == 405
    assert said(service, method="DELETE").status_code == 405
    assert said(service, method="OPTIONS").status_code == 204
    assert said(service, b" " * (2**20 + 1)).json()["type"] == "/problems/payload-too-large"
    assert said(service, **{"content-type": "text/plain"}).status_code == 415
    assert said(service, b"no JSON").status_code == 400
    foreign = said(service, origin="https://evil.example")
    assert (foreign.status_code, foreign.json()["jsonrpc"]) == (403, "2.0")


def test_without_the_setting_there_is_nothing_at_the_address():
    with TestClient(build_app(Settings())) as client:
        assert client.post("/mcp", json={}).status_code == 404


def test_without_the_extra_the_start_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "service.agents.http", None)
    with pytest.raises(SettingsError, match=r"pip install 'runquote\[mcp\]'"):
        build_app(Settings(mcp=True))


@asynccontextmanager
async def connected(service, key: str, era: str):
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"{service.url}/mcp", http_client=http)
        async with Client(transport, mode=era) as client:
            yield client


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A service with three keys, one of which may ask for little, and the keys."""
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    keys = {}
    for name, cpu_s in (("planning", None), ("auditing", None), ("nightly", 0.05)):
        keys[name], entry = new_key(name, made=date(2026, 11, 28), cpu_s_per_minute=cpu_s)
        add_entry(file, entry)
    with start_service(RUNQUOTE_MCP="1", RUNQUOTE_KEYS_FILE=str(file)) as running:
        yield running, keys


@pytest.mark.parametrize("era", ERAS)
def test_keys_hold_and_an_answer_is_read_with_the_key_that_asked_for_it(era, keyed):
    service, keys = keyed
    assert said(service).status_code == 401

    async def use():
        async with connected(service, keys["planning"], era) as client:
            quote = await client.call_tool("quote_run", {"request": R1})
            figure = {
                "quote_id": quote.structured_content["quote_id"],
                "figure": "assumptions/owned.utilisation",
            }
            own = await client.call_tool("explain_figure", figure)
        async with connected(service, keys["auditing"], era) as client:
            return own, await client.call_tool("explain_figure", figure)

    own, other = anyio.run(use)
    assert not own.is_error
    assert other.structured_content["type"] == "/problems/quote-not-kept"


def test_work_of_a_tool_is_counted_in_the_quota_of_its_caller(keyed):
    """What the quota does not allow is refused by the tool, and then before it is called."""
    service, keys = keyed
    key = {"authorization": f"Bearer {keys['nightly']}"}
    told = set()
    for devices in range(8, 400, 8):
        params = {"name": "compare_options", "arguments": OPTIONS | {"devices": [devices]}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = said(service, json.dumps(call).encode(), **key)
        told.add(answer.status_code)
        if answer.status_code == 429 or answer.json()["result"].get("isError"):
            break
    assert "quota-exceeded" in answer.text
    assert told <= {200, 429}
