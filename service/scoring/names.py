"""Printed names of devices and models, and the rows of the catalog that they mean."""

import re
from typing import Final

from msgspec import structs

from service.core.catalog.catalog import Catalog
from service.core.request.work import Model, ParametersModel, PresetModel, TransformerModel
from service.scoring.devices import letters_of
from service.scoring.steps.inputs import Printed, transformer_of_row

SIZE: Final = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?:-?a(\d+(?:\.\d+)?)b)?")
"""Parameters in a model's name: 70b, 8x7b, 30b-a3b."""

VARIANT: Final = re.compile(r"(?i)[-_ ](instruct|chat|hf|base|it)$")
"""Words that say how a model was tuned or packed, and not which it is."""


def model_named(row: Printed, name: str, catalog: Catalog) -> Model | None:
    """The model of a row: its printed shape, else the catalog's of that name, else its size."""
    transformer = transformer_of_row(row)
    if transformer is not None:
        return TransformerModel(**structs.asdict(transformer))
    preset = preset_named(name, catalog)
    if preset is not None:
        return PresetModel(id=preset)
    if row.params_b:
        active = row.active_params_b or row.params_b
        return ParametersModel(total=row.params_b * 1e9, active=active * 1e9)
    return _of_size(name)


def preset_named(name: str, catalog: Catalog) -> str | None:
    """The id of a model that is spelled like this, if there is exactly one."""
    wanted = letters_of(VARIANT.sub("", name.rsplit("/", maxsplit=1)[-1]))
    spelled = {id: letters_of(id) for id in catalog.models}
    for alike in (wanted.__eq__, lambda other: other.startswith(wanted)):
        found = [id for id, other in spelled.items() if alike(other)]
        if len(found) == 1:
            return found[0]
    return None


def _of_size(name: str) -> Model | None:
    """A model of which only the name is known, with the parameters that the name says."""
    found = SIZE.search(name.lower().replace(" ", ""))
    if found is None:
        return None
    times, each, active = found.groups()
    total = float(times or 1) * float(each) * 1e9
    return ParametersModel(total=total, active=min(total, float(active or each) * 1e9))
