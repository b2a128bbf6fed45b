"""`models/*.toml`: published architectures with the parameter counts that follow from them."""

from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError, scaled
from service.catalog_files.ranges import Ranges
from service.catalog_files.sources import HIGH, LOW, Text, Url
from service.core.catalog.catalog import ModelPreset, Slug
from service.core.figures.sources import AsOf, Datum, Published
from service.core.model.parameters import params_active, params_embedding, params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer, contradictions

Count = Annotated[int, Meta(ge=1, le=10**15)]
Billions = Annotated[float, Meta(gt=0, le=1e6)]

BILLION = 9


class Citation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A source that only this row cites. `as_of` is the day of reading if it prints no date."""

    title: Text
    locator: Text
    as_of: AsOf
    url: Url | UnsetType = UNSET


class ModelRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One preset. `recalled` names those of its two sources that were not read again."""

    id: Slug
    name: Text
    organisation: Text
    released: AsOf
    architecture: dict[str, Any]
    params_total: Count
    params_embedding: Count
    published_total_b: Billions
    published_source: Citation
    architecture_source: Citation
    reference_checked: bool
    recalled: list[Literal["published", "architecture"]]
    params_active: Count | UnsetType = UNSET
    published_active_b: Billions | UnsetType = UNSET
    extra_params_note: str = ""
    note: str = ""


def read_models(files: DataFiles, ranges: Ranges) -> dict[str, ModelPreset]:
    """All presets by id."""
    found: dict[str, ModelPreset] = {}
    for place, row in files.toml_rows("models/*.toml", "model", ModelRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            for as_of in (row.released, row.published_source.as_of, row.architecture_source.as_of):
                place.check_date(as_of)
            _check_counts(place, row)
            found[row.id] = _preset(place, row, ranges)
    return found


def _check_counts(place: Place, row: ModelRow) -> None:
    """Report parameter counts that do not follow from the fields, with the right ones."""
    shape = architecture_of(_transformer(place, row))
    stated = {
        "params_total": row.params_total,
        "params_active": row.params_total if row.params_active is UNSET else row.params_active,
        "params_embedding": row.params_embedding,
    }
    for name, count in (
        ("params_total", params_total(architecture=shape)),
        ("params_active", params_active(architecture=shape)),
        ("params_embedding", params_embedding(architecture=shape)),
    ):
        if stated[name] != count:
            place.report(f"{name} is {stated[name]}, but the fields make {count:.0f}")


def _transformer(place: Place, row: ModelRow) -> Transformer:
    """The fields as a transformer. Refuses unknown fields and contradictions."""
    try:
        transformer = msgspec.convert(row.architecture, Transformer)
    except msgspec.ValidationError as error:
        raise place.refusal(f"architecture: {error}") from None
    if wrong := contradictions(transformer):
        raise place.refusal("; ".join(f"architecture: {member} {why}" for member, why in wrong))
    return transformer


def _preset(place: Place, row: ModelRow, ranges: Ranges) -> ModelPreset:
    architecture_source = _published(row, "architecture", row.architecture_source)
    published_source = _published(row, "published", row.published_source)
    counted = Published(
        title=architecture_source.title,
        locator=f"counted from the fields of {architecture_source.locator}",
        as_of=architecture_source.as_of,
        url=architecture_source.url,
        confidence=architecture_source.confidence,
    )
    if row.params_active is not UNSET and row.params_active > row.params_total:
        place.report("more parameters are active than there are")

    def count(name: str, value: float | UnsetType, source: Published) -> Datum | UnsetType:
        if value is UNSET:
            return UNSET
        return Datum(
            name=f"models/{row.id}/{name}",
            _value=float(value),
            unit="count",
            source=source,
            **ranges.exact("count", float(value)),
        )

    def billions(name: str, value: float | UnsetType) -> Datum | UnsetType:
        return count(name, UNSET if value is UNSET else scaled(value, BILLION), published_source)

    total = count("params_total", row.params_total, counted)
    assert total is not UNSET
    return ModelPreset(
        id=row.id,
        name=row.name,
        organisation=row.organisation,
        released=row.released,
        architecture=row.architecture,
        params_total=total,
        params_active=count("params_active", row.params_active, counted),
        params_embedding=count("params_embedding", row.params_embedding, counted),
        published_total=billions("published_total", row.published_total_b),
        published_active=billions("published_active", row.published_active_b),
        architecture_source=architecture_source,
        reference_checked=row.reference_checked,
        note="; ".join(note for note in (row.note, row.extra_params_note) if note),
    )


def _published(
    row: ModelRow, which: Literal["published", "architecture"], cited: Citation
) -> Published:
    return Published(
        title=cited.title,
        locator=cited.locator,
        as_of=cited.as_of,
        url=cited.url,
        confidence=LOW if which in row.recalled else HIGH,
    )
