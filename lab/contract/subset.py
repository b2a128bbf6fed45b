"""Whether every value of one schema is a value of another, as far as our contract's keywords go.

The answer is a list of reasons why not, each with its place. It errs on the side of a reason: a
pattern that differs is one, because no program knows which texts two patterns share.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

Schema = Mapping[str, Any]

REFERENCE: Final = "#/components/schemas/"
LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
EQUAL: Final = ("pattern", "format", "multipleOf")
ANYTHING: Final = frozenset({"null", "boolean", "object", "array", "number", "string"})


class Reason(NamedTuple):
    """Why a value of one schema is no value of the other, and where."""

    where: str
    what: str


class Schemas(NamedTuple):
    """A schema with the components that it refers to."""

    node: Schema
    components: Mapping[str, Schema]

    def at(self, node: Schema) -> "Schemas":
        """Another schema of the same document."""
        return Schemas(node, self.components)

    def name(self) -> str:
        """The component that the schema refers to. Empty if it stands where it is."""
        return str(self.node.get("$ref", "")).removeprefix(REFERENCE)

    def target(self) -> "Schemas":
        """The schema itself, where it refers to a component."""
        return self.at(self.components[self.name()]) if self.name() else self


class Subset:
    """Compares schemas of two documents. A pair of components is compared once."""

    def __init__(self, *, inner: str, outer: str) -> None:
        """`inner` and `outer` say when each schema holds: before, or now."""
        self._inner, self._outer = inner, outer
        self._seen: set[tuple[str, str]] = set()

    def reasons(self, inner: Schemas, outer: Schemas, where: str) -> Iterator[Reason]:
        """Why a value of the inner schema may be none of the outer one."""
        pair = (inner.name(), outer.name())
        if all(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        some, others = inner.target(), outer.target()
        if "oneOf" in some.node or "oneOf" in others.node:
            yield from self._alternatives(some, others, where)
            yield from self._dependent(some, others, where)
        else:
            yield from self._plain(some, others, where)

    def _alternatives(self, inner: Schemas, outer: Schemas, where: str) -> Iterator[Reason]:
        """Each alternative of the inner schema has to fit into one of the outer one."""
        outers = [outer.at(node) for node in outer.node.get("oneOf", [outer.node])]
        for node in inner.node.get("oneOf", [inner.node]):
            one = inner.at(node)
            place = f"{where}<{label(one)}>"
            match = [other for other in outers if label(other) == label(one)]
            found = [list(self._alone().reasons(one, other, place)) for other in match or outers]
            yield from min(found, key=len)

    def _alone(self) -> "Subset":
        """The same comparison with a memory of its own: what does not fit here may fit there."""
        return Subset(inner=self._inner, outer=self._outer)

    def _differ(self, name: str, inner: object, outer: object) -> str:
        return f"{name} is {inner} {self._inner}, {outer} {self._outer}"

    def _dependent(self, inner: Schemas, outer: Schemas, where: str) -> Iterator[Reason]:
        mine, theirs = (one.node.get("dependentSchemas", {}) for one in (inner, outer))
        for name, node in theirs.items():
            given = mine.get(name, {})
            yield from self.reasons(inner.at(given), outer.at(node), f"{where}<{name}>")

    def _plain(self, inner: Schemas, outer: Schemas, where: str) -> Iterator[Reason]:
        for name, given, asked in limits(inner.node, outer.node):
            yield Reason(where, self._differ(name, given, asked))
        mine, theirs = (one.node.get("items") for one in (inner, outer))
        if theirs:
            yield from self.reasons(inner.at(mine or {}), outer.at(theirs), f"{where}/*")
        if "object" in types(inner.node):
            yield from self._members(inner, outer, where)

    def _members(self, inner: Schemas, outer: Schemas, where: str) -> Iterator[Reason]:
        mine, theirs = (one.node.get("properties", {}) for one in (inner, outer))
        for name in outer.node.get("required", ()):
            if name not in inner.node.get("required", ()):
                yield Reason(f"{where}/{name}", self._differ("it", "optional", "required"))
        rest, allowed = (one.node.get("additionalProperties", True) for one in (inner, outer))
        for name, node in mine.items():
            place = f"{where}/{name}"
            if name in theirs:
                yield from self.reasons(inner.at(node), outer.at(theirs[name]), place)
            elif allowed is False:
                yield Reason(place, self._differ("it", "a member", "refused"))
            elif isinstance(allowed, dict):
                yield from self.reasons(inner.at(node), outer.at(allowed), place)
        if allowed is False and rest is not False:
            yield Reason(where, self._differ("it", "open", "closed"))
        elif isinstance(allowed, dict) and rest is not False:
            given = rest if isinstance(rest, dict) else {}
            yield from self.reasons(inner.at(given), outer.at(allowed), f"{where}/*")


def label(schema: Schemas) -> str:
    """What tells an alternative from the others: its tag, or its type."""
    node = schema.target().node
    for name, member in node.get("properties", {}).items():
        if len(member.get("enum", ())) == 1:
            return f"{name} {member['enum'][0]}"
    kinds = types(node)
    return "number" if kinds <= {"integer", "number"} else " or ".join(sorted(kinds))


def types(node: Schema) -> frozenset[str]:
    """The types that a schema takes."""
    kind = node.get("type")
    if kind is None:
        return ANYTHING
    return frozenset(kind if isinstance(kind, list) else [kind])


def limits(inner: Schema, outer: Schema) -> Iterator[tuple[str, object, object]]:
    """What the outer schema asks of a value and the inner one does not: name, and both limits."""
    allowed = types(outer) | ({"integer"} if "number" in types(outer) else set())
    if not types(inner) <= allowed:
        yield "type", " or ".join(sorted(types(inner))), " or ".join(sorted(types(outer)))
        return
    for name in LOWER:
        if name in outer and not inner.get(name, float("-inf")) >= outer[name]:
            yield name, inner.get(name, "open"), outer[name]
    for name in UPPER:
        if name in outer and not inner.get(name, float("inf")) <= outer[name]:
            yield name, inner.get(name, "open"), outer[name]
    for name in EQUAL:
        if name in outer and inner.get(name) != outer[name]:
            yield name, inner.get(name, "open"), outer[name]
    if "enum" in outer:
        more = [value for value in inner.get("enum", ["any other"]) if value not in outer["enum"]]
        if more:
            yield ", ".join(map(str, more)), "a value", "refused"
