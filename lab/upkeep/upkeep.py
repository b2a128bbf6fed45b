"""Which generated files are current, and what makes the others so."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lab.files import ROOT, Texts, write
from lab.upkeep import record
from lab.upkeep.agreement import agree
from lab.upkeep.products import Product
from lab.upkeep.record import Entry


class Verdict(NamedTuple):
    """What was found of a product, or done about it."""

    product: Product
    is_current: bool
    why: str


def check(products: Iterable[Product]) -> Iterator[Verdict]:
    """Whether each product is what its inputs make, in seconds and without a fit."""
    entries = record.load()
    for product in products:
        yield _checked(product, entries[product.name])


def _checked(product: Product, entry: Entry) -> Verdict:
    if _is_recorded(product, entry):
        return Verdict(product, is_current=True, why="nothing that it reads has changed")
    if not product.is_dear:
        stale = _stale(product, product.made())
        why = f"comes out differently: {', '.join(stale)}" if stale else "comes out the same"
        return Verdict(product, is_current=not stale, why=why)
    if product.outputs_digest() != entry.outputs:
        return Verdict(product, is_current=False, why="was changed since it was made")
    same = product.witness_digest() == entry.witness
    why = (
        "the engine answers its rows as when they were fitted"
        if same
        else "what it fits, or how, has changed"
    )
    return Verdict(product, is_current=same, why=why)


def regenerate(products: Iterable[Product]) -> Iterator[Verdict]:
    """Make what is not current, in order, and record all; each product as it is done."""
    for product in products:
        entry = record.load()[product.name]
        if _is_recorded(product, entry):
            yield Verdict(product, is_current=True, why="nothing that it reads has changed")
        elif product.is_dear and _checked(product, entry).is_current:
            record.note(product, witness=entry.witness, fitted_from=entry.fitted_from)
            yield Verdict(product, is_current=True, why="what it fits is the same")
        else:
            yield produce(product)


def produce(product: Product) -> Verdict:
    """Make a product and record it; files that say the same as before stay as they are."""
    texts = product.made()
    stale = _stale(product, texts)
    if stale:
        write(texts)
    _note_made(product)
    why = f"written: {', '.join(stale)}" if stale else "comes out the same"
    return Verdict(product, is_current=True, why=why)


def check_fits(products: Iterable[Product]) -> Iterator[Verdict]:
    """Whether dear products, made anew, come out as they are; those are recorded that do."""
    for product in products:
        if product.is_dear:
            yield _fitted(product, record.load()[product.name])


def _fitted(product: Product, entry: Entry) -> Verdict:
    if _is_recorded(product, entry) and entry.fitted_from == entry.inputs:
        why = "not fitted again: nothing that it reads has changed since it was"
        return Verdict(product, is_current=True, why=why)
    stale = _stale(product, product.made())
    if stale:
        why = f"comes out differently: {', '.join(stale)}"
        return Verdict(product, is_current=False, why=why)
    _note_made(product)
    why = f"fitted again and comes out the same; recorded in {record.FILE.relative_to(ROOT)}"
    return Verdict(product, is_current=True, why=why)


def _note_made(product: Product) -> None:
    fitted_from = product.inputs_digest() if product.is_dear else ""
    record.note(product, witness=product.witness_digest(), fitted_from=fitted_from)


def _is_recorded(product: Product, entry: Entry) -> bool:
    return (product.inputs_digest(), product.outputs_digest()) == (entry.inputs, entry.outputs)


def _stale(product: Product, texts: Texts) -> list[str]:
    """The files that do not say what was made."""
    return [
        path.relative_to(ROOT).as_posix()
        for path, text in texts.items()
        if not path.exists() or not _agrees(path, text, product)
    ]


def _agrees(path: Path, text: str, product: Product) -> bool:
    old = path.read_text(encoding="utf-8")
    return agree(old, text, product.tolerance, is_prose=path.suffix == ".md")
