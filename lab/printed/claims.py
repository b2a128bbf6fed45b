"""The page of what was said of training costs, each claim judged by today's catalog and engine."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from lab.files import ROOT, Texts
from service.core.answer import ClaimAnswer, EngineStamp, Omission, PricesNear, Reading
from service.core.catalog.catalog import Catalog, PublishedClaim
from service.core.claims.claim import judgement
from service.core.draws.memo import Memo
from service.core.figures.sources import Published
from service.core.figures.vocabulary import ClaimBasis, ClaimScope
from service.core.request.claim import ClaimRequest

FILE: Final = ROOT / "docs" / "judged-claims.md"
HEADER: Final = """\
# What was said of training costs, put to the test

Made by `python -m lab regenerate` from what `POST /claim` answers to the bodies in
`service/data/claims.toml`; a test holds it to them. `GET /catalog/claims` has each claim with the
body that gets the answer told here, and [claims.md](claims.md) says what the words mean. Prices
are those of the catalog's edition, not those of the day on which something was said. Each answer
says where the rate that a claim implies stands among both.

Most disputes are about what was counted. One run has at least four honest figures: the rental of
its final run; the capital and energy of the same hours on owned devices; the development, with
the base model, experiments, staff and data; and the purchase of the devices, which serve other
runs too.

## What comes out

- DeepSeek's figures for R1 and V3 are exact, and say what they count: the hours of the final runs
  at an assumed $2. The hours that can be predicted lie where the engine expects them. What R1
  starts from makes it twenty times as much, and the development of both more than that.
- "More than $100 million" for GPT-4 does not contradict them. It fails as the capital and energy
  of the final run, is open as its rental, and holds as a development that rents its devices.
- $170 million for Llama 3.1 405B is a price of clouds: within the rental, above what the same
  hours cost on owned devices.
- MiniMax-M1's dollars are exact at the rate that they imply. The report states none, so that this
  is no check of it.
- $4.6 million for Kimi K2 is in the middle half of the rental of the final run at $2 with the
  8-bit throughput of V3. In 16 bits it is within the rental too, but near its p10. As capital and
  energy of owned devices it is within both. Its makers disown the figure.
- Alpaca's compute took less than $100. What staff costs at that size is not known, and the $500 of
  data cannot be checked.
- The figures for TinyLlama, gpt-oss and Grok 4 lie within the rental of their hours. The hours of
  Grok 4 are an estimate, and the $40,000 of TinyLlama have no source.
"""
UNITS: Final = ((1e9, "billion"), (1e6, "million"))
SHOWN_READINGS: Final = 4
HOLDS: Final = {"yes": "holds", "no": "fails", "open": "open"}
KEY_READINGS: Final[tuple[tuple[str, tuple[ClaimBasis, ...], ClaimScope], ...]] = (
    ("rental, final run", ("rental_stated", "rental_market"), "final_run"),
    ("capital and energy, final run", ("owned_epoch_2024",), "final_run"),
    ("development, rented", ("rental_stated", "rental_market"), "with_staff"),
    ("development, owned", ("owned_epoch_2024",), "with_staff"),
)
"""The columns of the table: the first of these bases that has a reading of this scope."""


class Judged(NamedTuple):
    """A published claim and how it is judged."""

    claim: PublishedClaim
    request: ClaimRequest
    answer: ClaimAnswer


def made(catalog: Catalog) -> Texts:
    """The page as today's catalog and engine make it."""
    return {FILE: page_of(judged_claims(catalog))}


def judged_claims(catalog: Catalog) -> tuple[Judged, ...]:
    """All published claims of the catalog, judged, in the order of the file."""
    memo = Memo()
    return tuple(_judged(claim, catalog, memo) for claim in catalog.claims.values())


def _judged(claim: PublishedClaim, catalog: Catalog, memo: Memo) -> Judged:
    request = msgspec.convert(claim.claim, ClaimRequest)
    answer = judgement(
        request,
        catalog,
        id="",
        canonical_request=b"{}",
        engine=EngineStamp(version="", digest=""),
        valid_until="",
        memo=memo,
    )
    return Judged(claim, request, answer)


def page_of(claims: Sequence[Judged]) -> str:
    """The whole page."""
    sections = (line for one in claims for line in _section(one))
    return "\n".join((HEADER, *_table(claims), *sections))


def _table(claims: Sequence[Judged]) -> Iterator[str]:
    columns = ("claim", "said", *(name for name, _, _ in KEY_READINGS), "best reading")
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
    for one in claims:
        cells = (
            f"[{one.claim.model}](#{one.claim.id.replace('.', '')})",
            said(one.request),
            *(_cell(_first(one.answer, bases, scope)) for _, bases, scope in KEY_READINGS),
            one.answer.readings[0].what if one.answer.readings else "none",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _first(answer: ClaimAnswer, bases: Sequence[ClaimBasis], scope: ClaimScope) -> Reading | None:
    """The reading of a scope by the first of some bases that has one."""
    by_basis = {one.basis: one for one in answer.readings if one.scope == scope}
    return next((by_basis[basis] for basis in bases if basis in by_basis), None)


def _cell(reading: Reading | None) -> str:
    return "" if reading is None else f"{usd(reading.total.amount)}: {outcome(reading)}"


def outcome(reading: Reading) -> str:
    """How a claim fits a reading, in one word."""
    return reading.verdict if reading.holds is UNSET else HOLDS[reading.holds]


def said(request: ClaimRequest) -> str:
    """What was claimed, in words."""
    amount, bound = request.amount, request.bound.replace("_", " ")
    words = usd(amount) if isinstance(amount, float) else f"{usd(amount.low)} to {usd(amount.high)}"
    return words if bound == "about" else f"{bound} {words}"


def usd(amount: str | float) -> str:
    """An amount with four digits and a word from a million on, and without cents from 1,000 on."""
    value = float(amount)
    for size, word in UNITS:
        if value >= size:
            return f"${value / size:,.4g} {word}"
    return f"${value:,.0f}" if value >= 1e3 or value == int(value) else f"${value:,.2f}"


def _section(one: Judged) -> Iterator[str]:
    claim, answer = one.claim, one.answer
    yield f'## <a id="{claim.id.replace(".", "")}"></a>{claim.model}: {said(one.request)}'
    yield ""
    yield f"{claim.words} ({claim.said_by}, {one.request.said_on}; {_source(claim)})."
    yield ""
    yield f"**{answer.verdict.sentence}**"
    yield ""
    yield from _hours(answer)
    yield from _rate(answer)
    yield from _left_out(answer)
    if claim.note:
        yield f"- {claim.note}"
    yield ""
    yield from _readings(answer)


def _source(claim: PublishedClaim) -> str:
    source = claim.source
    if not isinstance(source, Published):
        return source.why
    title = source.title if source.url is UNSET else f"[{source.title}]({source.url})"
    return f"{title}, {source.locator}"


def _hours(answer: ClaimAnswer) -> Iterator[str]:
    hours = answer.hours
    disclosed = "" if hours.disclosed is UNSET else f"{hours.disclosed.central:,.0f} disclosed"
    stages = [one for one in hours.stages if one.predicted is not UNSET]
    predicted = (
        f"{one.name} predicted at {one.predicted.p10:,.0f} to {one.predicted.p90:,.0f}"
        for one in stages
        if one.predicted is not UNSET
    )
    told = "; ".join(part for part in (disclosed, *predicted) if part)
    yield f"- device-hours: {told or 'none disclosed, and none predicted'}"


def _rate(answer: ClaimAnswer) -> Iterator[str]:
    if answer.rate is UNSET:
        return
    found = [f"${answer.rate.implied.central:,.2f}"]
    day = answer.rate.priced_for
    found += (f"{_standing(near)} known on {day} are below it" for near in answer.rate.market)
    found += (f"{_standing(near)} of then are" for near in answer.rate.history)
    yield f"- a device-hour: {'; '.join(found)}"


def _standing(near: PricesNear) -> str:
    below = round(near.share_below * near.count)
    return f"{below} of {near.count} prices of {near.accelerator}"


def _left_out(answer: ClaimAnswer) -> Iterator[str]:
    known = [one for one in answer.omissions if one.amount is not UNSET]
    if known:
        yield f"- the best reading leaves out {'; '.join(map(_omission, known))}"
    for one in answer.not_checkable:
        yield f"- not checkable, {one.what}: {one.why}"


def _omission(one: Omission) -> str:
    assert one.amount is not UNSET
    item = one.item.replace("_", " ")
    return f"{item}, about {usd(one.amount.p50)} ({usd(one.amount.p10)} to {usd(one.amount.p90)})"


def _readings(answer: ClaimAnswer) -> Iterator[str]:
    yield "| reading | total | p10 to p90 | position | outcome |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for one in answer.readings[:SHOWN_READINGS]:
        low, high = usd(one.interval.p10), usd(one.interval.p90)
        yield (
            f"| {one.what} | {usd(one.total.amount)} | {low} to {high} |"
            f" {one.position:.3f} | {outcome(one)} |"
        )
    yield ""
