"""The parameter counts of the presets follow from their fields."""

import msgspec
import pytest

from service.core.catalog.catalog import Catalog
from service.core.figures.sources import Datum
from service.core.model import (
    Architecture,
    architecture_of,
    params_active,
    params_embedding,
    params_total,
)
from service.core.request.transformer import Transformer, contradictions

Presets = dict[str, Transformer]


@pytest.fixture(scope="module")
def presets(catalog: Catalog) -> Presets:
    """The presets' fields as the formulas take them; unknown ones would be refused here."""
    return {
        key: msgspec.convert(model.architecture, Transformer)
        for key, model in catalog.models.items()
    }


@pytest.fixture(scope="module")
def architectures(presets: Presets) -> dict[str, Architecture]:
    """The presets with nothing left to guess."""
    return {key: architecture_of(preset) for key, preset in presets.items()}


def test_no_preset_contradicts_itself(presets: Presets) -> None:
    assert {key: contradictions(preset) for key, preset in presets.items()} == dict.fromkeys(
        presets, ()
    )


def test_total_parameters_follow_from_the_fields(
    catalog: Catalog, architectures: dict[str, Architecture]
) -> None:
    counted = {key: params_total(architecture=shape) for key, shape in architectures.items()}
    assert counted == {key: model.params_total._value for key, model in catalog.models.items()}


def test_active_parameters_follow_from_the_fields(
    catalog: Catalog, architectures: dict[str, Architecture]
) -> None:
    for key, shape in architectures.items():
        stated = catalog.models[key].params_active
        expected = stated if isinstance(stated, Datum) else catalog.models[key].params_total
        assert params_active(architecture=shape) == expected._value, key


def test_embedding_parameters_follow_from_the_fields(
    catalog: Catalog, architectures: dict[str, Architecture]
) -> None:
    for key, shape in architectures.items():
        stated = catalog.models[key].params_embedding
        assert isinstance(stated, Datum)
        assert params_embedding(architecture=shape) == stated._value, key
