"""`claims.toml`: what was said in public of what a run cost, as `POST /claim` takes it."""

from collections.abc import Container
from contextlib import suppress
from typing import Any

from msgspec import Struct

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.sources import Text
from service.core.catalog.catalog import PublishedClaim, Slug
from service.core.figures.sources import Judged, Published


class ClaimRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One claim. `claim` is the body that judges it."""

    id: Slug
    model: Text
    said_by: Text
    words: Text
    source: Published | Judged
    claim: dict[str, Any]
    note: str = ""


def read_claims(files: DataFiles, runs: Container[str]) -> dict[str, PublishedClaim]:
    """All claims by id."""
    found: dict[str, PublishedClaim] = {}
    for place, row in files.toml_rows("claims.toml", "claim", ClaimRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            place.check_date(row.source.as_of)
            _check_body(place, row.claim, runs)
            found[row.id] = PublishedClaim(
                id=row.id,
                model=row.model,
                said_by=row.said_by,
                words=row.words,
                source=row.source,
                claim=row.claim,
                note=row.note,
            )
    return found


def _check_body(place: Place, body: dict[str, Any], runs: Container[str]) -> None:
    """Report a body of a later date than the edition, or about a run that is not there."""
    said_on, what = body.get("said_on"), body.get("what")
    if not isinstance(said_on, str) or not isinstance(what, dict):
        raise place.refusal("a claim says when it was said (said_on) and of what (what)")
    place.check_date(said_on)
    for run in what.get("ids", ()):
        if run not in runs:
            place.report(f"unknown run {run!r}")
