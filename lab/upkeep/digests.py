"""Digests of what a product is made from: the code that makes it, and the files that it reads.

Code counts by its statements: comments, docstrings, imports, layout and the module in which a
function lies do not count. Where a product prints the code, its text counts.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import grimp

from lab.files import ROOT

PACKAGES: Final = ("service", "lab")
DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest_of(parts: Iterable[str]) -> str:
    """One digest over several texts, whose order counts."""
    total = sha256()
    for part in parts:
        content = part.encode()
        total.update(f"{len(content)}\n".encode())
        total.update(content)
    return f"sha256:{total.hexdigest()}"


def files_digest(paths: Iterable[Path]) -> str:
    """A digest over the names and texts of files; a file that is not there counts as empty."""
    return digest_of(part for path in sorted(paths) for part in (_name(path), _text(path)))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def code_digest(*modules: str) -> str:
    """A digest over the statements of modules."""
    return digest_of(sorted(one for name in modules for one in _statements(_file_of(name))))


def text_digest(*modules: str) -> str:
    """A digest over the whole text of modules."""
    return files_digest(map(_file_of, modules))


def with_imported(module: str) -> set[str]:
    """A module and all of ours that it imports, and these import, and so on."""
    return {module, *_imports().find_upstream_modules(module)}


@cache
def _imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=str(ROOT / ".cache" / "grimp"))


def _file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _statements(path: Path) -> tuple[str, ...]:
    return tuple(statements_of(path.read_text(encoding="utf-8")))


def statements_of(source: str) -> Iterator[str]:
    """Each statement at the top of a module, in a form that every version of Python gives it."""
    for statement in _body(ast.parse(source)):
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            yield sha256(repr(_form(statement)).encode()).hexdigest()


def _form(node: Any) -> Any:
    if isinstance(node, list):
        return [_form(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    members = dict(ast.iter_fields(node))
    if isinstance(node, DOCUMENTED):
        members["body"] = _body(node)
    return type(node).__name__, [
        (name, _form(member)) for name, member in members.items() if member not in (None, [])
    ]


def _body(node: Any) -> list[ast.stmt]:
    """The statements of a module, class or function, without what describes it."""
    body: list[ast.stmt] = node.body
    return body[1:] if ast.get_docstring(node, clean=False) is not None else body
