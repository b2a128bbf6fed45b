"""`sources.csv`: the sources that rows of other files cite by id."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct

from service.catalog_files.files import DataFiles, Place
from service.core.catalog.catalog import Slug
from service.core.figures.sources import AsOf, Confidence, Published

Text = Annotated[str, Meta(min_length=1)]
Url = Annotated[str, Meta(pattern=r"^https?://\S+$(?!\n)")]

HIGH: Final = "high"
MEDIUM: Final = "medium"
LOW: Final = "low"


class SourceRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One source. `as_of` is its printed date, or the day of reading if it prints none."""

    id: Slug
    title: Text
    locator: Text
    as_of: AsOf
    licence: Text
    recalled: bool
    url: Url = ""


class Sources:
    """The sources by id. Equal citations are one object."""

    def __init__(self, rows: dict[str, SourceRow]) -> None:
        self.rows = rows
        self._cited: dict[tuple[str, ...], Published] = {}

    def cite(
        self,
        place: Place,
        source: str,
        *,
        as_of: str = "",
        confidence: Confidence = HIGH,
        remark: str = "",
    ) -> Published:
        """A citation of one or more sources (ids apart by a blank), dated `as_of` if given.

        A recalled source is always of low confidence.
        """
        if as_of:
            place.check_date(as_of)
        key = (source, as_of, confidence, remark)
        if key not in self._cited:
            rows = [self._row(place, one) for one in source.split(" ")]
            locators = [row.locator for row in rows]
            self._cited[key] = Published(
                title="; ".join(dict.fromkeys(row.title for row in rows)),
                locator="; ".join(dict.fromkeys([*locators, remark] if remark else locators)),
                as_of=as_of or max(row.as_of for row in rows),
                url=next((row.url for row in rows if row.url), UNSET),
                confidence=LOW if all(row.recalled for row in rows) else confidence,
            )
        return self._cited[key]

    def licence(self, source: str) -> str:
        """Under which licence the source gives its figures."""
        return self.rows[source].licence

    def _row(self, place: Place, source: str) -> SourceRow:
        row = self.rows.get(source)
        if row is None:
            raise place.refusal(f"unknown source {source!r}")
        return row


def read_sources(files: DataFiles) -> Sources:
    """The table of sources."""
    rows: dict[str, SourceRow] = {}
    for place, row in files.csv_rows("sources.csv", SourceRow):
        if row.id in rows:
            place.report(f"id {row.id!r} is there already")
        place.check_date(row.as_of)
        rows[row.id] = row
    return Sources(rows)
