"""What changed between two contracts, and whether a client of the old one breaks.

A request that was valid has to stay valid. An answer has to be one that the old contract describes,
and to have all members, values and headers that it promised. See docs/compatibility.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from lab.contract.subset import Schema, Schemas, Subset, types

KNOWN_VALUES: Final = "x-extensible-enum"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
Document = Mapping[str, Any]


class Change(NamedTuple):
    """One change: where, what, and whether a client of the old contract breaks."""

    where: str
    what: str
    breaks: bool


def changes(old: Document, new: Document) -> list[Change]:
    """All changes that matter to a client, those that break first."""
    found = [*operations_changed(old, new), *added(old, new)]
    return sorted(set(found), key=lambda change: (not change.breaks, change.where, change.what))


def operations(document: Document) -> dict[str, Document]:
    """Every operation by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def operations_changed(old: Document, new: Document) -> Iterator[Change]:
    """What changed in the operations that the old contract has."""
    later = operations(new)
    for name, operation in operations(old).items():
        if name not in later:
            yield Change(name, "is gone", breaks=True)
            continue
        one, other = Operation(old, operation), Operation(new, later[name])
        if operation.get("operationId") != later[name].get("operationId"):
            yield Change(name, "has another operationId, which names it in clients", breaks=True)
        yield from parameters_changed(name, one, other)
        yield from bodies_changed(name, one, other)
        yield from answers_changed(name, one, other)


class Operation(NamedTuple):
    """An operation and the document that it is in."""

    document: Document
    node: Document

    def target(self, node: Document) -> Document:
        """What a reference refers to; what is none stands for itself."""
        found: Document = node
        if "$ref" in node:
            found = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/")]
        return found

    def schema(self, node: Schema) -> Schemas:
        """A schema with the components of its document."""
        return Schemas(node, self.document["components"]["schemas"])

    def parameters(self) -> dict[str, Document]:
        """Its parameters by place and name."""
        some = (self.target(one) for one in self.node.get("parameters", ()))
        return {f"{one['in']} {one['name']}": one for one in some}

    def bodies(self) -> dict[str, Schema]:
        """The schemas of its request by media type."""
        content = self.target(self.node.get("requestBody", {})).get("content", {})
        return {kind: one["schema"] for kind, one in content.items()}

    def answers(self) -> dict[str, Document]:
        """Its answers by status."""
        return {status: self.target(one) for status, one in self.node["responses"].items()}


def parameters_changed(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    """What was sent in an address or a header has to be taken still."""
    before, after = old.parameters(), new.parameters()
    for key, one in before.items():
        where = f"{name} {key}"
        if key not in after:
            yield Change(where, "is gone", breaks=True)
            continue
        inner, outer = old.schema(one["schema"]), new.schema(after[key]["schema"])
        yield from broken(sent(), inner, outer, where)
        if after[key].get("required") and not one.get("required"):
            yield Change(where, "is required now", breaks=True)
    for key in after.keys() - before.keys():
        needed = bool(after[key].get("required"))
        what = "is new and required" if needed else "is new"
        yield Change(f"{name} {key}", what, breaks=needed)


def bodies_changed(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    """A request that was valid has to stay valid."""
    after = new.bodies()
    for kind, schema in old.bodies().items():
        if kind not in after:
            yield Change(f"{name} request", f"{kind} is no longer read", breaks=True)
        else:
            inner, outer = old.schema(schema), new.schema(after[kind])
            yield from broken(sent(), inner, outer, f"{name} request ")


def answers_changed(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    """An answer has to be one of the old contract, with all that it promised.

    Of a refusal the status may go: what was refused may become valid.
    """
    after = new.answers()
    for status, one in old.answers().items():
        where = f"{name} {status}"
        if status not in after:
            yield Change(where, "is gone", breaks=status < "400")
            continue
        for header in one.get("headers", {}).keys() - after[status].get("headers", {}).keys():
            yield Change(where, f"header {header} is gone", breaks=True)
        for kind, content in one.get("content", {}).items():
            later = after[status].get("content", {}).get(kind)
            if later is None:
                yield Change(where, f"no longer comes as {kind}", breaks=True)
                continue
            outer, inner = old.schema(content["schema"]), new.schema(later["schema"])
            yield from broken(read(), inner, outer, f"{where} ")
            yield from lost(outer, inner, f"{where} ", set())


def sent() -> Subset:
    """What clients send: what was valid before has to be valid now."""
    return Subset(inner="before", outer="now")


def read() -> Subset:
    """What clients read: what is answered now has to be what was described before."""
    return Subset(inner="now", outer="before")


def broken(subset: Subset, inner: Schemas, outer: Schemas, where: str) -> Iterator[Change]:
    """The reasons why one schema does not fit into the other, as changes."""
    for reason in subset.reasons(inner, outer, where):
        yield Change(reason.where, reason.what, breaks=True)


def lost(old: Schemas, new: Schemas, where: str, seen: set[str]) -> Iterator[Change]:
    """Members and known values of an answer that are there no more."""
    if old.name():
        if old.name() in seen:
            return
        seen.add(old.name())
    before, after = old.target(), new.target()
    for value in before.node.get(KNOWN_VALUES, ()):
        if value not in after.node.get(KNOWN_VALUES, ()):
            yield Change(where, f"{value} is no longer a value", breaks=True)
    later = after.node.get("properties", {})
    for name, member in before.node.get("properties", {}).items():
        if name not in later:
            yield Change(f"{where}/{name}", "is gone", breaks=True)
        else:
            yield from lost(before.at(member), after.at(later[name]), f"{where}/{name}", seen)
    for keyword in ("items", "additionalProperties"):
        inner, outer = before.node.get(keyword), after.node.get(keyword)
        if isinstance(inner, dict) and isinstance(outer, dict):
            yield from lost(before.at(inner), after.at(outer), f"{where}/*", seen)


def added(old: Document, new: Document) -> Iterator[Change]:
    """Operations, members and values that are new, and defaults that are others."""
    for name in operations(new).keys() - operations(old).keys():
        yield Change(name, "is new", breaks=False)
    before, after = (one["components"]["schemas"] for one in (old, new))
    for name in before.keys() & after.keys():
        yield from added_to(before[name], after[name], name)


def added_to(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    """What is new in a schema."""
    for keyword in ("enum", KNOWN_VALUES):
        for value in new.get(keyword, ()):
            if value not in old.get(keyword, ()):
                yield Change(where, f"{value} is a new value", breaks=False)
    if old.get("x-default") != new.get("x-default"):
        words = f"left out, it is {new.get('x-default')}, and was {old.get('x-default')}"
        yield Change(where, words, breaks=False)
    if new.get("deprecated") and not old.get("deprecated"):
        yield Change(where, "is deprecated", breaks=False)
    members = old.get("properties", {})
    for name, member in new.get("properties", {}).items():
        if name in members:
            yield from added_to(members[name], member, f"{where}/{name}")
        elif "object" in types(old):
            yield Change(f"{where}/{name}", "is new", breaks=False)
    if isinstance(new.get("items"), dict) and isinstance(old.get("items"), dict):
        yield from added_to(old["items"], new["items"], f"{where}/*")
