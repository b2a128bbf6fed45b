"""The texts of data files, and what lies over the embedded ones: an overlay and a price book.

Both are directories of files like those in `service/data`, and only some of these. Their texts are
read here and checked with the embedded ones, so that an edition is sound as a whole or not at all.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

LISTED_PROBLEMS: Final = 50

Texts: TypeAlias = Mapping[str, str]
"""The texts of data files by their path below a directory, in the order of the paths."""

NOTHING: Final[Texts] = {}
SUFFIXES: Final = (".csv", ".jsonl", ".toml")
OVERLAY: Final = "overlay/"
BOOK: Final = "book/"
"""What the names of an overlay's and of a price book's files begin with, beside the embedded."""
IN_AN_OVERLAY: Final = (
    "catalog.toml",
    "sources.csv",
    "providers.csv",
    "offers/*.csv",
    "prices/purchase_prices.csv",
    "prices/price_history.csv",
    "prices/commitments.csv",
    "prices/exchange_rates.csv",
    "billing.csv",
    "currencies.toml",
)
"""Files that an overlay may have. Its rows come after the embedded ones of a file of this name."""
IN_A_BOOK: Final = ("sources.csv", "offers/*.csv")


class Problem(NamedTuple):
    """What is wrong, in which row of which file."""

    file: str
    row: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}, {self.row}: {self.why}"


class CatalogError(Exception):
    """The catalog's files are not sound; `problems` has all of it, the message the first few"""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        listed = [f"  {problem}" for problem in problems[:LISTED_PROBLEMS]]
        if len(problems) > LISTED_PROBLEMS:
            listed.append(f"  and {len(problems) - LISTED_PROBLEMS} more")
        super().__init__("\n".join([f"{len(problems)} problem(s) in the catalog:", *listed]))
        self.problems = problems


def read_texts(directory: Path) -> tuple[Texts, tuple[Problem, ...]]:
    """The data files below a directory, and a problem for each that is not UTF-8.

    Names that begin with a dot are left out: such files are being written, or belong to a volume.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for name, path in sorted(data_files(directory)):
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem(name, f"byte {error.start}", "is not UTF-8"))
    return texts, tuple(problems)


def read_layer(directory: Path) -> Texts:
    """The files of an overlay or of a price book. Raises `CatalogError` or `OSError`."""
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory} is not a directory")
    texts, problems = read_texts(directory)
    if problems:
        raise CatalogError(problems)
    return texts


def data_files(directory: Path) -> Iterator[tuple[str, Path]]:
    """The data files below a directory with their paths below it."""
    for path in directory.rglob("*"):
        below = path.relative_to(directory)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix in SUFFIXES and not hidden and path.is_file():
            yield below.as_posix(), path


def layered(overlay: Texts, book: Texts) -> Iterator[tuple[str, str]]:
    """The texts of both under the names that they have beside the embedded ones."""
    for prefix, texts in ((OVERLAY, overlay), (BOOK, book)):
        for name in sorted(texts):
            yield f"{prefix}{name}", texts[name]


def unexpected(overlay: Texts, book: Texts) -> Iterator[Problem]:
    """A problem for each file that has no place in an overlay or in a price book."""
    for what, prefix, texts, allowed in (
        ("an overlay", OVERLAY, overlay, IN_AN_OVERLAY),
        ("a price book", BOOK, book, IN_A_BOOK),
    ):
        for name in texts:
            if not any(fnmatchcase(name, pattern) for pattern in allowed):
                why = f"{what} has {', '.join(allowed)}, and no other data file"
                yield Problem(f"{prefix}{name}", "the whole file", why)
