"""Files of JSON lines, one object per row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

Row = TypeVar("Row")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class UnreadableRow(Exception):
    """A line that is not a row of its format: the file, the line and why."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")


class LeftOut(NamedTuple):
    """A line that is no row of its format: its id, or else its number, and why."""

    id: str
    why: str


class Lines(NamedTuple, Generic[Row]):
    """The rows of a file, and its lines that are none."""

    rows: Sequence[Row]
    left_out: Sequence[LeftOut]


def rows_of(path: Path, kind: type[Row], *, strict: bool = True) -> Iterator[Row]:
    """The rows of a file, without empty lines. Raises `UnreadableRow`."""
    for number, row in _read(path, kind, strict=strict):
        if isinstance(row, LeftOut):
            raise UnreadableRow(path, number, row.why)
        yield row


def lines_of(path: Path, kind: type[Row]) -> Lines[Row]:
    """The rows of a file whose other lines may be of any kind.

    Numbers may be strings. Raises `UnreadableRow` if no line is a row: the file is another one.
    """
    read = tuple(_read(path, kind, strict=False))
    others = [(number, row) for number, row in read if isinstance(row, LeftOut)]
    if read and len(others) == len(read):
        number, first = others[0]
        raise UnreadableRow(path, number, first.why)
    return Lines(
        [row for _, row in read if not isinstance(row, LeftOut)], [row for _, row in others]
    )


def with_left_out(score: dict[str, Any], lines: Lines[Any]) -> dict[str, Any]:
    """A score that counts the lines that are no rows, and lists them with the reason."""
    unread = [{"id": line.id, "why": line.why} for line in lines.left_out]
    return score | {
        "rows": score["rows"] + len(unread),
        "not_expressed": [*unread, *score["not_expressed"]],
    }


def _read(path: Path, kind: type[Row], *, strict: bool) -> Iterator[tuple[int, Row | LeftOut]]:
    """The lines of a file that are not empty, by number."""
    decoder = msgspec.json.Decoder(kind, strict=strict)
    content = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                yield number, decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield number, LeftOut(_id_of(line) or f"line {number}", str(error))


def _id_of(line: bytes) -> str:
    """The id of an object of any format, or nothing."""
    try:
        return str(msgspec.json.decode(line, type=dict[str, Any]).get("id") or "")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def members_ignored(path: Path, kind: type[msgspec.Struct]) -> dict[str, int]:
    """Members of the rows of a file that the format does not know, with how many rows have them."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    found: Counter[str] = Counter()
    for _, row in _read(path, dict[str, Any], strict=True):
        if not isinstance(row, LeftOut):
            found.update(row.keys() - known)
    return dict(sorted(found.items()))
