"""The paths of comparisons and solutions."""

from service.answering import COMPARE, SOLVE, AnyKind
from service.api.contract.decisions.examples import (
    COMPARISON_EXCERPT,
    COMPARISON_ID,
    COMPARISONS,
    SOLUTION_EXCERPT,
    SOLUTION_ID,
    SOLUTIONS,
)
from service.api.contract.paths.pieces import (
    EVERYWHERE,
    JSON,
    READ_AGAIN,
    REFUSALS,
    SHOWN,
    Shown,
    answer,
    component,
    conditional,
    header_references,
    problem_references,
    schema,
)
from service.api.refusing.errors import NOT_KEPT
from service.api.schemas import Schema


def decision_paths() -> dict[str, Schema]:
    """Comparisons and solutions: `POST` of a question, `GET` of its answer while it is kept."""
    return {
        "/compare": {
            "post": posted(
                "createComparison",
                "Every way to buy one run, ranked",
                "Each candidate is a device, a size, a seller and a term. Its amounts are those of "
                "the quote for its `cluster`, to the cent. What is not feasible is counted by the "
                "reason and never priced, with the nearest change that would be. The number of "
                "sizes that are looked at is bounded; `counts` says what was left out.",
                Shown("CompareRequest", COMPARISONS, "Comparison", COMPARISON_EXCERPT),
                again="getComparison",
            )
        },
        "/compare/{id}": {
            "get": kept(
                COMPARE,
                "getComparison",
                "A comparison made before, while it is kept",
                "Comparison",
                COMPARISON_ID,
            )
        },
        "/solve": {
            "post": posted(
                "createSolution",
                "The number that keeps a run within its limits",
                "The price of a device-hour at which a run meets a budget; the most tokens, the "
                "largest model or the smallest cluster within a budget and a deadline; or from "
                "when on owning costs less than the best rental. Post `quote` to /quote for the "
                "bill that has these amounts.",
                Shown("SolveRequest", SOLUTIONS, "Solution", SOLUTION_EXCERPT),
                again="getSolution",
            )
        },
        "/solve/{id}": {
            "get": kept(
                SOLVE,
                "getSolution",
                "A solution made before, while it is kept",
                "Solution",
                SOLUTION_ID,
            )
        },
    }


def posted(name: str, summary: str, description: str, shown: Shown, *, again: str) -> Schema:
    """`POST` of a kind of question. `again` is the operation that has the answer again."""
    first = shown.requests[0]
    return {
        "operationId": name,
        "tags": ["decisions"],
        "summary": summary,
        "description": description,
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The question. At most 1 MiB.",
            "content": {
                JSON: {
                    "schema": schema(shown.request),
                    "examples": {
                        example.name: {"summary": example.summary, "value": example.request}
                        for example in shown.requests
                        if example.name in SHOWN
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": header_references(
                    *READ_AGAIN, "Content-Location", "Server-Timing", "RunQuote-Prices"
                ),
                "content": {
                    JSON: {
                        "schema": schema(shown.answer),
                        "examples": {first.name: {"summary": "Abridged", "value": shown.excerpt}},
                    }
                },
                "links": {
                    again: {
                        "operationId": again,
                        "description": "The same answer, while it is kept.",
                        "parameters": {"id": "$response.body#/id"},
                    },
                },
            },
            **problem_references(*REFUSALS),
        },
    }


def kept(kind: AnyKind, name: str, summary: str, answered: str, id: str) -> Schema:
    """`GET` of an answer by its id."""
    return {
        "operationId": name,
        "tags": ["decisions"],
        "summary": summary,
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The answer's `id`.",
                "schema": {"type": "string", "pattern": f"^{kind.prefix}[0-9a-f]{{64}}$(?!\\n)"},
                "example": id,
            },
            *conditional(),
        ],
        "responses": {
            **answer(
                "The very bytes that were answered before.",
                {JSON: {"schema": schema(answered)}},
                "Server-Timing",
                "RunQuote-Prices",
            ),
            **problem_references(NOT_KEPT[kind.name](id).slug, *EVERYWHERE, "cache-unavailable"),
        },
    }
