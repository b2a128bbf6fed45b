"""`claims.toml`: what was said in public of what a run cost, as `POST /claim` takes it."""

from collections.abc import Container
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.sources import Text
from service.core.catalog.catalog import PublishedClaim, Slug
from service.core.figures.sources import Judged, Published
from service.core.request.claim import ClaimedRuns, ClaimRequest


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
    """Report a body that is no claim, of a later date than the edition, or about unknown runs."""
    try:
        claim = msgspec.convert(body, ClaimRequest)
    except msgspec.ValidationError as error:
        raise place.refusal(f"claim: {error}") from None
    place.check_date(claim.said_on)
    for run in claim.what.ids if isinstance(claim.what, ClaimedRuns) else ():
        if run not in runs:
            place.report(f"unknown run {run!r}")
