"""The contract for programs: fewer words, one example for each request, none for answers.

Half of the contract's bytes are words for readers. They stand in the YAML, which is otherwise the
same document. Everything keeps its first sentence.
"""

import re
from typing import Any, Final

Schema = dict[str, Any]
END_OF_SENTENCE: Final = re.compile(r"(?<=[.:])\s+(?=[A-Z`*])")


def in_short(document: Schema) -> Schema:
    """A copy of the contract with the same paths, schemas and constraints, and fewer words."""
    short: Schema = _shortened(document, ())
    return short


def _shortened(node: Any, path: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_shortened(one, path) for one in node]
    if not isinstance(node, dict):
        return node
    found: Schema = {}
    for key, value in node.items():
        if key == "description" and isinstance(value, str):
            found[key] = END_OF_SENTENCE.split(value.partition("\n\n")[0], maxsplit=1)[0]
        elif key == "examples" and path[-1] != "properties" and isinstance(value, dict):
            if "responses" not in path:
                found[key] = dict(list(value.items())[:1])
        else:
            found[key] = _shortened(value, (*path, key))
    return found
