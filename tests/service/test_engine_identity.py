"""The engine's digest: what moves it, what does not, and that its reader misses nothing."""

import ast
import io
import json
import os
import re
import shutil
import subprocess
import symtable
import sys
import tokenize
from importlib.metadata import version
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from service import __version__
from service.identity import engine
from service.identity.engine import PACKAGE_DIRECTORY, ROOTS, digest_of, engine_digest
from service.identity.modules import Modules
from service.identity.sources import UnreadableSource, read_source
from service.local import quote_bytes
from tests.requests import R1

TOP = PACKAGE_DIRECTORY.parent
MODULES = Modules(PACKAGE_DIRECTORY, ROOTS)


def path_of(module: str) -> Path:
    """The file of a module of the package."""
    bare = TOP.joinpath(*module.split("."))
    return bare.with_suffix(".py") if bare.with_suffix(".py").exists() else bare / "__init__.py"


def text_of(module: str) -> str:
    return path_of(module).read_text(encoding="utf-8")


# The reader, held against the parser of the language over every module that it reads.


class Bare(ast.NodeTransformer):
    """Code without strings that are statements, and with all other strings alike."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        bare = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if bare else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(type(node.value)()) if isinstance(node.value, str | bytes) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("")


def shape(tree: ast.Module) -> str:
    """The meaning of code but for its strings; a body that held nothing else passes."""
    tree = Bare().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            node.body = node.body or [ast.Pass()]
    return ast.dump(tree)


def parsed(lines: list[str]) -> ast.Module:
    """The code that the reader kept; where a docstring was all the body, `pass` stands."""
    depths = [len(line) - len(line.lstrip()) for line in (*lines, "")]
    return ast.parse(
        "\n".join(
            f"{line} pass" if line.endswith(":") and depths[at + 1] <= depths[at] else line
            for at, line in enumerate(lines)
        )
    )


@pytest.mark.parametrize("module", MODULES.names())
def test_the_reader_keeps_all_code_and_nothing_else(module):
    tree = ast.parse(text_of(module))
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    statements = read_source(text_of(module), module=module).statements
    kept = "\n".join(statement.text for statement in statements).splitlines()
    assert shape(parsed(kept)) == shape(tree)


@pytest.mark.parametrize("module", MODULES.names())
def test_the_reader_knows_every_name_at_the_top_of_a_module(module):
    table = symtable.symtable(text_of(module), module, "exec")
    symbols = [table.lookup(name) for name in table.get_identifiers()]
    source = read_source(text_of(module), module=module)
    bound = {name for statement in source.statements for name in statement.binds}
    assert bound == {one.get_name() for one in symbols if one.is_assigned()}
    assert set(source.imports) == {one.get_name() for one in symbols if one.is_imported()}


@pytest.mark.parametrize("module", MODULES.names())
def test_every_string_and_every_number_tells(module):
    """Each is changed alone; formatted strings are told by their text like the others."""
    text = text_of(module)
    known = read_source(text, module=module).statements
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:row])) for row in range(len(lines))]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        at = starts[token.start[0] - 1] + token.start[1] if token.string else 0
        if token.type == tokenize.NUMBER:
            changed = text[:at] + "9" + text[at:]
        elif token.type == tokenize.STRING and not is_bare(token):
            end = at + len(token.string) - 1
            changed = text[:end] + "x" + text[end:]
        else:
            continue
        assert read_source(changed, module=module).statements != known, token


def is_bare(token: tokenize.TokenInfo) -> bool:
    """Whether a string makes a line of its own, as docstrings do."""
    return token.line.strip() == token.string or token.string.startswith('"""')


def test_comments_docstrings_layout_and_line_endings_do_not_tell(tmp_path):
    copy = copied(tmp_path)
    for path in copy.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        noted = re.sub(r'^( *""")(?=\w)', r"\1Told anew. ", text, flags=re.MULTILINE)
        noted = re.sub(r"^(\w+ = .*[^\\(\[{,])$", r"\1  # noted", noted, flags=re.MULTILINE)
        path.write_bytes(noted.replace("\n", "\r\n").encode())
    (copy / "core" / "__pycache__").mkdir(exist_ok=True)
    (copy / "core" / "__pycache__" / "quote.cpython-311.pyc").write_bytes(b"\0")
    assert engine_digest(copy) == engine_digest()


# Small packages: what one name stands for.

HALVES = "def half(x: float) -> float:\n    return x / 2\n"
THIRDS = "def half(x: float) -> float:\n    return x / 3\n"
FIRST = "from service.c import half\n\ndef first(x: float) -> float:\n    return half(x)\n"
SECOND = "from service.d import half\n\ndef second(x: float) -> float:\n    return half(x)\n"
USERS = {"service/a.py": FIRST, "service/b.py": SECOND}
ROOT = {
    "service/__init__.py": "",
    "service/r.py": "from service.a import first\nfrom service.b import second\n",
}
PAIR = ROOT | USERS | {"service/c.py": HALVES, "service/d.py": THIRDS}


def digest_of_package(directory: Path, files: dict[str, str]) -> str:
    """The digest of a package of these files that starts at `service.r`."""
    shutil.rmtree(directory / "service", ignore_errors=True)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    modules = Modules(directory / "service", ["service.r"])
    return digest_of(*engine.code_facts(modules)).hex()


def test_the_digest_of_a_package_is_the_same_on_every_python(tmp_path):
    known = "af1c643952c5"
    assert digest_of_package(tmp_path, PAIR).startswith(known)


def test_a_helper_that_moves_does_not_tell(tmp_path):
    moved = PAIR | {
        "service/a.py": FIRST.replace("service.c", "service.elsewhere.deep"),
        "service/elsewhere/__init__.py": "",
        "service/elsewhere/deep.py": HALVES,
    }
    del moved["service/c.py"]
    assert digest_of_package(tmp_path, moved) == digest_of_package(tmp_path, PAIR)


def test_two_helpers_of_one_name_that_trade_places_do(tmp_path):
    traded = PAIR | {"service/c.py": THIRDS, "service/d.py": HALVES}
    assert digest_of_package(tmp_path, traded) != digest_of_package(tmp_path, PAIR)


def test_so_do_helpers_behind_helpers_that_read_the_same(tmp_path):
    """`half` reads the same in both modules; what it calls does not."""
    calls = "from service.{} import by\n\ndef half(x: float) -> float:\n    return x / by()\n"
    two, three = (f"def by() -> float:\n    return {number}.0\n" for number in (2, 3))
    files = ROOT | USERS | {"service/c.py": calls.format("e"), "service/d.py": calls.format("f")}
    one = digest_of_package(tmp_path, files | {"service/e.py": two, "service/f.py": three})
    other = digest_of_package(tmp_path, files | {"service/e.py": three, "service/f.py": two})
    assert one != other


def test_another_import_under_the_same_name_tells(tmp_path):
    there = PAIR | {"service/a.py": FIRST.replace("service.c", "service.d")}
    assert digest_of_package(tmp_path, there) != digest_of_package(tmp_path, PAIR)
    second = "from service.a import first as second\n"
    exp, log = (
        ROOT
        | {"service/a.py": f"from math import {name} as by\n\nfirst = by\n", "service/b.py": second}
        for name in ("exp", "log")
    )
    assert digest_of_package(tmp_path, exp) != digest_of_package(tmp_path, log)


def test_what_a_module_is_asked_for_is_followed_through_its_name(tmp_path):
    """`halves.half` is told by what it is, whatever the module is called and wherever it lies."""
    through = FIRST.replace("service.c import half", "service import c").replace("half(", "c.half(")
    one = digest_of_package(tmp_path, PAIR | {"service/a.py": through})
    renamed = {
        "service/a.py": through.replace("import c", "import g").replace("c.half", "g.half"),
        "service/g.py": HALVES,
        "service/c.py": "",
    }
    assert digest_of_package(tmp_path, PAIR | renamed) == one
    other = {"service/a.py": through, "service/c.py": THIRDS}
    assert digest_of_package(tmp_path, PAIR | other) != one


@pytest.mark.parametrize(
    "text",
    [
        "if True:\n    X = 1\n",
        "X = 1\nX = 2\n",
        "print(1)\n",
        "def f() -> None:\n    import math\n",
        "ä = 1\n",
        "from service.nowhere import x\n",
        "from service.a import nothing\n",
    ],
)
def test_what_the_reader_cannot_follow_it_refuses(text, tmp_path):
    with pytest.raises(UnreadableSource):
        digest_of_package(tmp_path, PAIR | {"service/c.py": HALVES + text})


# The engine itself.


def copied(directory: Path) -> Path:
    """A copy of the package's code."""
    copy = directory / "service"
    shutil.copytree(PACKAGE_DIRECTORY, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    return copy


def move(copy: Path, name: str, *, source: str, target: str, needs: str = "") -> None:
    """Move a function of the copy to another module; `needs` are the imports that it takes along.

    Whoever imported it imports it from there afterwards.
    """
    old, new = (f"service.{file[:-3].replace('/', '.')}" for file in (source, target))
    text = (copy / source).read_text(encoding="utf-8")
    (node,) = (one for one in ast.parse(text).body if getattr(one, "name", None) == name)
    assert isinstance(node, ast.FunctionDef)
    lines = text.splitlines(keepends=True)
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1
    taken = "".join(lines[first : node.end_lineno])
    (copy / source).write_text("".join(lines[:first] + lines[node.end_lineno :]), encoding="utf-8")
    there = copy / target
    kept = there.read_text(encoding="utf-8") if there.exists() else ""
    there.write_text(f"{needs}\n{kept}\n\n{taken}", encoding="utf-8")
    for path in copy.rglob("*.py"):
        imported = re.compile(rf"^from {old} import (\(.*?\)|[^\n]*)", re.DOTALL | re.MULTILINE)
        text = path.read_text(encoding="utf-8")
        path.write_text(
            imported.sub(lambda found: parted(found, name, new), text), encoding="utf-8"
        )


def parted(found: re.Match[str], name: str, module: str) -> str:
    """An import statement that takes one of its names from another module."""
    names = [one.strip() for one in found[1].strip("()").split(",") if one.strip()]
    if name not in names:
        return found[0]
    names.remove(name)
    rest = f"{found[0].partition(' import ')[0]} import {', '.join(names)}\n" if names else ""
    return f"{rest}from {module} import {name}"


def quoted_id(directory: Path) -> str:
    """The id that the package in `directory` gives to a request, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "quote", "-", "--format", "json"],
        input=json.dumps(R1).encode(),
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(directory)},
        capture_output=True,
        check=True,
    )
    return str(json.loads(done.stdout)["id"])


MOVES = {
    "to a module of its own": {
        "name": "days_between",
        "source": "core/catalog/dates.py",
        "target": "core/catalog/spans.py",
        "needs": "from service.core.catalog.dates import day_of\n",
    },
    "to another room": {
        "name": "held_device_hours",
        "source": "core/cluster/failures.py",
        "target": "core/figures/holding.py",
        "needs": "from service.core.cluster.failures import LEAST_GOODPUT\n"
        "from service.core.figures.arrays import Real, minimum\n"
        "from service.core.figures.formulas import formula\n",
    },
}


@pytest.mark.parametrize("way", MOVES)
def test_a_function_that_moves_within_the_core_does_not_tell(way, tmp_path):
    copy = copied(tmp_path)
    move(copy, **MOVES[way])
    assert engine_digest(copy) == engine_digest()


CHANGES = {
    "a constant": ("core/cluster/failures.py", "LEAST_GOODPUT = 1e-3", "LEAST_GOODPUT = 2e-3"),
    "an operator": ("core/catalog/dates.py", " - ", " + "),
    "a word that is printed": (
        "core/catalog/errors.py",
        "the nearest known are",
        "its nearest are",
    ),
    "how long a quote is valid": ("answering/kind.py", "timedelta(days=30)", "timedelta(days=31)"),
    "how a canonical request is written": ("answering/quotes.py", "quote/2", "quote/3"),
    "how the catalog is read": ("catalog_files/files.py", "scaleb(exponent)", "scaleb(-exponent)"),
    "the version": ("__init__.py", __version__, __version__ + ".1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_can_move_a_byte_tells(change, tmp_path):
    file, before, after = CHANGES[change]
    copy = copied(tmp_path)
    text = (copy / file).read_text(encoding="utf-8")
    assert before in text
    (copy / file).write_text(text.replace(before, after, 1), encoding="utf-8")
    assert engine_digest(copy) != engine_digest()


@pytest.mark.parametrize("file", ["api/quotes.py", "quoting.py", "metrics.py", "cache/memory.py"])
def test_what_only_carries_the_bytes_does_not(file, tmp_path):
    copy = copied(tmp_path)
    with (copy / file).open("a", encoding="utf-8") as module:
        module.write("\n\nMORE = 1\n")
    assert engine_digest(copy) == engine_digest()


@pytest.mark.parametrize("library", ["numpy", "msgspec", "rfc8785"])
def test_another_version_of_a_library_that_writes_the_bytes_tells(library, monkeypatch):
    known = engine_digest()
    monkeypatch.setattr(engine, "version", lambda name: "0" if name == library else version(name))
    assert engine_digest() != known


def test_a_copy_with_another_constant_gives_other_ids_and_one_with_a_moved_function_the_same(
    tmp_path,
):
    copy = copied(tmp_path)
    known = json.loads(quote_bytes(json.dumps(R1).encode()))["id"]
    move(copy, **MOVES["to a module of its own"])
    assert quoted_id(tmp_path) == known
    file, before, after = CHANGES["a constant"]
    text = (copy / file).read_text(encoding="utf-8")
    (copy / file).write_text(text.replace(before, after), encoding="utf-8")
    assert quoted_id(tmp_path) != known


def test_a_wheel_is_the_same_engine_as_the_checkout_that_it_was_built_from(tmp_path):
    (wheel,) = WheelBuilder(str(TOP)).build(directory=str(tmp_path), versions=["standard"])
    shutil.unpack_archive(wheel, tmp_path / "installed", "zip")
    assert engine_digest(tmp_path / "installed" / "service") == engine_digest()


def test_all_places_that_name_the_version_agree():
    named = {
        "Dockerfile": r"^ARG VERSION=(.+)$",
        "deploy/compose.yaml": r"image: runquote:(.+)$",
        "CHANGELOG.md": r"^## \[(\d.+)\]",
    }
    for file, pattern in named.items():
        found = re.search(pattern, (TOP / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert found, file
        assert found[1] == __version__, file
