"""Editions of the catalog: which is current, what is refused, and old ones beside the new."""

import shutil
from pathlib import Path

import msgspec
import pytest

from service.api.refusing.decoding import decode_request
from service.catalog_files import CatalogError
from service.core.answer import Quote
from service.core.catalog.errors import NotQuotable, UnknownEdition
from service.editions.edition import Edition
from service.editions.shelf import Shelf, Sources, Standing, stocked_shelf
from service.local import claim_bytes, local_quoting, quote_bytes, quoting_over
from tests.claims import R1_RUNS, of_runs
from tests.layers import (
    COLUMNS,
    H100,
    NEXT_DAY,
    day_after,
    edition_text,
    offer_row,
    write,
    write_book,
    write_overlay,
)
from tests.worlds import embedded, priced

BAD = offer_row("bad", 1.0, provider="nobody")
RATE = f"h100-2027,coreweave,{H100},1.87,2026-12-02,frame,8,on_demand\n"
LATER = (day_after(1), day_after(2), day_after(3))


def market(**more: str) -> bytes:
    """A request for an hour of one H100 from Lambda, whose newest price stands in an overlay."""
    supply = {"kind": "market", "provider": "lambda"}
    return msgspec.json.encode(
        {
            "run": {
                "name": "edition",
                "stages": [{"name": "s", "work": {"kind": "metered", "device_hours": 1}}],
            },
            "cluster": {"accelerator": H100, "devices": 1, "supply": supply},
            "accounting": {"billing": "exact"},
            "options": {"bases": ["rental"]},
            **more,
        }
    )


def overlaid(folder: Path, version: str, usd: float) -> Path:
    """An overlay in which Lambda asks this much."""
    day = version.partition(".")[0]
    return write_overlay(folder, version, offer_row(f"lambda-{version}", usd, observed_on=day))


def shelf(folder: Path, book: Path | None = None) -> Shelf:
    return stocked_shelf(Sources(folder=folder, book=book))


def taken(shelf: Shelf, *, at_once: bool = True) -> Standing | None:
    """What a look finds, which then stands."""
    found = shelf.look(at_once=at_once)
    if found is not None:
        shelf.standing = found
    return found


def answered(shelf: Shelf, body: bytes) -> Quote:
    """The quote that is given with a shelf."""
    quoting = quoting_over(shelf)
    request = decode_request(body)
    posed = quoting.posed(request, shelf.edition(request.catalog))
    return msgspec.json.decode(quoting.compute(posed), type=Quote)


def total(shelf: Shelf, **more: str) -> str:
    return priced(answered(shelf, market(**more)).bases[0]).total.amount


def test_the_newest_edition_that_loads_is_current_and_the_embedded_one_without_any(tmp_path):
    assert shelf(tmp_path).current.digest == embedded().digest
    overlaid(tmp_path, LATER[0], 3.0)
    overlaid(tmp_path, LATER[1], 4.0)
    found = shelf(tmp_path)
    assert found.current.version == LATER[1]
    assert found.standing.versions == (LATER[1], LATER[0], embedded().version)
    assert total(found) == "4.00"


def test_an_older_edition_gives_the_id_and_the_bytes_that_it_gave(tmp_path):
    overlaid(tmp_path, LATER[0], 3.0)
    then = quote_bytes(market(), sources=Sources(folder=tmp_path))
    overlaid(tmp_path, LATER[1], 4.0)
    local_quoting.cache_clear()
    now = quote_bytes(market(), sources=Sources(folder=tmp_path))
    again = quote_bytes(market(catalog=LATER[0]), sources=Sources(folder=tmp_path))
    assert again == then != now
    named = quote_bytes(market(catalog=LATER[1]), sources=Sources(folder=tmp_path))
    assert named == now
    bare = quote_bytes(market())
    assert quote_bytes(market(catalog=embedded().version), sources=Sources(folder=tmp_path)) == bare
    local_quoting.cache_clear()


def test_a_claim_is_judged_by_the_edition_that_it_names(tmp_path):
    overlaid(tmp_path, LATER[0], 3.0)
    claim = of_runs(294000, *R1_RUNS)
    named = msgspec.json.encode(claim | {"catalog": embedded().version})
    bare = claim_bytes(msgspec.json.encode(claim))
    assert claim_bytes(named, sources=Sources(folder=tmp_path)) == bare
    assert claim_bytes(msgspec.json.encode(claim), sources=Sources(folder=tmp_path)) != bare


def test_an_unknown_edition_is_refused_with_those_that_there_are(tmp_path):
    overlaid(tmp_path, LATER[0], 3.0)
    with pytest.raises(NotQuotable) as refusal:
        total(shelf(tmp_path), catalog="2025-01-01")
    (error,) = refusal.value.errors
    assert error.pointer == "/catalog"
    assert isinstance(error, UnknownEdition)
    assert error.nearest == (LATER[0], embedded().version)


def test_a_newer_edition_takes_its_turn_and_a_removed_one_gives_it_back(tmp_path):
    overlaid(tmp_path, LATER[0], 3.0)
    found = shelf(tmp_path)
    assert taken(found) is None
    overlaid(tmp_path, LATER[1], 4.0)
    assert taken(found) is not None
    assert total(found) == "4.00"
    shutil.rmtree(tmp_path / LATER[1])
    assert taken(found) is not None
    assert found.current.version == LATER[0]
    shutil.rmtree(tmp_path / LATER[0])
    taken(found)
    assert found.current.digest == embedded().digest


def test_what_changes_is_read_when_it_rests_or_when_told(tmp_path):
    found = shelf(tmp_path)
    assert taken(found, at_once=False) is None
    path = overlaid(tmp_path, LATER[0], 3.0)
    assert taken(found, at_once=False) is None
    write(path, **{"offers__more.csv": (path / "offers" / "some.csv").read_text("utf-8").replace(
        f"lambda-{LATER[0]}", "another")})  # fmt: skip
    assert taken(found, at_once=False) is None
    assert taken(found, at_once=False) is not None
    assert "another" in found.current.catalog.offers
    overlaid(tmp_path, LATER[1], 4.0)
    assert taken(found, at_once=True) is not None


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"offers__some.csv": "id,what\n"}, "invalid"),
        ({"offers__some.csv": "".join((",".join(COLUMNS), "\n", BAD))}, "invalid"),
        ({"catalog.toml": edition_text(LATER[2])}, "invalid"),
        ({"catalog.toml": "version ="}, "invalid"),
        ({"runs__more.jsonl": "{}"}, "invalid"),
        ({"providers.csv": "id,kind,alias,note\naws,hyperscaler,,\n"}, "invalid"),
    ],
)
def test_a_bad_edition_leaves_the_old_one_in_its_place(tmp_path, files, reason):
    overlaid(tmp_path, LATER[0], 3.0)
    found = shelf(tmp_path)
    before = found.current
    write(overlaid(tmp_path, LATER[1], 4.0), **files)
    standing = taken(found)
    assert standing is not None
    assert [(one.name, one.reason) for one in standing.refused] == [(LATER[1], reason)]
    assert found.current is before
    assert standing.versions == (LATER[0], embedded().version)
    assert taken(found) is None, "the same bad files are not read again"
    shutil.rmtree(tmp_path / LATER[1])
    standing = taken(found)
    assert standing is not None
    assert standing.refused == ()


def test_a_current_edition_that_is_spoilt_in_its_place_goes_on_from_memory(tmp_path):
    path = overlaid(tmp_path, LATER[0], 3.0)
    found = shelf(tmp_path)
    write(path, **{"offers__some.csv": "id,what\n"})
    standing = taken(found)
    assert standing is not None
    assert standing.refused
    assert total(found) == total(found, catalog=LATER[0]) == "3.00"


def test_a_bad_edition_does_not_stop_the_start(tmp_path):
    overlaid(tmp_path, LATER[0], 3.0)
    write_overlay(tmp_path, LATER[1], BAD)
    found = shelf(tmp_path)
    assert found.current.version == LATER[0]
    assert [one.name for one in found.standing.refused] == [LATER[1]]


def test_a_bad_old_edition_is_refused_when_it_is_asked_for(tmp_path):
    write_overlay(tmp_path, LATER[0], BAD)
    overlaid(tmp_path, LATER[1], 4.0)
    found = shelf(tmp_path)
    assert LATER[0] in found.standing.versions
    for _ in range(2):
        with pytest.raises(NotQuotable, match=f"no edition of the catalog '{LATER[0]}'"):
            total(found, catalog=LATER[0])
    assert LATER[0] not in found.standing.versions


def test_editions_of_an_earlier_release_and_other_directories_are_passed_over(tmp_path):
    overlaid(tmp_path, embedded().version, 1.0)
    overlaid(tmp_path, "2025-01-01", 1.0)
    (overlaid(tmp_path, LATER[0], 1.0)).rename(tmp_path / f".{LATER[0]}.half")
    (tmp_path / "notes").mkdir()
    (tmp_path / LATER[1]).write_text("a file")
    found = shelf(tmp_path)
    assert found.standing.versions == (embedded().version,)
    assert found.standing.refused == ()


def test_a_folder_that_is_lost_leaves_everything_and_is_found_again(tmp_path):
    folder = tmp_path / "catalog"
    overlaid(folder, LATER[0], 3.0)
    found = shelf(folder)
    folder.rename(tmp_path / "away")
    standing = taken(found)
    assert standing is not None
    assert [(one.name, one.reason) for one in standing.refused] == [("folder", "unreadable")]
    assert found.current.version == LATER[0]
    assert taken(found) is None
    (tmp_path / "away").rename(folder)
    standing = taken(found)
    assert standing is not None
    assert standing.refused == ()


def test_a_folder_or_a_book_that_is_not_there_or_bad_stops_the_start(tmp_path):
    for sources in (Sources(folder=tmp_path / "no"), Sources(book=tmp_path / "no")):
        with pytest.raises(OSError, match="no"):
            stocked_shelf(sources)
    book = write_book(tmp_path / "book", RATE.replace("1.87", "much"))
    with pytest.raises(CatalogError, match="problem"):
        stocked_shelf(Sources(book=book))


def test_a_changed_price_book_is_taken_over_with_every_edition_and_a_bad_one_is_not(tmp_path):
    folder, book = tmp_path / "catalog", write_book(tmp_path / "book", RATE)
    overlaid(folder, LATER[0], 3.0)
    found = shelf(folder, book)
    rated = msgspec.json.decode(market())
    rated["cluster"]["supply"] = {"kind": "book", "name": "h100-2027"}
    request = msgspec.json.encode(rated)
    old = msgspec.json.encode(rated | {"catalog": embedded().version})

    def prices() -> list[str]:
        return [priced(answered(found, one).bases[0]).total.amount for one in (request, old)]

    assert prices() == ["1.87", "1.87"]
    before = found.current.digest
    write_book(book, RATE.replace("1.87", "1.75"))
    assert taken(found) is not None
    assert prices() == ["1.75", "1.75"]
    assert found.current.digest != before
    write_book(book, RATE.replace("1.87", "0"))
    standing = taken(found)
    assert standing is not None
    assert [(one.name, one.reason) for one in standing.refused] == [("price book", "invalid")]
    overlaid(folder, LATER[1], 4.0)
    standing = taken(found)
    assert standing is not None
    assert found.current.version == LATER[1]
    assert [one.name for one in standing.refused] == ["price book"]
    assert prices() == ["1.75", "1.75"]


def test_a_body_means_another_answer_when_other_editions_stand(tmp_path):
    overlaid(tmp_path, LATER[0], 3.0)
    found = shelf(tmp_path)
    marks = {found.standing.mark}
    overlaid(tmp_path, LATER[1], 4.0)
    taken(found)
    marks.add(found.standing.mark)
    shutil.rmtree(tmp_path / LATER[0])
    taken(found)
    marks.add(found.standing.mark)
    assert len(marks) == 3


def test_old_editions_are_opened_once_and_not_all_are_kept(tmp_path):
    versions = [f"{NEXT_DAY}.{number}" for number in range(1, 14)]
    for number, version in enumerate(versions):
        overlaid(tmp_path, version, 3.0 + number)
    found = shelf(tmp_path)
    first = found.edition(versions[3])
    assert found.edition(versions[3]) is first
    for version in versions[1:-1]:
        assert isinstance(found.edition(version), Edition)
    assert found.edition(versions[3]) is not first
    assert found.edition(versions[3]).digest == first.digest
