"""What is data and what is computed does not move the contract."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.answering import answer_of, encoded, question_of
from service.api.contract.examples import DEEPSEEK_R1, ENGINE
from service.api.contract.excerpt import QUOTE_EXCERPT, STAND_INS
from service.core.catalog.catalog import Catalog
from service.core.request.request import QuoteRequest
from tests.contract.document import catalog, files
from tests.worlds import MEMO, number

ROOT = Path(__file__).parents[2]
OFFERS = Path("service", "data", "offers", "aws.csv")
NEW_OFFER = "a-new-offer-2026-11"
CHANGE = 1.0 + 1e-9


def run_in(directory: Path, *arguments: str) -> bytes:
    """What `runquote` prints that reads the service in a directory."""
    return subprocess.run(
        [sys.executable, "-c", "from service.cli import main; main()", *arguments],
        capture_output=True,
        check=True,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"},
    ).stdout


def test_an_added_offer_leaves_every_byte_of_the_contract(tmp_path):
    shutil.copytree(ROOT / "service", tmp_path / "service")
    rows = (tmp_path / OFFERS).read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(csv.reader(rows[1:2]))
    rows.append(rows[1].replace(first[0], NEW_OFFER))
    (tmp_path / OFFERS).write_text("".join(rows), encoding="utf-8")
    listed = run_in(tmp_path, "catalog", "list", "offers", "--format", "json")
    assert NEW_OFFER in {json.loads(row)["id"] for row in listed.splitlines()}
    run_in(tmp_path, "openapi", "--write", str(tmp_path))
    assert {name: (tmp_path / name).read_bytes() for name in files()} == files()


def answered(known: Catalog) -> dict[str, Any]:
    """The whole answer to the request that the excerpt answers."""
    request = msgspec.convert(DEEPSEEK_R1.request, QuoteRequest)
    question = question_of(request, engine=ENGINE, catalog=known)
    answer = answer_of(question, engine=ENGINE, catalog=known, memo=MEMO, kept={})
    read: dict[str, Any] = msgspec.json.decode(encoded(answer))
    return read


def is_excerpt(part: Any, whole: Any) -> bool:
    """Whether the part has nothing that the whole lacks, and in the same order."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_excerpt(one, whole[name]) for name, one in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        rest = iter(whole)
        return all(any(is_excerpt(one, other) for other in rest) for one in part)
    return bool(part == whole)


def other_numbers() -> Catalog:
    """The catalog with other last digits in all assumptions and rated powers."""
    known = catalog()
    assumptions = {
        name: msgspec.structs.replace(datum, _value=number(datum) * CHANGE)
        for name, datum in known.assumptions.items()
    }
    accelerators = {
        id_: msgspec.structs.replace(
            row, tdp_w=msgspec.structs.replace(row.tdp_w, _value=number(row.tdp_w) * CHANGE)
        )
        for id_, row in known.accelerators.items()
        if row.tdp_w
    }
    return msgspec.structs.replace(
        known, assumptions=assumptions, accelerators=known.accelerators | accelerators
    )


@pytest.mark.parametrize("known", [catalog(), other_numbers()], ids=["as it is", "other digits"])
def test_the_answer_in_the_contract_is_an_excerpt_of_what_the_service_answers(known):
    """Nothing in it follows from the catalog: with other digits there it is an excerpt still."""
    shown = {name: part for name, part in QUOTE_EXCERPT.items() if name not in STAND_INS}
    assert is_excerpt(shown, answered(known))


def test_other_digits_of_the_catalog_move_the_whole_answer_and_the_comparison_sees_it():
    usual, moved = answered(catalog()), answered(other_numbers())
    assert usual["totals"] != moved["totals"]
    assert not is_excerpt({"totals": usual["totals"]}, moved)
    assert not is_excerpt({"bases": usual["bases"]}, moved)


def test_numbers_of_the_excerpt_follow_from_the_request_by_hand():
    (bill,) = QUOTE_EXCERPT["bases"]
    (stage,) = QUOTE_EXCERPT["stages"]
    hours = [one["work"]["device_hours"] for one in DEEPSEEK_R1.request["run"]["stages"]]
    assert [line["amount"] for line in bill["lines"]] == [f"{one * 2:.2f}" for one in hours]
    assert bill["total"]["amount"] == f"{sum(hours) * 2:.2f}"
    assert stage["wall_clock_hours"]["central"] == 101000 / 512
