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

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def found():
    KEPT.mkdir(parents=True, exist_ok=True)
    with start_service() as service:
        id = service.client.post("/quote", json=R1).json()["id"]
        done = subprocess.run(
            ["node", "look.mjs", service.url, BROWSER, str(KEPT), f"/quote/{id}?{HEADING}"],
            cwd=HERE,
            capture_output=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_no_page_has_a_barrier_that_axe_knows(found):
    seen = {page["name"]: page["barriers"] for page in found["pages"] if page["barriers"]}
    assert len(found["pages"]) == 20
    assert seen == {}


def test_pages_fit_their_width_and_load_from_this_host_only(found):
    assert [page["name"] for page in found["pages"] if page["wide"] > page["width"]] == []
    assert found["foreign"] == []


def test_policies_stop_nothing_that_the_pages_need(found):
    assert [error for error in found["errors"] if "422" not in error] == []


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
