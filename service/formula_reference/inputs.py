"""Units of the inputs of formulas, as figures of quotes show them.

A formula takes plain numbers, so the registry knows the unit of its answer and not those of its
inputs. These are read off quotes: a derived figure names its formula and the figure of each input,
and each of those figures has a unit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast

import msgspec

from service.api.contract.examples import CLAIMS, REQUESTS, Example
from service.api.refusing.decoding import decode_request
from service.core.answer import ClaimAnswer, Quote
from service.core.figures.sources import Derived, Figure
from service.core.figures.units import Unit
from service.core.figures.vocabulary import MINOR_PLACES
from service.formula_reference.requests import BASES_ABROAD, MORE_REQUESTS
from service.local import claim_bytes, local_quoting, quote_bytes

Observed: TypeAlias = Mapping[str, Mapping[str, frozenset[Unit]]]
"""Units by formula and input. A formula that was applied to no figure has an empty mapping."""


def observed_units(
    examples: Iterable[Example] = (*REQUESTS, *MORE_REQUESTS), claims: Iterable[Example] = CLAIMS
) -> Observed:
    """The units of inputs that quotes of these requests show, and judgements of these claims."""
    found: dict[str, dict[str, set[Unit]]] = {}
    for figures in (
        *map(_of_quote, examples),
        *map(_on_a_base, BASES_ABROAD),
        *map(_of_claim, claims),
    ):
        for figure in figures.values():
            if isinstance(figure.source, Derived):
                units = found.setdefault(figure.source.formula, defaultdict(set))
                for name, of in figure.source.inputs.items():
                    units[name].add(in_dollars(figures[of].unit, answer=figure.unit))
    return {
        formula: {name: frozenset(several) for name, several in units.items()}
        for formula, units in found.items()
    }


def in_dollars(unit: Unit, *, answer: Unit) -> Unit:
    """The unit that an input has where the answer is in dollars.

    In a quote in another currency, a formula of amounts is applied again to amounts in it.
    """
    currency, per, rest = unit.partition("/")
    foreign = currency.upper() in MINOR_PLACES and currency == answer.partition("/")[0]
    return cast(Unit, f"usd{per}{rest}") if foreign else unit


def _on_a_base(example: Example) -> dict[str, Figure]:
    """Figures of a quote whose base model is the quote of an example."""
    quoting = local_quoting()
    base = quote_bytes(msgspec.json.encode(example.request))
    id = msgspec.json.decode(base, type=Quote).id
    on_it = {"kind": "quote", "id": id, "scope": "rental"}
    asked = {**example.request, "accounting": {"base_model": on_it}}
    request = decode_request(msgspec.json.encode(asked))
    posed = quoting.posed(request, quoting.shelf.edition(request.catalog))
    return msgspec.json.decode(quoting.compute(posed, kept={id: base}), type=Quote).figures


def _of_quote(example: Example) -> dict[str, Figure]:
    body = quote_bytes(msgspec.json.encode(example.request))
    return msgspec.json.decode(body, type=Quote).figures


def _of_claim(example: Example) -> dict[str, Figure]:
    body = claim_bytes(msgspec.json.encode(example.request))
    return msgspec.json.decode(body, type=ClaimAnswer).figures
