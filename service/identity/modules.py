"""The modules that some others need, and what each name in them refers to."""

import builtins
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from service.identity.sources import Imported, Source, Statement, UnreadableSource, read_source

PACKAGE: Final = "service"
BUILTINS: Final = frozenset(vars(builtins))

Target: TypeAlias = int | str
"""What a name refers to: a statement, by its place in `Modules.written`, or the full name of what
lies outside of these modules."""


class Written(NamedTuple):
    """A statement, and what each name in it refers to outside of it."""

    text: str
    uses: frozenset[tuple[str, Target]]


class Modules:
    """The modules of the package in `directory` that `roots` import, and these import, and so on.

    The packages that a module lies in are among them, since importing it runs them.
    """

    def __init__(self, directory: Path, roots: Iterable[str]) -> None:
        self._files = dict(_files(directory))
        self._sources: dict[str, Source] = {}
        waiting = list(roots)
        while waiting:
            module = waiting.pop()
            if module in self._sources:
                continue
            self._sources[module] = source = self._read(module)
            waiting += filter(None, (module.rpartition(".")[0],))
            waiting += {self._home(one) for one in source.imports.values() if _is_ours(one)}
        self._places = {
            (module, name): place
            for place, (module, statement) in enumerate(self._statements())
            for name in statement.binds
        }

    def names(self) -> tuple[str, ...]:
        """The names of the modules, sorted."""
        return tuple(sorted(self._sources))

    def libraries(self) -> set[str]:
        """The libraries that the modules import, without ours and without Python's."""
        tops = {
            one.module.partition(".")[0]
            for source in self._sources.values()
            for one in source.imports.values()
        }
        return tops - sys.stdlib_module_names - {PACKAGE}

    def written(self) -> list[Written]:
        """All statements of all modules, with what they use."""
        scopes = {module: dict(self._scope(module)) for module in self._sources}
        inner = {module: self._modules_bound(module) for module in self._sources}
        return [
            self._written(statement, scopes[module], inner[module], scopes)
            for module, statement in self._statements()
        ]

    def _written(
        self,
        statement: Statement,
        scope: dict[str, Target],
        inner: dict[str, str],
        scopes: dict[str, dict[str, Target]],
    ) -> Written:
        """A statement; of `module.name` it keeps `.name`, since a name may move with its module."""
        text = statement.text
        if inner:
            text = re.sub(rf"(?<![\w.])(?:{'|'.join(inner)})(?=\.)", "", text)
        uses: set[tuple[str, Target]] = set()
        for head, attribute in statement.references():
            if head in inner and attribute in (within := scopes[inner[head]]):
                uses.add((f".{attribute}", within[attribute]))
            elif head in scope:
                uses.add((head, scope[head]))
            elif head in BUILTINS:
                uses.add((head, f"builtins.{head}"))
        return Written(text, frozenset(uses))

    def _scope(self, module: str) -> Iterator[tuple[str, Target]]:
        """What the names at the top of a module refer to."""
        source = self._sources[module]
        for name in source.imports:
            yield name, self._target(module, name)
        for statement in source.statements:
            for name in statement.binds:
                yield name, self._places[module, name]

    def _target(self, module: str, name: str) -> Target:
        """What a name of a module refers to, followed through re-exports."""
        if (module, name) in self._places:
            return self._places[module, name]
        one = self._sources[module].imports.get(name)
        if one is None:
            raise UnreadableSource(f"{name} is imported from {module}, which has no such name")
        if not _is_ours(one) or self._is_module(one):
            return f"{one.module}.{one.name}"
        return self._target(one.module, one.name)

    def _modules_bound(self, module: str) -> dict[str, str]:
        """The names under which a module has imported modules of ours, and which these are."""
        return {
            name: self._home(one)
            for name, one in self._sources[module].imports.items()
            if _is_ours(one) and self._is_module(one)
        }

    def _statements(self) -> Iterator[tuple[str, Statement]]:
        """Every statement with its module, in the order of their places."""
        for module, source in self._sources.items():
            for statement in source.statements:
                yield module, statement

    def _read(self, module: str) -> Source:
        if module not in self._files:
            raise UnreadableSource(f"module {module} is imported, and its source is not there")
        return read_source(self._files[module].read_text(encoding="utf-8"), module=module)

    def _is_module(self, one: Imported) -> bool:
        """Whether an import of ours binds a module, not a name in one."""
        return not one.name or f"{one.module}.{one.name}" in self._files

    def _home(self, one: Imported) -> str:
        """The module that an import of ours loads."""
        return f"{one.module}.{one.name}".rstrip(".") if self._is_module(one) else one.module


def _is_ours(one: Imported) -> bool:
    return one.module.partition(".")[0] == PACKAGE


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    """The modules of a package by name, each with its file."""
    for path in directory.rglob("*.py"):
        parts = path.relative_to(directory).with_suffix("").parts
        yield ".".join((PACKAGE, *parts)).removesuffix(".__init__"), path
