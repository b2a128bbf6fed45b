"""Every form of a quote says the same, and says it safely."""

import csv
import io
import json
import re
import zlib
from decimal import Decimal
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.contract.examples import REQUESTS
from service.envelope.months import EXACT
from service.local import quote_bytes
from service.sheet.cells import COLUMNS, plain, safe
from service.sheet.charts import LARGEST_DOT, binned, stacked
from service.sheet.focus.rows import NoFocus, columns_of, focus_of
from service.sheet.forms import FORMS, IN_SHORT, made
from service.sheet.parts import figure_of, figures_of, lines_of
from service.sheet.verifying import first_difference, verification
from service.sheet.view import Sheet
from service.sheet.words import grouped, money, rough
from service.sheet.workbook import DIGITS
from tests.requests import R1

BY_NAME = {one.name: one.request for one in REQUESTS}
NAMES = ("deepseek-r1", "negotiated", "in-euros", "owned", "post-training-side-by-side")
HOSTILE = '=HYPERLINK("http://x")<script>alert(1)</script>|`*'


@cache
def body(name: str, start: str | None = None) -> bytes:
    """The answer to an example."""
    return quote_bytes(json.dumps(BY_NAME[name]).encode(), start=start)


def totals(answer: bytes) -> dict[Any, str]:
    """The totals as the JSON says them."""
    return {
        bill["basis"]: bill["total"]["amount"]
        for bill in json.loads(answer)["bases"]
        if "total" in bill
    }


class Page(HTMLParser):
    """The totals of a page, its elements and their attributes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.totals: dict[str, str] = {}
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.seen.append((tag, found))
        if tag == "data":
            self.totals[str(found["data-basis"])] = str(found["value"])


def book_of(content: bytes, **how: bool) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content), **how)


def difference(found: Any) -> Any:
    """A difference that there is."""
    return found


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def summed(rows, column: str, **where: str) -> Decimal:
    chosen = [row for row in rows if all(row[key] == value for key, value in where.items())]
    return sum((Decimal(row[column]) for row in chosen), Decimal())


@pytest.mark.parametrize("name", NAMES)
def test_every_form_says_the_same_totals(name):
    answer = body(name, "2026-12-20")
    sheet, said = Sheet(answer), totals(answer)
    assert said
    assert Page(made(answer, FORMS["html"])).totals == said
    lines = rows_of(made(answer, FORMS["csv"]))
    book = book_of(made(answer, FORMS["xlsx"]), data_only=True)
    marked = made(answer, FORMS["markdown"]).decode()
    short = json.loads(made(answer, IN_SHORT))
    for basis, amount in said.items():
        assert summed(lines, "amount", basis=basis) == Decimal(amount)
        focus = rows_of(focus_of(sheet, basis=basis))
        assert summed(focus, "EffectiveCost") == Decimal(amount)
        assert f"(`{basis}`) | {grouped(amount)} |" in marked
        label = {"rental": "Rented", "owned": "Owned", "fully_loaded": "Fully loaded"}[basis]
        (seen,) = [row[1].value for row in book["Summary"].iter_rows() if row[0].value == label]
        assert Decimal(str(seen)) == Decimal(amount)
        (found,) = [one for one in short["bases"] if one["basis"] == basis]
        assert found["total"]["amount"] == amount
        assert sum(map(Decimal, found["items"].values())) == Decimal(amount)


@pytest.mark.parametrize("name", ["negotiated", "deepseek-r1"])
def test_the_formulas_of_a_spreadsheet_come_to_what_it_shows(name):
    content = made(body(name), FORMS["xlsx"])
    assert content == made(body(name), FORMS["xlsx"])
    shown, live = (book_of(content, data_only=seen) for seen in (True, False))
    formulas = 0
    for label in ("Rented", "Owned"):
        page, values = live[label], shown[label]
        for row in range(2, page.max_row):
            formula = page.cell(row, 7).value
            if not str(formula).startswith("="):
                continue
            formulas += 1
            assert formula == f"=ROUND(D{row}*F{row},2)"
            product = DIGITS.create_decimal_from_float(
                values.cell(row, 4).value * values.cell(row, 6).value
            )
            assert abs(float(product) - values.cell(row, 7).value) <= 0.005000001
        last = page.max_row
        assert page.cell(last, 7).value == f"=ROUND(SUM(G2:G{last - 1}),2)"
        amounts = [values.cell(row, 7).value for row in range(2, last)]
        assert round(sum(amounts), 2) == values.cell(last, 7).value
    assert formulas >= 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", [None, "2026-12-20"])
def test_a_focus_row_keeps_to_the_rules_of_focus(name, start):
    answer = body(name, start)
    sheet = Sheet(answer)
    for bill in sheet.quote.bases:
        rows = rows_of(focus_of(sheet, basis=bill.basis, partial=True))
        assert rows
        service_of: dict[str, str] = {}
        for row in rows:
            for column in ALWAYS_THERE:
                assert row[column], column
            assert row["ChargeCategory"] in CHARGE_CATEGORIES
            assert row["ServiceCategory"] in SERVICE_CATEGORIES
            is_tax = row["ChargeCategory"] == "Tax"
            assert row["PricingCategory"] in ({""} if is_tax else PRICING_CATEGORIES)
            assert (
                service_of.setdefault(row["ServiceName"], row["ServiceCategory"])
                == (row["ServiceCategory"])
            )
            assert all("." in row[column] for column in DECIMALS if row[column])
            assert row["ChargeClass"] == row["InvoiceId"] == ""
            assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
            assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
            for unit, cost in (
                ("ListUnitPrice", "ListCost"),
                ("ContractedUnitPrice", "ContractedCost"),
            ):
                if row[unit]:
                    product = EXACT.multiply(Decimal(row[unit]), Decimal(row["PricingQuantity"]))
                    assert product == Decimal(row[cost])
            assert not any(re.search(r"\de[+-]?\d", row[cost]) for cost in COSTS)
            if row["ChargeCategory"] == "Purchase":
                assert Decimal(row["EffectiveCost"]) == 0
            json.loads(row["Tags"])
        if bill.basis == "rental" and all("amount" in one for one in json_lines(answer, "rental")):
            assert summed(rows, "BilledCost") == summed(rows, "EffectiveCost")


ALWAYS_THERE = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargeDescription"),
    *("ChargePeriodStart", "ChargePeriodEnd", "ContractedCost", "EffectiveCost"),
    *("InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName", "ServiceName"),
)
COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
DECIMALS = (*COSTS, "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "ConsumedQuantity")
PRICING_CATEGORIES = {"Standard", "Dynamic", "Committed", "Other"}
CHARGE_CATEGORIES = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
SERVICE_CATEGORIES = {
    *("Compute", "Storage", "Networking", "Management and Governance", "Other"),
    "AI and Machine Learning",
}


def json_lines(answer: bytes, basis: str):
    return next(one["lines"] for one in json.loads(answer)["bases"] if one["basis"] == basis)


def test_a_discount_lowers_what_is_contracted_and_has_no_row():
    rows = rows_of(focus_of(Sheet(body("negotiated", "2026-12-20"))))
    assert not [row for row in rows if row["x_Item"] == "discount"]
    used = [row for row in rows if row["x_Item"] in {"device_rental", "unused_commitment"}]
    listed, agreed = summed(used, "ListCost"), summed(used, "EffectiveCost")
    assert float(agreed / listed) == pytest.approx(0.88)
    assert {row["CommitmentDiscountStatus"] for row in used} == {"Used", "Unused"}
    (purchase,) = [row for row in rows if row["ChargeCategory"] == "Purchase"]
    assert Decimal(purchase["BilledCost"]) == agreed
    months = {row["BillingPeriodStart"][:7] for row in rows}
    assert len(months) == 6  # 3,906.25 hours from December 20th end on June 1st, at 18:15
    assert max(months) == "2027-05" or max(months) == "2027-06"


def test_a_bill_with_unpriced_lines_is_not_exported_as_whole():
    sheet = Sheet(body("post-training-side-by-side"))
    with pytest.raises(NoFocus, match="without a price: staff"):
        focus_of(sheet, basis="fully_loaded")
    rows = rows_of(focus_of(sheet, basis="fully_loaded", partial=True))
    assert {int(row["x_UnpricedLines"]) > 0 for row in rows} == {True}
    with pytest.raises(NoFocus, match="no bill of the basis fully_loaded"):
        focus_of(Sheet(body("negotiated")), basis="fully_loaded")


def test_own_columns_of_focus_stand_last_and_versions_name_sellers_otherwise():
    sellers: Any = {"1.2": "ProviderName", "1.4": "ServiceProviderName"}
    for version, seller in sellers.items():
        names = columns_of(version)
        own = [name for name in names if name.startswith("x_")]
        assert seller in names
        assert list(names[-len(own) :]) == own


def hostile() -> bytes:
    """A quote whose caller names things to harm a reader."""
    request = R1 | {"title": HOSTILE, "buyer": "@x", "reference": "+1", "note": "-2"}
    run = {"name": HOSTILE, "stages": [R1["run"]["stages"][0] | {"name": HOSTILE}]}
    return quote_bytes(json.dumps(request | {"run": run}).encode())


def test_words_of_a_caller_are_text_in_every_form():
    answer = hostile()
    page = Page(made(answer, FORMS["html"]))
    assert not [tag for tag, _ in page.seen if tag == "script"]
    for row in rows_of(made(answer, FORMS["csv"])):
        for column in ("stage", "title", "buyer", "reference"):
            assert not row[column] or row[column].startswith("'"), column
    book = book_of(made(answer, FORMS["xlsx"]))
    cells = [cell for page in book for row in page.iter_rows() for cell in row]
    live = [cell.value for cell in cells if cell.data_type == "f"]
    assert live
    assert not [value for value in live if "HYPERLINK" in value]
    marked = made(answer, FORMS["markdown"]).decode()
    assert "<script>" not in marked
    assert all(line.count("|") in {0, 5, 6, 7} or "\\|" in line for line in marked.splitlines())


@given(st.text(max_size=20))
def test_a_safe_cell_never_begins_a_formula_and_loses_nothing(text):
    cell = safe(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0"))
    assert cell in {text, f"'{text}"}


@given(st.floats(1e-9, 1e18))
def test_a_plain_number_has_no_exponent(value):
    text = plain(value)
    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert float(text) == pytest.approx(value, rel=1e-3 if value < 1e-6 else 1e-9, abs=1e-12)


def test_only_the_form_for_excel_has_a_byte_order_mark():
    answer = body("deepseek-r1")
    plain_csv, excel = (made(answer, FORMS[name]) for name in ("csv", "csv-excel"))
    assert excel == b"\xef\xbb\xbf" + plain_csv
    assert plain_csv.startswith(b"quote_id,basis,line,")
    assert plain_csv.count(b"\r\n") == plain_csv.count(b"\n")
    assert tuple(rows_of(plain_csv)[0]) == COLUMNS


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small_and_loads_nothing(name):
    content = made(body(name), FORMS["html"])
    assert len(zlib.compress(content)) < 150_000 / 4
    seen = Page(content).seen
    assert not [tag for tag, _ in seen if tag in {"script", "link", "img", "iframe", "object"}]
    assert not [facts for _, facts in seen if "style" in facts or "src" in facts]
    ids = [facts["id"] for _, facts in seen if "id" in facts]
    assert len(ids) == len(set(ids))
    for name_of in ("aria-labelledby",):
        named = [str(facts[name_of]).split() for _, facts in seen if name_of in facts]
        assert {one for names in named for one in names} <= set(ids)


def test_charts_are_drawings_with_a_title_and_a_description():
    page = made(body("deepseek-r1", "2026-12-20"), FORMS["html"]).decode()
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == 7  # dots and drivers of two bills, two bridges, and the stages
    for drawing in drawings:
        svg = ET.fromstring(drawing)
        assert svg.get("role") == "img"
        assert svg.findtext("title")
        assert svg.findtext("desc")
        _, _, width, height = map(float, str(svg.get("viewBox")).split())
        for mark in svg.iter():
            place = mark.get("x") or mark.get("cx")
            if place is not None:
                assert -0.01 <= float(place) <= width
                assert float(mark.get("y") or mark.get("cy") or 0) <= height
    assert "Each dot is one of 20 equally likely totals" in page


@given(st.lists(st.floats(0, 420), min_size=2, max_size=20).map(sorted))
def test_dots_of_a_plot_do_not_overlap_and_none_is_lost(places):
    radius, columns = stacked(places)
    assert sum(count for _, count in columns) == len(places)
    assert radius <= LARGEST_DOT
    middles = [place for place, _ in columns]
    apart = [b - a for a, b in pairwise(middles)]
    assert all(gap >= 2 * radius - 0.011 for gap in apart)
    assert binned([1.0, 1.0, 50.0], 16.0) == [(1.0, 2), (50.0, 1)]


def test_amounts_are_printed_with_their_currency_and_sign():
    assert money("-1234567.50", "EUR") == "−€1,234,567.50"
    assert money("0.004", "USD") == "$0.004"
    assert rough("294000.00", "USD") == "$294K"
    assert rough(-1_950_000.0, "JPY") == "−¥1.95M"
    assert rough(999_999.0, "USD") == "$1M"


def test_parts_of_a_quote_are_its_own_bytes():
    answer = body("deepseek-r1")
    whole = json.loads(answer)
    lines = [json.loads(bytes(one.line)) for one in lines_of(answer).lines]
    assert lines == [line for bill in whole["bases"] for line in bill["lines"]]
    some = lines_of(answer, basis="owned", stage="R1", item="energy").lines
    assert [json.loads(bytes(one.line))["amount"] for one in some] == ["3564.55"]
    found = figures_of(answer, prefix="assumptions/owned.").figures
    assert found
    assert all(name.startswith("assumptions/owned.") for name in found)
    explained = figure_of(answer, "assumptions/owned.utilisation")
    assert explained is not None
    assert explained.moves["owned"] == pytest.approx(0.484, abs=0.01)
    assert explained.feeds
    total = figure_of(answer, "rental/total_usd")
    assert total is not None
    assert set(total.inputs) == {f"rental/lines/{index}/usd" for index in range(3)}
    assert figure_of(answer, "no/such") is None


def test_a_filed_quote_is_compared_member_by_member():
    answer = body("deepseek-r1")
    assert verification(answer, answer).verdict == "same"
    spaced = json.dumps(json.loads(answer), indent=1).encode()
    assert (found := verification(spaced, answer)).verdict == "same"
    assert not found.same_bytes
    forged = json.loads(answer)
    forged["bases"][1]["total"]["amount"] = "1.00"
    found = verification(json.dumps(forged).encode(), answer)
    assert found.verdict == "differs"
    assert difference(found.first_difference).pointer == "/bases/1/total/amount"
    assert difference(found.first_difference).filed == '"1.00"'
    assert difference(found.first_difference).answered == '"310475.55"'
    older = json.loads(answer)
    older["engine"]["digest"] = "sha256:" + "0" * 64
    found = verification(json.dumps(older).encode(), answer)
    assert found.verdict == "other_engine_or_catalog"
    assert difference(first_difference({"a": True}, {"a": 1})).pointer == "/a"
    assert difference(first_difference({"a": [1, 2]}, {"a": [1]})).pointer == "/a/1"
