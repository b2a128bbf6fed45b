"""The paths of documents, and those for operators."""

from service.api.contract.paths.pieces import HTML, JSON, TEXT, object_of, one_text, plain, schema
from service.api.schemas import Schema


def document_paths() -> dict[str, Schema]:
    """The contract, its page, and the pages of the problems."""
    slug = {
        "name": "slug",
        "in": "path",
        "required": True,
        "description": "The last part of a problem's `type`; /problems lists them.",
        "schema": schema("CatalogId"),
        "example": "invalid-request",
    }
    page = {HTML: {"schema": {"type": "string"}}}
    return {
        "/": plain("getStart", "documents", "A page to ask for a quote on", page),
        "/openapi.json": plain(
            "getContractAsJson",
            "documents",
            "This document as JSON",
            {JSON: {"schema": {"type": "object"}}},
        ),
        "/openapi.yaml": plain(
            "getContractAsYaml",
            "documents",
            "This document as YAML",
            {"application/yaml": {"schema": {"type": "object"}}},
        ),
        "/docs": plain("getDocs", "documents", "This document as a page to read", page),
        "/docs/try": plain("getTry", "documents", "This document as a page to try", page),
        "/problems": plain("listProblems", "documents", "All kinds of problems, as a page", page),
        "/problems/{slug}": plain(
            "getProblem",
            "documents",
            "What a kind of problem means, and what to do about it",
            {**page, TEXT: {"schema": {"type": "string"}}},
            parameters=[slug],
            problems=("unknown-entry",),
        ),
    }


def operation_paths() -> dict[str, Schema]:
    """Health and metrics."""
    texts = {"type": "string"}
    ready = {
        "engine": schema("EngineStamp"),
        "catalog": schema("CatalogStamp"),
        "editions": {
            "type": "array",
            "items": texts,
            "description": "Versions that `catalog` in a request may name, the newest first.",
        },
    }
    return {
        "/livez": plain(
            "getLiveness",
            "operations",
            "Whether the process answers",
            {JSON: {"schema": object_of({"status": one_text("alive")})}},
            cached=False,
        ),
        "/readyz": plain(
            "getReadiness",
            "operations",
            "Whether quotes can be given; Redis does not count",
            {JSON: {"schema": object_of({"status": one_text("ready"), **ready})}},
            problems=("draining",),
            cached=False,
        ),
        "/metrics": plain(
            "getMetrics",
            "operations",
            "Metrics for Prometheus",
            {TEXT: {"schema": texts}, "application/openmetrics-text": {"schema": texts}},
            cached=False,
        ),
    }
