"""`python -m lab runs predict`: predictions for published runs, as the catalog shows them.

Predicting all of them takes seconds, so it is done when the file is written, not when the service
starts; a test holds the file to what the engine says today.
"""

import csv
import io
from typing import Final

from msgspec import UNSET

from lab.files import Texts
from service.catalog_files import DATA_DIRECTORY
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.scoring.runs.predict import Predicted, predicted

FILE: Final = DATA_DIRECTORY / "runs" / "predicted_runs.csv"
COLUMNS: Final = ("run", "device_hours", "p10", "p90")


def made(catalog: Catalog) -> Texts:
    """The file as today's engine makes it."""
    return {FILE: table_of(predictions(catalog))}


def predictions(catalog: Catalog) -> dict[str, Predicted]:
    """The runs of which device-hours were disclosed and can be predicted, by id."""
    memo = Memo()
    found = {
        run.id: predicted(run, catalog, memo)
        for run in catalog.runs.values()
        if run.device_hours is not UNSET
    }
    return {id: hours for id, hours in found.items() if isinstance(hours, Predicted)}


def table_of(found: dict[str, Predicted]) -> str:
    """The file's text: device-hours to six digits, in the order of the ids."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for id, hours in sorted(found.items()):
        writer.writerow((id, *(f"{hour:.6g}" for hour in (hours.central, hours.p10, hours.p90))))
    return text.getvalue()
