"""The pages in a real Chromium: no barriers, no other host, two printed pages, by keyboard alone.

`make browser` runs this. Screenshots at three widths and the printed pages are kept in
.cache/browser, to be looked at.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.requests import R1
from tests.server import start_service

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".cache" / "browser"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
HEADING = "title=Offer%207&buyer=ACME&start=2027-01-15"

LONGEST_S = 800
"""On a machine that has other things to do, looking at all pages takes minutes."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2 * LONGEST_S)]


@pytest.fixture(scope="module")
def service():
    KEPT.mkdir(parents=True, exist_ok=True)
    with start_service() as running:
        yield running


def looked(script: str, service, *more: str):
    """What a script finds."""
    done = subprocess.run(
        ["node", script, service.url, BROWSER, str(KEPT), *more],
        cwd=HERE,
        capture_output=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found(service):
    id = service.client.post("/quote", json=R1).json()["id"]
    return looked("look.mjs", service, f"/quote/{id}?{HEADING}")


@pytest.fixture(scope="module")
def asked(service):
    return looked("asking.mjs", service)


@pytest.fixture(params=["found", "asked"])
def pages(request):
    return request.getfixturevalue(request.param)


def test_no_page_has_a_barrier_that_axe_knows(pages):
    seen = {page["name"]: page["barriers"] for page in pages["pages"] if page["barriers"]}
    assert len(pages["pages"]) in {22, 12}
    assert seen == {}


def test_pages_fit_their_width_and_load_from_this_host_only(pages):
    assert [page["name"] for page in pages["pages"] if page["wide"] > page["width"]] == []
    assert pages["foreign"] == []


def test_policies_stop_nothing_that_the_pages_need(pages):
    assert [error for error in pages["errors"] if "422" not in error] == []


def test_pages_show_in_some_milliseconds(found, capsys):
    """How many is printed, and held by nothing: the machine may have other things to do."""
    with capsys.disabled():
        for path, took in found["shown"].items():
            print(
                f"\n{path} is painted after {took['painted']:.0f} ms, loaded {took['loaded']:.0f}"
            )
    assert set(found["shown"]) > {"/", "/docs"}


def test_the_contract_is_searched_by_keyboard(found):
    assert "Which cluster for a deadline" in found["hits"]


def test_the_sheet_of_r1_prints_on_two_pages(found):
    assert found["printed"] == {"A4": 2, "Letter": 2}


def test_the_sheet_is_read_without_a_script(found):
    for words in ("Offer 7", "ACME", "$294,000.00", "$310,475.55", "$1,670,204.52"):
        assert words in found["unscripted"]


def test_a_quote_is_asked_for_by_keyboard_and_shared_by_its_id(found):
    assert found["headline"].startswith("my run: $294,000.00 rented; 512 × nvidia-h100-sxm-80gb")
    assert found["focused"] == "answered"
    assert "/quote/q_" in found["link"]
    assert json.loads(found["code"])["cluster"]["supply"] == {
        "kind": "rate",
        "usd_per_device_hour": 2,
    }


def test_what_is_refused_is_said_at_its_field(found):
    assert "/cluster/devices" in found["problem"]
    assert found["invalid"] == "true"


def test_a_comparison_is_asked_for_by_keyboard_and_shared_by_its_id(asked):
    compared = asked["compared"]
    assert compared["headline"].startswith("Best by cost: ")
    assert compared["focused"] == "answered"
    assert compared["rows"] >= 5
    assert compared["request"]["choices"] == {
        "accelerators": ["nvidia-h100-sxm-80gb"],
        "devices": [64, 128],
        "terms": ["on_demand"],
    }
    assert compared["request"]["constraints"] == {"deadline_hours": 960}
    assert "/compare -H" in compared["curl"]
    assert "candidates" in compared["python"]
    assert asked["shared"] == compared["headline"]
    assert asked["sheet"] == "my run"


def test_a_claim_is_judged_by_keyboard_and_what_is_wrong_is_said_at_its_field(asked):
    judged = asked["judged"]
    assert judged["headline"].startswith("Exact as the rental")
    assert judged["focused"] == "answered"
    assert judged["link"].startswith("#c_")
    assert judged["meanings"] >= 5
    assert judged["request"]["amount"] == 294000
    assert "/said_on" in asked["refused"]["said"]
    assert asked["refused"]["invalid"] == "true"
    assert asked["taken"] == "294000"


def test_what_is_copied_runs_as_it_is(asked):
    """The program in Python asks the service, and prints the candidates."""
    compile(asked["compared"]["python"], "copied", "exec")
