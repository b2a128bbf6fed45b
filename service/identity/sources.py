"""Python modules as statements: text without comments, docstrings and layout.

Reading with `ast` takes half a second for the engine's modules, which is too long for a start.
This reader takes some tens of milliseconds, because it knows only what our modules hold: imports,
definitions and assignments. It refuses anything else at the top of a module, and the tests compare
it with `ast` and `symtable` over every module that it reads.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

LEXEME: Final = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\]*(?:\\.[^"\\]*)*"'
    r"|'[^'\\]*(?:\\.[^'\\]*)*'"
    r"|\#[^\n]*",
    re.DOTALL,
)
"""A string or a comment, whichever begins first."""

NAME: Final = re.compile(r"[A-Za-z_]\w*")
REFERENCE: Final = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]*")
"""A name, with the attributes that are taken of it."""

ALL_BUT_BRACKETS: Final = dict.fromkeys(
    (code for code in range(128) if chr(code) not in "()[]{}\n"), None
)
"""For `str.translate`, which then leaves only the brackets of each line."""

BARE_STRING: Final = re.compile(r'\s*(?:[rRuU]?"[^"]*"\s*)+')
IMPORT: Final = re.compile(r"(?:from ([\w.]+) )?import (.+)")
DEFINITION: Final = re.compile(r"(?:async )?(?:def|class) (\w+)")
ASSIGNMENT: Final = re.compile(r"(\w+(?:, \w+)*)(?:: .+| = .+)")
INNER_IMPORT: Final = re.compile(r"\n[ \t]+(?:from [\w.]+ )?import .*")

RULES: Final = (
    "a module of the engine holds imports, definitions and assignments, binds each name once, and "
    "imports nothing further down"
)


class UnreadableSource(Exception):
    """A module holds what the engine's digest cannot follow"""


class Statement(NamedTuple):
    """A definition or assignment at the top of a module, and the names that it binds."""

    text: str
    binds: tuple[str, ...]

    def references(self) -> Iterator[tuple[str, str]]:
        """Every name that occurs in it, local ones too, with the attribute taken of it or `""`."""
        for reference in set(REFERENCE.findall(self.text)):
            head, _, attributes = reference.partition(".")
            if head:
                yield head, attributes.partition(".")[0]


class Imported(NamedTuple):
    """What a name of a module comes from: a module, or a name in one."""

    module: str
    name: str


class Source(NamedTuple):
    """One module: its statements, and what its imports bind."""

    statements: tuple[Statement, ...]
    imports: dict[str, Imported]


def read_source(text: str, *, module: str) -> Source:
    """A module's text as statements. Raises `UnreadableSource` for what cannot be followed."""
    statements: list[Statement] = []
    imports: dict[str, Imported] = {}
    bound: set[str] = set()
    code = without_comments(text)
    if not code.isascii():
        raise UnreadableSource(f"{module}: names of the engine are spelled in ASCII")
    if found := INNER_IMPORT.search(code):
        raise UnreadableSource(f"{module}: {found[0].strip()!r}: {RULES}")
    for lines in statements_of(logical_lines(code)):
        head = next(line for line in lines if not line.startswith("@"))
        if found := IMPORT.fullmatch(head):
            imports |= imported(*found.groups())
            continue
        binds = bound_by(head)
        if not binds or not bound.isdisjoint(binds):
            raise UnreadableSource(f"{module}: {head!r}: {RULES}")
        bound.update(binds)
        statements.append(Statement("\n".join(lines), binds))
    return Source(tuple(statements), imports)


def without_comments(text: str) -> str:
    """The code with each string replaced by its digest, which has no brackets and no lines.

    The names in a formatted string are kept too.
    """

    def short(found: re.Match[str]) -> str:
        lexeme = found[0]
        if lexeme.startswith("#"):
            return ""
        digest = int.from_bytes(blake2b(lexeme.encode(), digest_size=16).digest(), "big")
        before = text[max(found.start() - 2, 0) : found.start()].lower()
        formatted = before.endswith(("f", "fr", "rf"))
        return f'"{digest} {" ".join(NAME.findall(lexeme))}"' if formatted else f'"{digest}"'

    return LEXEME.sub(short, text)


def logical_lines(code: str) -> Iterator[str]:
    """Lines without bare strings. A bracket or a backslash joins a line with the next."""
    parts: list[str] = []
    depth = 0
    brackets_of = code.translate(ALL_BUT_BRACKETS).split("\n")
    for line, brackets in zip(code.split("\n"), brackets_of, strict=True):
        if brackets:
            depth += 2 * sum(map(brackets.count, "([{")) - len(brackets)
        text = line.strip() if parts else line.rstrip()
        if depth or text.endswith("\\"):
            parts.append(text.removesuffix("\\"))
            continue
        if parts:
            text = " ".join(filter(None, (*parts, text)))
            parts.clear()
        if text and not (text.endswith('"') and BARE_STRING.fullmatch(text)):
            yield text


def statements_of(lines: Iterator[str]) -> Iterator[list[str]]:
    """Lines by the statement at the top of the module that they belong to."""
    found: list[str] = []
    for line in lines:
        if found and not line[0].isspace() and not found[-1].startswith("@"):
            yield found
            found = []
        found.append(line)
    if found:
        yield found


def imported(module: str | None, names: str) -> dict[str, Imported]:
    """What an import statement binds."""
    binds: dict[str, Imported] = {}
    for part in names.strip("() ").rstrip(", ").split(", "):
        name, _, alias = part.strip().partition(" as ")
        if module is not None:
            binds[alias or name] = Imported(module, name)
        elif alias:
            binds[alias] = Imported(name, "")
        else:
            top = name.partition(".")[0]
            binds[top] = Imported(top, "")
    return binds


def bound_by(head: str) -> tuple[str, ...]:
    """The names that a statement binds, from its first line."""
    if found := DEFINITION.match(head):
        return (found[1],)
    if found := ASSIGNMENT.fullmatch(head):
        return tuple(found[1].split(", "))
    return ()
