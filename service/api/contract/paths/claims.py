"""The paths of claims."""

from service.api.contract.examples import (
    CLAIM_ID,
    CLAIMS,
    R1_CLAIM,
)
from service.api.contract.excerpt import CLAIM_EXCERPT, CLAIM_SUMMARY
from service.api.contract.paths.pieces import (
    EVERYWHERE,
    JSON,
    READ_AGAIN,
    REFUSALS,
    SHOWN,
    answer,
    component,
    conditional,
    header_references,
    problem_references,
    schema,
)
from service.api.schemas import Schema


def create_claim() -> Schema:
    """POST /claim."""
    return {
        "operationId": "createClaim",
        "tags": ["claims"],
        "summary": "Put a published figure to the test",
        "description": "The figure is read in every way that it may be meant: as rental at the "
        "stated rate and at the market's, as owned hardware by two conventions, for the final run "
        "alone and with all that a headline leaves out. Prices are those of the catalog's edition.",
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The claim. At most 1 MiB.",
            "content": {
                JSON: {
                    "schema": schema("ClaimRequest"),
                    "examples": {
                        example.name: {"summary": example.summary, "value": example.request}
                        for example in CLAIMS
                        if example.name in SHOWN
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The judged claim.",
                "headers": header_references(
                    *READ_AGAIN, "Content-Location", "Server-Timing", "RunQuote-Prices"
                ),
                "content": {
                    JSON: {
                        "schema": schema("ClaimAnswer"),
                        "examples": {
                            R1_CLAIM.name: {"summary": CLAIM_SUMMARY, "value": CLAIM_EXCERPT}
                        },
                    }
                },
                "links": {
                    "getClaim": {
                        "operationId": "getClaim",
                        "description": "The same judgement, while it is kept.",
                        "parameters": {"id": "$response.body#/id"},
                    },
                },
            },
            **problem_references(*REFUSALS),
        },
    }


def get_claim() -> Schema:
    """GET /claim/{id}."""
    return {
        "operationId": "getClaim",
        "tags": ["claims"],
        "summary": "A claim judged before, while it is kept",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The judgement's `id`.",
                "schema": {"type": "string", "pattern": "^c_[0-9a-f]{64}$(?!\\n)"},
                "example": CLAIM_ID,
            },
            *conditional(),
        ],
        "responses": {
            **answer(
                "The very bytes that were answered when it was judged.",
                {JSON: {"schema": schema("ClaimAnswer")}},
                "Server-Timing",
                "RunQuote-Prices",
            ),
            **problem_references("claim-not-kept", *EVERYWHERE, "cache-unavailable"),
        },
    }
