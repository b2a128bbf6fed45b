"""The official validator of FOCUS reads our files, and finds what docs/focus.md says, and no more.

`make check-focus` runs this. The validator needs Python 3.12, in an environment of its own.
"""

import csv
import io
import json
import re
import subprocess
from pathlib import Path

import pytest

from service.api.contract.examples import REQUESTS
from service.core.figures.vocabulary import MINOR_PLACES
from service.local import quote_bytes
from service.sheet.focus.rows import focus_of
from service.sheet.view import Sheet
from tests.requests import R1

ROOT = Path(__file__).parents[2]
VALIDATOR = ROOT / ".venv" / "focus" / "bin" / "focus-validator"
BY_NAME = {one.name: one.request for one in REQUESTS}
NAMES = ("deepseek-r1", "negotiated", "in-euros", "owned", "post-training-side-by-side")
APPLIES = (
    *("ACCOUNT_NAMING", "CAPACITY_RESERVATION", "COMMITMENT_DISCOUNT", "TAGGING", "REGION"),
    *("MULTIPLE_PRICING_CATEGORIES", "NEGOTIATED_PRICING", "PUBLIC_PRICE_LIST"),
    *("USAGE_MEASUREMENT", "UNIT_PRICING", "RESOURCE_TYPE_ASSIGNMENT"),
    "BILLING_BASED_ON_PROVISIONED_RESOURCES",
)
"""What a seller of devices has, so that the rules for it are looked at."""
KNOWN = {
    *("InvoiceId", "CommitmentDiscountStatus", "CapacityReservationStatus"),
    *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    "PricingCurrencyListUnitPrice",
}
"""Columns in which the validator sees a deviation. docs/focus.md says why."""
MOST_RULES = 280
FAILED = re.compile(r"^❌ (?P<column>\w+)-[CD]-\S+: FAIL +\((?P<said>.*)\)", re.MULTILINE)

pytestmark = pytest.mark.focus


def rows_of(request, start):
    sheet = Sheet(quote_bytes(json.dumps(request).encode(), start=start))
    for bill in sheet.quote.bases:
        text = focus_of(sheet, basis=bill.basis, partial=True).decode()
        yield list(csv.reader(io.StringIO(text, newline="")))


def written(path, files):
    """The rows of several files as one."""
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(files[0][0])
        for file in files:
            writer.writerows(file[1:])


def validated(folder, files):
    """What the official validator says of these files, and the columns in which it sees a fault."""
    rules = folder / "focus_validator" / "rules"
    rules.mkdir(parents=True)
    (rules / "currency_codes.csv").write_text("\n".join(["currency_codes", *MINOR_PLACES]))
    written(folder / "focus.csv", files)
    criteria = ",".join(f"{one}_SUPPORTED" for one in APPLIES)
    done = subprocess.run(
        [
            *(VALIDATOR, "--data-file", "focus.csv", "--validate-version", "1.2"),
            *("--block-download", "--applicability-criteria", criteria),
        ],
        cwd=folder,
        capture_output=True,
        timeout=240,
        check=False,
    )
    said = done.stdout.decode() + done.stderr.decode()
    columns = set()
    for found in FAILED.finditer(said):
        named = re.search(r"Column '(\w+)'", found["said"])
        if named or found["column"] != "CostAndUsage":
            columns.add(named[1] if named else found["column"])
    return said, columns


def test_all_bills_of_several_quotes_keep_all_other_rules(tmp_path):
    files = [file for name in NAMES for file in rows_of(BY_NAME[name], "2026-12-20")]
    said, columns = validated(tmp_path, files)
    assert said.count(": PASS") >= MOST_RULES, said[-2000:]
    assert columns <= KNOWN, said


def test_a_bill_of_whole_dollars_has_decimals_too(tmp_path):
    said, columns = validated(tmp_path, list(rows_of(R1, "2027-01-15"))[:1])
    assert said.count(": PASS") >= MOST_RULES, said[-2000:]
    assert columns <= KNOWN, said


def test_the_page_names_each_deviation():
    page = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
    assert all(f"`{column}`" in page for column in KNOWN)
