"""Requests that are no longer quite what they were."""

import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

ODD: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1, 0.5, 1e308, 5e-324, -1e-9, 10**30, float("nan"), "", "x" * 300, "\0",
    "\ud800", "2027-02-30", [], {}, [[]], {"low": 2, "high": 1}, {"low": 0, "high": 1e300},
)  # fmt: skip
"""Values that stand in few requests."""
FACTORS: Final = (0.0, -1.0, 0.5, 2.0, 1e-6, 1e6, 1e300)
HOW_MANY: Final = (1, 1, 1, 2, 4)
HOW_MANY_BYTES: Final = (1, 1, 1, 2, 5, 20)


def with_other_bytes(draw: random.Random, request: bytes) -> bytes:
    """A request in which some bytes are others, are missing or are there twice."""
    data = bytearray(request)
    for _ in range(draw.choice(HOW_MANY_BYTES)):
        at = draw.randrange(len(data))
        kind = draw.randrange(4)
        if kind == 0:
            data[at] = draw.randrange(256)
        elif kind == 1 and len(data) > 100:
            del data[at : at + draw.choice((1, 1, 2, 30))]
        elif kind == 2:
            data[at:at] = data[at : at + draw.choice((1, 2, 60))]
        else:
            data[at] ^= 1 << draw.randrange(8)
    return bytes(data)


def with_other_members(draw: random.Random, body: Any, others: Sequence[Any]) -> Any:
    """A body in which some members are others, are missing, or come from other bodies."""
    changed = copy.deepcopy(body)
    for _ in range(draw.choice(HOW_MANY)):
        places = list(_places(changed))
        if places:
            _change(draw, *draw.choice(places), draw.choice(others))
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each object or list below a value, with each of its names or numbers."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _change(draw: random.Random, holder: Any, key: Any, other: Any) -> None:
    """Change what stands in one place."""
    kind = draw.randrange(5)
    value = holder[key]
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(value, int | float):
        holder[key] = value * draw.choice(FACTORS)
    elif kind == 2:
        elsewhere, name = draw.choice(list(_places(other)) or [({"": None}, "")])
        holder[key] = copy.deepcopy(elsewhere[name])
    elif kind == 3 and isinstance(holder, list):
        holder.append(copy.deepcopy(value))
    elif kind == 3:
        holder[f"{key}_"] = holder.pop(key)
    else:
        holder[key] = copy.deepcopy(draw.choice(ODD))
