"""The record of generated files: digests of what each was made from, and of what was made."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from lab.files import ROOT
from lab.upkeep.products import PRODUCTS, Product

FILE: Final = ROOT / "lab" / "generated.toml"
HEADER: Final = """\
# Digests of what generated files were made from and of the files; `make regenerate` writes them.
"""


class Entry(Struct, frozen=True, kw_only=True):
    """What is known of a product: digests, empty where there is none."""

    inputs: str = ""
    outputs: str = ""
    witness: str = ""
    fitted_from: str = ""  # the inputs when it was last fitted, or found to come out the same


def load(path: Path = FILE) -> dict[str, Entry]:
    """The entries by the names of products."""
    known = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {one.name: msgspec.convert(known.get(one.name, {}), Entry) for one in PRODUCTS}


def store(entries: Mapping[str, Entry], path: Path = FILE) -> None:
    """Write the entries in the order of the products."""
    text = HEADER
    for product in PRODUCTS:
        members = msgspec.structs.asdict(entries[product.name])
        lines = (f'{member} = "{digest}"\n' for member, digest in members.items() if digest)
        text += f'\n["{product.name}"]\n{"".join(lines)}'
    path.write_text(text, encoding="utf-8")


def note(product: Product, *, witness: str, fitted_from: str = "") -> None:
    """Record a product as it is now."""
    entries = load()
    entries[product.name] = Entry(
        inputs=product.inputs_digest(),
        outputs=product.outputs_digest(),
        witness=witness,
        fitted_from=fitted_from,
    )
    store(entries)
