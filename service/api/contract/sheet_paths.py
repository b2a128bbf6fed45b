"""The paths of the parts and other forms of a quote."""

from typing import Final

from service.api.contract.examples import DEEPSEEK_R1
from service.api.contract.excerpt import QUOTE_EXCERPT
from service.api.contract.parameters import (
    OF_A_QUOTE,
    OF_FIGURES,
    OF_FOCUS,
    OF_LINES,
    Parameter,
)
from service.api.contract.paths.pieces import (
    EVERYWHERE,
    JSON,
    REFUSALS,
    answer,
    component,
    conditional,
    header_references,
    problem_references,
    query_parameter,
    schema,
)
from service.api.contract.paths.quotes import quote_in_path
from service.api.schemas import Schema
from service.sheet.forms import CSV

FIGURE: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The figure's name, as lines, stages and drivers say it. It may have slashes.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 160},
    "example": "rental/total_usd",
}


def sheet_paths() -> dict[str, Schema]:
    """What stands below a quote, and how a filed one is checked."""
    return {
        "/quote/verify": {"post": verify_quote()},
        "/quote/{id}/focus": {
            "get": part(
                "getFocus",
                "A bill in the columns of FOCUS",
                {CSV: {"schema": {"type": "string"}}},
                (*OF_A_QUOTE, *OF_FOCUS),
                "A row for each line and calendar month, as docs/focus.md says; the day on which "
                "the run starts is `start`.",
                problems=("bill-not-whole",),
            )
        },
        "/quote/{id}/lines": {
            "get": part(
                "listLines",
                "The lines of a quote",
                {JSON: {"schema": schema("LineList")}},
                OF_LINES,
                "The lines, in the order of the bills.",
            )
        },
        "/quote/{id}/figures": {
            "get": part(
                "listFigures",
                "The figures of a quote",
                {JSON: {"schema": schema("FigureList")}},
                OF_FIGURES,
                "The figures by name.",
            )
        },
        "/quote/{id}/figures/{name}": {
            "get": part(
                "getFigure",
                "One figure: what it follows from, and where it leads",
                {JSON: {"schema": schema("FigureExplained")}},
                (),
                "The figure with its inputs, what follows from it, its lines, and its share of "
                "the variance of each total.",
                problems=("unknown-entry",),
                more=(FIGURE,),
            )
        },
    }


def part(
    operation_id: str,
    summary: str,
    content: Schema,
    parameters: tuple[Parameter, ...],
    description: str,
    *,
    problems: tuple[str, ...] = (),
    more: tuple[Schema, ...] = (),
) -> Schema:
    """A part of a kept quote."""
    return {
        "operationId": operation_id,
        "tags": ["quotes"],
        "summary": summary,
        "parameters": [
            quote_in_path(),
            *more,
            *map(query_parameter, parameters),
            *conditional(),
        ],
        "responses": {
            **answer(description, content),
            **problem_references(
                "invalid-query", "quote-not-kept", *problems, *EVERYWHERE, "cache-unavailable"
            ),
        },
    }


def verify_quote() -> Schema:
    """POST /quote/verify."""
    return {
        "operationId": "createVerification",
        "tags": ["quotes"],
        "summary": "Whether a filed quote is what this engine and catalog answer",
        "description": "The request of the quote is asked again, under the edition of the catalog "
        "that the quote names if it is known here, and the answers are compared, with what its "
        "calendar, day and heading add. Spaces between members make no difference.",
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The quote, as it was answered and filed. At most 1 MiB.",
            "content": {
                JSON: {
                    "schema": schema("FiledQuote"),
                    "examples": {
                        DEEPSEEK_R1.name: {
                            "summary": "An excerpt: it lacks members, so it differs",
                            "value": QUOTE_EXCERPT,
                        }
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "What came of it.",
                "headers": header_references("Cache-Control"),
                "content": {JSON: {"schema": schema("Verification")}},
            },
            **problem_references(*REFUSALS),
        },
    }
