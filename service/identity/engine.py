"""The identity of the engine: one digest over everything in the code that can move a byte.

It covers the code that turns a request into the bytes of an answer, with what its envelope adds,
and the data files into a catalog: the modules in `ROOTS` and all of ours that they import.
`service` with its version is among them, because an answer prints the version. The data and an
operator's policy are in the catalog's own digest.

The digest leaves out what cannot move a byte: comments, docstrings, layout, line endings, and the
module that a definition stands in. A function that moves to another module does not change the
digest. A constant with another value changes it. So does an exchange of two functions of one name
between modules: if a name stands for two things, each statement is digested with the one it uses.

Libraries that these modules import count by name and version. NumPy's versions differ in the last
digits of functions and sums, msgspec writes the numbers, and rfc8785 the canonical request. The
lock gives all replicas of a release the same ones, on every version of Python.

Python's version and the processor do not count. One question has one answer on all of them: the
core rounds what it draws, and tests check it.

Two limits are known. Unequal code has equal digests if it differs only in what a name in quotes
stands for (`getattr`, a quoted annotation) or in a module that is handed around as a value. And a
function that moves can change the digest if it has a local name that also stands for several things
at the top of modules, one of which is its own. That held for 1 of 832 definitions when counted.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from service import __version__
from service.core.answer import EngineStamp
from service.identity.modules import Modules, Target, Written

PACKAGE_DIRECTORY: Final = Path(__file__).resolve().parent.parent
ROOTS: Final = ("service.answering", "service.catalog_files", "service.envelope.splice")
"""They turn a request and a catalog into kept bytes, files into a catalog, and kept bytes with an
envelope into an answer."""


@cache
def engine_stamp() -> EngineStamp:
    """The version and the digest of this engine. They are read once in the life of a process."""
    return EngineStamp(version=__version__, digest=engine_digest())


def engine_digest(directory: Path = PACKAGE_DIRECTORY) -> str:
    """The digest of the engine whose package lies in `directory`, with the libraries installed."""
    modules = Modules(directory, ROOTS)
    return f"sha256:{digest_of(*code_facts(modules), *library_facts(modules)).hex()}"


def library_facts(modules: Modules) -> list[bytes]:
    """Name and installed version of each library that the modules import."""
    return [f"{name}=={version(name)}".encode() for name in sorted(modules.libraries())]


def code_facts(modules: Modules) -> list[bytes]:
    """Every statement as a digest, and what each name stands for, in an order of their own.

    Statements with the same text are told apart by what their names refer to, then by what the
    names in those refer to, until no more can be told apart. Only names with several targets can
    do so.
    """
    written = modules.written()
    targets = targets_of(written)
    shared = {name: known for name, known in targets.items() if len(known) > 1}
    telling = [[use for use in one.uses if use[0] in shared] for one in written]
    finer = [digest_of(one.text.encode()) for one in written]
    colours: list[bytes] = []
    while len(set(finer)) > len(set(colours)):
        colours = finer
        meanings = meanings_of(shared, colours)
        finer = [
            told(colour, uses, colours, meanings) if uses else colour
            for colour, uses in zip(colours, telling, strict=True)
        ]
    facts = (
        digest_of(name.encode(), *sorted(meant))
        for name, meant in meanings_of(targets, finer).items()
    )
    return [*sorted(finer), *sorted(facts)]


def targets_of(written: Iterable[Written]) -> dict[str, set[Target]]:
    """What each name refers to, over all statements that use it."""
    targets: dict[str, set[Target]] = {}
    for one in written:
        for name, target in one.uses:
            targets.setdefault(name, set()).add(target)
    return targets


def meanings_of(targets: Mapping[str, set[Target]], colours: list[bytes]) -> dict[str, set[bytes]]:
    """What each name refers to, as far as that is told apart by now."""
    return {name: {meaning(one, colours) for one in known} for name, known in targets.items()}


def told(
    colour: bytes,
    uses: Iterable[tuple[str, Target]],
    colours: list[bytes],
    meanings: Mapping[str, set[bytes]],
) -> bytes:
    """A statement's digest with those of its names that stand for several things."""
    apart = (
        digest_of(name.encode(), meaning(target, colours))
        for name, target in uses
        if len(meanings[name]) > 1
    )
    return digest_of(colour, *sorted(apart))


def meaning(target: Target, colours: list[bytes]) -> bytes:
    """What a name refers to, as far as that is told apart by now."""
    return target.encode() if isinstance(target, str) else colours[target]


def digest_of(*parts: bytes) -> bytes:
    """A digest over parts of any length."""
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
