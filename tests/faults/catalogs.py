"""Editions of the catalog that cannot be read, and a folder of them that is lost."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from service.api.contract.examples import REQUESTS
from tests.faults.probing import RIGHT, health, quoted, seconds_until
from tests.faults.rows import Seen, fault
from tests.layers import day_after, put_edition
from tests.server import Service, start_service

GROUP: Final = "Catalog"
EDITION: Final = day_after()
HALF_A_ROW: Final = "half,a,row\n"
POLL: Final = {"RUNQUOTE_CATALOG_POLL_S": "0.1"}


def edition_of(service: Service) -> str:
    """The edition that the service says is current."""
    version: str = service.client.get("/readyz").json()["catalog"]["version"]
    return version


@fault(
    GROUP,
    "a later edition that cannot be read; put right later",
    expects={
        "edition": "the old one",
        "quotes": RIGHT,
        "health": "200",
        "in the log": "yes",
        "in the metrics": "1",
    },
    recovers_s=5.0,
)
def unreadable_edition() -> Seen:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        with start_service(RUNQUOTE_CATALOG_DIR=directory, **POLL) as service:
            before = edition_of(service)
            put_edition(folder, EDITION, 3.0, HALF_A_ROW)
            seconds_until(lambda: service.metric("runquote_catalog_refused") > 0)
            facts = {
                "edition": "the old one" if edition_of(service) == before else "another",
                "quotes": quoted(service, "edition", count=3),
                "health": health(service),
                "in the log": "yes" if '"catalog refused"' in service.log() else "no",
                "in the metrics": f"{service.metric('runquote_catalog_refused'):g}",
            }
            shutil.rmtree(folder / EDITION)
            put_edition(folder, EDITION, 3.0)
            return Seen(facts, seconds_until(lambda: edition_of(service) == EDITION))


@fault(
    GROUP,
    "the folder of editions is lost, and there again",
    expects={"edition": "goes on", "health": "200", "answers": "200"},
    recovers_s=5.0,
)
def lost_folder() -> Seen:
    with tempfile.TemporaryDirectory() as directory:
        folder, away = Path(directory) / "catalog", Path(directory) / "away"
        put_edition(folder, EDITION, 3.0)
        with start_service(RUNQUOTE_CATALOG_DIR=str(folder), **POLL) as service:
            folder.rename(away)
            seconds_until(lambda: service.metric("runquote_catalog_refused") > 0)
            answer = service.client.post("/quote", json=REQUESTS[0].request)
            facts = {
                "edition": "goes on" if edition_of(service) == EDITION else "another",
                "health": health(service),
                "answers": str(answer.status_code),
            }
            away.rename(folder)
            return Seen(
                facts, seconds_until(lambda: service.metric("runquote_catalog_refused") == 0)
            )
