"""The contract as a page that shows at once: written when the service starts, without a script.

Reading the whole document in a script took a browser seconds; that page is now at /docs/try.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from service.api.contract.examples import DEEPSEEK_R1
from service.api.schemas import Schema

METHODS: Final = ("get", "post")
GLOSSARY: Final = (
    ("run, stage", "what is trained: an ordered list of stages, each with its work"),
    ("work", "what a stage does: device-hours that are known, or tokens and a model"),
    (
        "cluster, supply",
        (
            "on what it runs, and how the devices are obtained: at a rate, by an offer, "
            "at the market's price, or owned"
        ),
    ),
    ("basis", "a way of counting: rental, owned, fully_loaded; the totals are alternatives"),
    ("bill, line", "the rows of one basis: quantity times rate is the amount"),
    (
        "total, budget",
        (
            "the total adds the lines at central values; plan by the budget, which is "
            "enough in half of all cases (p50) or in four of five (p80)"
        ),
    ),
    ("figure", "a number with its unit, range and source; every dollar is walked back to figures"),
    ("driver", "a figure, and how much of the spread of a total it explains"),
    ("bridge", "from the total of one basis to that of another, item by item"),
    ("MFU, goodput", "the share of peak FLOP/s that trains; the share of held time that does"),
    ("catalog, edition", "dated data on devices, offers, sites, models and published runs"),
    ("id", "a digest over engine, catalog and request: equal ids are equal answers"),
)
"""Words of the contract and what they mean."""


def reference_page(document: Schema, *, pages: str) -> bytes:
    """The page of a document. `pages` lists other ones, as HTML."""
    text = (files("service.api.contract") / "reference.html").read_text(encoding="utf-8")
    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    body = json.dumps(DEEPSEEK_R1.request)
    page = made.from_string(text).render(
        document=document,
        operations=list(operations_of(document)),
        glossary=GLOSSARY,
        pages=Markup(pages),  # noqa: S704 - our own list
        quick="curl -s http://127.0.0.1:8000/quote -H 'content-type: application/json' -d '"
        f"{body}'",
    )
    return f"{page.strip()}\n".encode()


def operations_of(document: Schema) -> Iterator[dict[str, Any]]:
    """The operations in the order of the document, with what a reader needs of each."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield operation(document, path, method, methods[method])


def operation(document: Schema, path: str, method: str, one: Schema) -> dict[str, Any]:
    """One operation."""
    parameters = [resolved(document, parameter) for parameter in one.get("parameters", ())]
    content = one.get("requestBody", {}).get("content", {})
    examples = [
        (name, example)
        for body in content.values()
        for name, example in body.get("examples", {}).items()
    ]
    answers = [
        (status, resolved(document, answer).get("description", "").rstrip("."))
        for status, answer in one["responses"].items()
    ]
    return {
        "path": path,
        "method": method.upper(),
        "operationId": one["operationId"],
        "summary": one["summary"].rstrip("."),
        "description": one.get("description", ""),
        "parameters": [
            {
                "name": parameter["name"],
                "in": parameter["in"],
                "required": parameter.get("required", False),
                "description": parameter.get("description", ""),
                "schema": {"enum": parameter.get("schema", {}).get("enum", [])},
            }
            for parameter in parameters
        ],
        "examples": examples,
        "answers": answers,
    }


def resolved(document: Schema, node: Schema) -> Schema:
    """What a reference refers to; anything else is itself."""
    if "$ref" not in node:
        return node
    found: Any = document
    for name in node["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)
