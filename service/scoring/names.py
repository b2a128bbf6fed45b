"""Printed names of devices and models, and the rows of the catalog that they mean."""

import re
from typing import Final

from msgspec import structs

from service.core.catalog.catalog import Accelerator, Catalog
from service.core.request.work import Model, ParametersModel, PresetModel, TransformerModel
from service.scoring.steps.inputs import Printed, transformer_of_row

BESIDE_THE_NAME: Final = re.compile(r"sxm\d?|pcie|nvl|rtx|tpu|ascend|\d+gb")
"""Words of an id that several devices share: form factors, memory, product lines."""
SIZE: Final = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?:-?a(\d+(?:\.\d+)?)b)?")
"""Parameters in a model's name: 70b, 8x7b, 30b-a3b."""

VARIANT: Final = re.compile(r"(?i)[-_ ](instruct|chat|hf|base|it)$")
"""Words that say how a model was tuned or packed, and not which it is."""


def accelerator_named(name: str, catalog: Catalog) -> Accelerator | None:
    """The catalog's accelerator of an id or of a printed name, if there is one.

    A printed name has all words of the id that no other device shares. Of several such ids the one
    with the longest words is meant, then the one that has more of its other words in the name. A
    name that leaves form factor or memory open is an alias of the catalog.
    """
    if name in catalog.accelerators:
        return catalog.accelerators[name]
    joined = _letters(name)
    aliases = {_letters(alias): id for alias, id in catalog.accelerator_aliases.items()}
    for spelled in (joined, _letters(re.sub(r"(?i)nvidia|amd|google|aws|intel|tesla", "", name))):
        if spelled in aliases:
            return catalog.accelerators[aliases[spelled]]

    def likeness(id: str) -> tuple[int, int, int]:
        words = id.split("-")[1:]
        own = [word for word in words if not BESIDE_THE_NAME.fullmatch(word)]
        if not own or not all(word in joined for word in own):
            return (0, 0, 0)
        shared = sum(word in joined for word in words)
        return (sum(map(len, own)), shared, -len(words))

    best = max(catalog.accelerators, key=likeness)
    return catalog.accelerators[best] if likeness(best)[0] else None


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
    wanted = _letters(VARIANT.sub("", name.rsplit("/", maxsplit=1)[-1]))
    spelled = {id: _letters(id) for id in catalog.models}
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


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
