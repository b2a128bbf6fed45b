"""Keys of callers: how one is made, how the file that lists them is read, how one is recognised.

    [[keys]]
    name = "planning"
    id = "3f9c2a61b0d4"
    sha256 = "..."            # of the whole key
    made = 2026-11-28
    cpu_s_per_minute = 30.0   # optional; the service's own quota otherwise

A key is `rq_`, its id, and 256 random bits. What is random needs no slow hash: nobody can guess it
from its SHA-256. The file holds no key, and whoever reads it cannot ask with what it has.
"""

import hmac
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

ID_BYTES: Final = 6
SECRET_BYTES: Final = 32
OWNER_DIGITS: Final = 32
KEY: Final = re.compile(r"rq_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
NOBODYS_HASH: Final = "0" * 64
MOST_CPU_S: Final = 1e6


class KeyFileError(Exception):
    """The file of keys cannot be used"""


class KeyEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key as the file has it."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}$(?!\n)")]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    made: date
    cpu_s_per_minute: Annotated[float, Meta(gt=0, le=MOST_CPU_S)] | None = None

    @property
    def owner(self) -> str:
        """Under what the answers to this key are kept. Another key never has the same."""
        return sha256(b"owner\n" + self.sha256.encode()).hexdigest()[:OWNER_DIGITS]


class KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    keys: tuple[KeyEntry, ...] = ()


def new_key(
    name: str, *, made: date, cpu_s_per_minute: float | None = None
) -> tuple[str, KeyEntry]:
    """A key for a caller, and the entry that recognises it. Raises `KeyFileError`."""
    id = token_hex(ID_BYTES)
    key = f"rq_{id}_{token_urlsafe(SECRET_BYTES)}"
    stated = {"name": name, "id": id, "sha256": hash_of(key), "made": made}
    if cpu_s_per_minute is not None:
        stated["cpu_s_per_minute"] = cpu_s_per_minute
    try:
        return key, msgspec.convert(stated, KeyEntry)
    except msgspec.ValidationError as error:
        raise KeyFileError(str(error)) from None


def hash_of(key: str) -> str:
    """What is kept of a key."""
    return sha256(key.encode()).hexdigest()


def entry_text(entry: KeyEntry) -> str:
    """An entry as the file has it."""
    lines = [
        "[[keys]]",
        f'name = "{entry.name}"',
        f'id = "{entry.id}"',
        f'sha256 = "{entry.sha256}"',
        f"made = {entry.made.isoformat()}",
    ]
    if entry.cpu_s_per_minute is not None:
        lines.append(f"cpu_s_per_minute = {entry.cpu_s_per_minute!r}")
    return "\n".join(lines) + "\n"


def add_entry(path: Path, entry: KeyEntry) -> None:
    """Append an entry to the file, which only its owner may read if it is new.

    The file is replaced in one step, so that a service that reads it meanwhile never sees half of
    it. Raises `KeyFileError` if the name is taken, or the file cannot be used.
    """
    known = read_keys(path) if path.exists() else {}
    if any(one.name == entry.name for one in known.values()):
        raise KeyFileError(f"{path}: there is a key of the name {entry.name}; take another name")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    text = (before.rstrip("\n") + "\n\n" if before.strip() else "") + entry_text(entry)
    beside = path.with_name(f".{path.name}.{token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)
    beside.replace(path)


def read_keys(path: Path) -> dict[str, KeyEntry]:
    """The entries of a file by their ids. Raises `KeyFileError`."""
    try:
        read = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), KeyFile)
    except (OSError, ValueError) as error:  # also what is no TOML, no UTF-8 or no entry
        raise KeyFileError(f"{path}: {error}") from None
    for what in ("name", "id", "sha256"):
        seen: set[str] = set()
        for entry in read.keys:
            value = getattr(entry, what)
            if value in seen:
                raise KeyFileError(f"{path}: two keys have the {what} {value}")
            seen.add(value)
    return {entry.id: entry for entry in read.keys}


def recognised(key: str, known: Mapping[str, KeyEntry]) -> KeyEntry | None:
    """The entry of a key, or None.

    The id is no secret and finds the entry. The key itself is compared in constant time, with
    nobody's if there is no such entry.
    """
    form = KEY.fullmatch(key)
    entry = known.get(form[1]) if form else None
    expected = NOBODYS_HASH if entry is None else entry.sha256
    same = hmac.compare_digest(hash_of(key), expected)
    return entry if same else None
