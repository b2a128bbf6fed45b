"""Questions about quotes in the contract: their paths, and an example of each."""

from typing import Any, Final

import msgspec

from service.api.contract.examples import DEEPSEEK_R1, QUOTE_ID
from service.api.contract.excerpt import STAND_INS
from service.api.contract.paths.pieces import (
    JSON,
    REFUSALS,
    component,
    header_references,
    problem_references,
    schema,
)
from service.api.contract.paths.whole import admitted
from service.api.schemas import Schema

NDJSON: Final = "application/x-ndjson"
MADE_BY: Final = {name: STAND_INS[name] for name in ("engine", "catalog")}
AT_2_DOLLARS_50: Final[dict[str, Any]] = {
    **DEEPSEEK_R1.request,
    "cluster": {
        **DEEPSEEK_R1.request["cluster"],
        "supply": {"kind": "rate", "usd_per_device_hour": 2.5},
    },
}
DIFFERENCE: Final[dict[str, Any]] = {
    "before": {"kind": "request", "request": DEEPSEEK_R1.request},
    "after": {"kind": "request", "request": AT_2_DOLLARS_50},
}
NOTHING: Final = {"amount": "0.00", "request": "0.00", "engine": "0.00"}


def price_alone(amount: str) -> dict[str, Any]:
    """The parts of a change that the price makes alone."""
    return {
        "price": {"amount": amount, "request": amount, "engine": "0.00"},
        "hours": NOTHING,
        "accounting": "0.00",
        "rounding": "0.00",
    }


def line(stage: str, hours: float, before: str, after: str, change: str) -> dict[str, Any]:
    """A line whose rate rises from $2.00 to $2.50."""
    return {
        "item": "device_rental",
        "unit": "device_hour",
        "before": {"stage": stage, "quantity": hours, "rate": "2.00", "amount": before},
        "after": {"stage": stage, "quantity": hours, "rate": "2.50", "amount": after},
        "change": change,
        "parts": price_alone(change),
    }


DIFFERENCE_EXCERPT: Final[dict[str, Any]] = {
    "engine": STAND_INS["engine"],
    "before": {"id": QUOTE_ID, **MADE_BY},
    "after": {"id": QUOTE_ID, **MADE_BY},
    "method": {
        "name": "shapley",
        "source": {
            "kind": "published",
            "title": "A complete decomposition model",
            "locator": "Energy Economics 20 (1998), 85-100",
            "as_of": "1998-02",
            "confidence": "high",
        },
        "split_by": "same_engine",
        "detail": "one engine and one edition of the catalog made both quotes",
    },
    "bases": [
        {
            "basis": "rental",
            "before": {"amount": "294000.00", "currency": "USD"},
            "after": {"amount": "367500.00", "currency": "USD"},
            "change": {"amount": "73500.00", "currency": "USD"},
            "change_share": 0.25,
            "parts": price_alone("73500.00"),
            "lines": [
                line("R1-Zero", 101000.0, "202000.00", "252500.00", "50500.00"),
                line("SFT data", 5000.0, "10000.00", "12500.00", "2500.00"),
                line("R1", 41000.0, "82000.00", "102500.00", "20500.00"),
            ],
            "sentence": "the rental total rises by 25.0%, +73500.00 USD: price +73500.00",
        }
    ],
    "not_compared": [],
}


RECONCILIATION: Final[dict[str, Any]] = {
    "quote": {"kind": "request", "request": DEEPSEEK_R1.request},
    "invoice": {
        "lines": [
            {
                "label": "512 H800, 288 hours",
                "item": "device_rental",
                "device_hours": 147000,
                "amount": 346920,
            }
        ]
    },
    "happened": {"done_share": 1, "lost_hours": 0},
}
AS_QUOTED: Final = {
    "device_hours": 147000.0,
    "work": 1.0,
    "productive_device_hours": 147000.0,
    "goodput": 1.0,
}
BEYOND_ALL: Final = {"amount": "346920.00", "position": 1.0, "within": False}
RECONCILIATION_EXCERPT: Final[dict[str, Any]] = {
    "engine": STAND_INS["engine"],
    "quote": {"id": QUOTE_ID, **MADE_BY},
    "basis": "rental",
    "invoiced": {"amount": "346920.00", "currency": "USD"},
    "quoted": {"amount": "294000.00", "currency": "USD"},
    "interval": {"p10": "294000.00", "p50": "294000.00", "p90": "294000.00"},
    "difference": {"amount": "52920.00", "currency": "USD"},
    "difference_share": 0.18,
    "parts": {
        **dict.fromkeys(
            ("speed", "work", "goodput", "other_items", "scope", "tax", "rounding"), "0.00"
        ),
        "rate": "52920.00",
    },
    "sentence": "the invoice of 346,920.00 USD is 18.0% above the quote of 294,000.00: rate "
    "+52,920.00",
    "planned": {"rate": 2.0, **AS_QUOTED},
    "happened": {"rate": 2.36, **AS_QUOTED},
    "whole": BEYOND_ALL,
    "like_for_like": BEYOND_ALL,
    "method": DIFFERENCE_EXCERPT["method"]["source"],
    "next_quote": {
        "kind": "none",
        "detail": "the run has several stages; reconcile each with a quote and an invoice of its "
        "own",
    },
    "notes": [
        {
            "code": "no_losses_in_quote",
            "detail": "the quote states hours; all time that was lost is beyond it",
        }
    ],
}


def about_quote_paths() -> dict[str, Schema]:
    """All paths of questions about quotes."""
    return {
        "/quote/diff": {"post": admitted(diff_quotes())},
        "/reconcile": {"post": admitted(reconcile())},
        "/quote/batch": {"post": admitted(batch())},
    }


def diff_quotes() -> Schema:
    """POST /quote/diff."""
    return question(
        "createDifference",
        "Say why two quotes differ",
        "Each quote is named by its id or by its request, and may be made again by another edition "
        "of the catalog. Of each basis that both have, the change of the total is split into "
        "price, hours, accounting and rounding, line by line. The parts add up exactly.",
        asked=("DifferenceRequest", "a-higher-price", DIFFERENCE),
        answered=(
            "QuoteDifference",
            "The higher price alone, one basis of three",
            DIFFERENCE_EXCERPT,
        ),
    )


def reconcile() -> Schema:
    """POST /reconcile."""
    return question(
        "createReconciliation",
        "Say why an invoice differs from its quote",
        "The difference is split into rate, speed, work done, goodput, other items, scope and tax, "
        "which add up exactly. The answer says where the invoice and the hours lie in the quote's "
        "interval, and has the stage's work with the speed that was measured, for the next quote.",
        asked=("ReconciliationRequest", "an-invoice-18-percent-higher", RECONCILIATION),
        answered=("Reconciliation", "The rate alone made the difference", RECONCILIATION_EXCERPT),
    )


def batch() -> Schema:
    """POST /quote/batch."""
    first = msgspec.json.encode(DEEPSEEK_R1.request).decode()
    answered = '{"line":1,"status":200,"id":"q_...","quote":{}}'
    return {
        "operationId": "createQuotes",
        "tags": ["quotes"],
        "summary": "Quote many requests at once",
        "description": "Each line of the body is a request of `POST /quote`, and each line of the "
        "answer says what came of it, in the same order: `line`, its number from 1; `status`, that "
        "which `POST /quote` would have; and `id` and `quote`, or `problem`, with pointers into "
        "that request. Empty lines are counted and not answered. Answers begin before the last "
        "line has come, and no more is computed than is read. A request that occurs twice is "
        "computed once. A batch that is too long ends with a line of status 413.",
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "Requests as JSON, one a line. At most 10,000 lines of 1 MiB each.",
            "content": {
                NDJSON: {
                    "schema": {
                        "description": "Any text: what is wrong with a line, its line says."
                    },
                    "examples": {"a-batch-of-one": {"summary": "One line", "value": first + "\n"}},
                }
            },
        },
        "responses": {
            "200": {
                "description": "A line for each line, even if none of them has a quote.",
                "headers": header_references("Cache-Control"),
                "content": {
                    NDJSON: {
                        "schema": {"type": "string"},
                        "examples": {
                            "a-batch-of-one": {"summary": "One line, abridged", "value": answered}
                        },
                    }
                },
            },
            **problem_references(
                "method-not-allowed",
                "not-acceptable",
                "batch-too-long",
                "unsupported-media-type",
                "internal-error",
            ),
        },
    }


def question(
    operation_id: str,
    summary: str,
    description: str,
    *,
    asked: tuple[str, str, dict[str, Any]],
    answered: tuple[str, str, dict[str, Any]],
) -> Schema:
    """A question about quotes: its request and answer are a component with an example each."""
    request, name, example = asked
    answer, words, excerpt = answered
    return {
        "operationId": operation_id,
        "tags": ["quotes"],
        "summary": summary,
        "description": description,
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The question. At most 1 MiB.",
            "content": {
                JSON: {
                    "schema": schema(request),
                    "examples": {name: {"summary": summary, "value": example}},
                }
            },
        },
        "responses": {
            "200": {
                "description": "The answer. It is not kept.",
                "headers": header_references("Cache-Control", "Server-Timing"),
                "content": {
                    JSON: {
                        "schema": schema(answer),
                        "examples": {name: {"summary": words, "value": excerpt}},
                    }
                },
            },
            **problem_references(*REFUSALS, "named-quote-not-kept"),
        },
    }
