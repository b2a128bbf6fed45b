"""Files of JSON lines, one object per row."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row")


class UnreadableRow(Exception):
    """A line that is not a row of its format: the file, the line and why."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}, line {line}: {why}")


def rows_of(path: Path, kind: type[Row], *, strict: bool = True) -> Iterator[Row]:
    """The rows of a file, without empty lines. Raises `UnreadableRow`."""
    decoder = msgspec.json.Decoder(kind, strict=strict)
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UnreadableRow(path, number, str(error)) from error


def members_ignored(path: Path, kind: type[msgspec.Struct]) -> dict[str, int]:
    """Members of the rows of a file that the format does not know, with how many rows have them."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    found: Counter[str] = Counter()
    for row in rows_of(path, dict[str, Any]):
        found.update(row.keys() - known)
    return dict(sorted(found.items()))
