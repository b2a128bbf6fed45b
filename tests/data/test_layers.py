"""What lies over the embedded files: overlays of later editions, and price books."""

from pathlib import Path
from time import process_time
from typing import Any

import pytest

from service.catalog_files import CatalogError, load_catalog
from service.catalog_files.files import rank_of
from service.catalog_files.texts import read_layer
from service.core.catalog.catalog import Catalog
from service.core.figures.sources import Published
from tests.layers import (
    H100,
    NEXT_DAY,
    day_after,
    offer_row,
    write,
    write_book,
    write_overlay,
)
from tests.worlds import answer, embedded, number, priced, run_of

RATE = f"h100-2027,coreweave,{H100},1.87,2026-12-02,frame,8,on_demand\n"
BUYER = "buyer,gpu_cloud,,\n"


def overlaid(folder: Path, *rows: str, version: str = NEXT_DAY, **files: str) -> Catalog:
    """The embedded catalog under an overlay of these offers and files."""
    return load_catalog(overlay=read_layer(write_overlay(folder, version, *rows, **files)))


def booked(directory: Path, *rows: str) -> Catalog:
    """The embedded catalog with a price book."""
    return load_catalog(book=read_layer(write_book(directory, *rows)))


def problems_of(call: Any, *arguments: Any, **named: Any) -> str:
    """What a catalog is refused for."""
    with pytest.raises(CatalogError) as refusal:
        call(*arguments, **named)
    return str(refusal.value)


def supplied(supply: dict[str, Any], *, devices: int = 8) -> dict[str, Any]:
    """A hundred device-hours of H100 under a supply."""
    cluster = {"accelerator": H100, "devices": devices, "supply": supply}
    work = {"work": {"kind": "metered", "device_hours": 100}}
    return run_of(work, cluster=cluster, billing="exact")


def test_rows_of_an_overlay_are_added_and_the_edition_is_its_own(tmp_path):
    catalog = overlaid(tmp_path, offer_row("lambda-h100-new", 3.5))
    before = embedded()
    assert set(catalog.offers) - set(before.offers) == {"lambda-h100-new"}
    assert catalog.price_rows[H100][0].id == "lambda-h100-new"
    assert (catalog.version, catalog.published_at) == (NEXT_DAY, f"{NEXT_DAY}T12:00:00Z")
    assert catalog.policy == before.policy
    assert catalog.digest != before.digest


def test_the_digest_covers_every_text_and_name_of_an_overlay(tmp_path):
    row = offer_row("lambda-h100-new", 3.5)
    one = overlaid(tmp_path / "a", row)
    assert overlaid(tmp_path / "b", row).digest == one.digest
    assert overlaid(tmp_path / "c", row.replace("3.5", "3.6")).digest != one.digest
    renamed = write_overlay(tmp_path / "d", NEXT_DAY, row)
    (renamed / "offers" / "some.csv").rename(renamed / "offers" / "other.csv")
    assert load_catalog(overlay=read_layer(renamed)).digest != one.digest


def test_without_layers_the_digest_is_that_of_the_embedded_files_alone():
    assert load_catalog(overlay={}, book={}).digest == embedded().digest


def test_a_load_is_complete_and_its_time_is_printed():
    begun = process_time()
    catalog = load_catalog()
    print(f"the embedded catalog loads in {(process_time() - begun) * 1000:.0f} ms of CPU")
    assert catalog == embedded()


def test_an_overlay_may_bring_sellers_purchase_prices_and_a_rate_of_exchange(tmp_path):
    files = {
        "providers.csv": f"id,kind,aliases,note\n{BUYER}",
        "prices__purchase_prices.csv": "accelerator,date,usd_per_device,includes_server,kind,"
        "seller,sold_as,title,licence,confidence\n"
        f"nvidia-l4,{NEXT_DAY},2222,false,asked,shop,card,A shop,facts only,high\n",
        "currencies.toml": '[[currency]]\nname = "usd_per_eur"\nvalue = 1.5\nunit = "usd/eur"\n'
        'low = 1.4\nhigh = 1.6\nsource = { kind = "published", title = "t", locator = "l", '
        f'as_of = "{NEXT_DAY}" }}\n',
    }
    catalog = overlaid(tmp_path, offer_row("buyer-h100", 3.5, provider="buyer"), **files)
    assert catalog.offers["buyer-h100"].provider == "buyer"
    assert number(catalog.assumption("usd_per_eur")) == 1.5
    assert number(embedded().assumption("usd_per_eur")) != 1.5
    bought = [number(row.usd_per_device) for row in catalog.purchases["nvidia-l4"]]
    assert 2222.0 in bought


@pytest.mark.parametrize(
    ("rows", "files", "why"),
    [
        ((offer_row("a", 1.0, provider="nobody"),), {}, "unknown provider 'nobody'"),
        ((offer_row("a", 1.0, accelerator="h100"),), {}, "unknown accelerator 'h100'"),
        ((offer_row("a", 1.0, observed_on=day_after(2)),), {}, "later than this edition"),
        ((offer_row("a", 1.0), offer_row("a", 1.0)), {}, "id 'a' is there already"),
        ((offer_row("a", 1.0).removesuffix(",\n"),), {}, "cells under"),
        ((), {"models__more.toml": ""}, "no other data file"),
        ((), {"catalog.toml": f'version = "{NEXT_DAY}"\n'}, "published_at"),
        ((), {"catalog.toml": 'version = "soon"\npublished_at = "x"\n'}, "version"),
        (
            (),
            {"currencies.toml": '[[currency]]\nname = "compute.mfu"\nvalue = 1\nunit = "share"\n'
             'low = 1\nhigh = 1\nsource = { kind = "judged", why = "w", as_of = "2026" }\n'},
            "is no rate of exchange",
        ),
    ],
)  # fmt: skip
def test_an_overlay_is_refused_with_the_file_and_the_row(tmp_path, rows, files, why):
    told = problems_of(overlaid, tmp_path, *rows, **files)
    assert why in told
    assert "overlay/" in told


def test_an_overlay_is_later_than_the_edition_it_lies_over(tmp_path):
    told = problems_of(overlaid, tmp_path, version=embedded().version)
    assert "is not later than the embedded" in told
    assert overlaid(tmp_path / "again", version=f"{embedded().version}.2").version.endswith(".2")


def test_editions_are_ordered_by_day_and_then_by_number():
    versions = ["2026-12-01.10", "2026-12-02", "2026-12-01", "2026-12-01.2"]
    assert sorted(versions, key=rank_of) == [
        "2026-12-01", "2026-12-01.2", "2026-12-01.10", "2026-12-02",
    ]  # fmt: skip


def test_a_file_that_is_not_utf8_or_begins_with_a_dot(tmp_path):
    folder = write_overlay(tmp_path, NEXT_DAY, offer_row("a", 1.0))
    write(folder, **{".offers__half.csv": "id"})
    assert read_layer(folder).keys() == {"catalog.toml", "offers/some.csv", "sources.csv"}
    (folder / "offers" / "bad.csv").write_bytes(b"id\n\xff")
    assert "offers/bad.csv, byte 3: is not UTF-8" in problems_of(read_layer, folder)


def test_a_rate_of_the_price_book_prices_a_cluster_and_says_whose_it_is(tmp_path):
    catalog = booked(tmp_path, RATE)
    quoted = answer(supplied({"kind": "book", "name": "h100-2027"}), catalog)
    bill = priced(quoted.bases[0])
    assert bill.total.amount == "187.00"
    (line,) = bill.lines
    assert str(line.detail) == (
        "on_demand price of coreweave, rate h100-2027 of your price book, agreed 2026-12-02"
    )
    figure = quoted.figures["book/h100-2027/price_per_device_hour"]
    assert isinstance(figure.source, Published)
    assert figure.source.title == "Price book: Frame agreement"
    assert (figure.value, figure.low, figure.high) == (1.87, 1.87, 1.87)
    assert figure.pointer == "/cluster/supply/name"


def test_a_negotiated_rate_is_billed_in_its_instances_and_does_not_grow_stale(tmp_path):
    old = RATE.replace("2026-12-02", "2020-01-01")
    request = supplied({"kind": "book", "name": "h100-2027"}, devices=12)
    request["accounting"] = {}
    quoted = answer(request, booked(tmp_path, old))
    (rounding,) = (one for one in priced(quoted.bases[0]).lines if one.item == "rounding")
    assert "2 instances of 8 devices" in str(rounding.detail)
    assert "stale_price" not in {one.code for one in quoted.warnings}


def test_a_reserved_rate_of_the_book_is_paid_for_its_term(tmp_path):
    catalog = booked(tmp_path, RATE.replace("on_demand", "reserved_1y"))
    bill = priced(answer(supplied({"kind": "book", "name": "h100-2027"}), catalog).bases[0])
    assert "unused_commitment" in {line.item for line in bill.lines}


def test_a_rate_is_for_its_own_device(tmp_path):
    request = supplied({"kind": "book", "name": "h100-2027"})
    request["cluster"]["accelerator"] = "nvidia-h200-sxm-141gb"
    bill = answer(request, booked(tmp_path, RATE)).bases[0]
    assert "rate h100-2027 is for nvidia-h100-sxm-80gb" in str(bill)


def test_the_book_is_in_the_digest_and_in_no_list_and_no_market(tmp_path):
    catalog, before = booked(tmp_path, RATE), embedded()
    assert catalog.digest != before.digest
    assert catalog.book.keys() == {"h100-2027"}
    for member in ("offers", "price_rows", "providers", "regions", "asked_prices", "observed"):
        assert getattr(catalog, member) == getattr(before, member), member
    assert booked(tmp_path / "b", RATE.replace("1.87", "1.88")).digest != catalog.digest


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (RATE.replace(H100, "h100"), "unknown accelerator"),
        (RATE.replace("frame", "letter"), "unknown source 'letter'"),
        (RATE.replace("2026-12-02", "2026-13-02"), "there is no date 2026-13-02"),
        (RATE.replace("1.87", "-1"), "price_per_device_hour"),
        (RATE + RATE, "id 'h100-2027' is there already"),
    ],
)
def test_a_price_book_is_refused_with_the_row(tmp_path, row, why):
    told = problems_of(booked, tmp_path, row)
    assert why in told
    assert "book/offers/rates.csv" in told


def test_a_price_book_has_no_sellers_and_no_edition_of_its_own(tmp_path):
    directory = write(write_book(tmp_path, RATE), **{"providers.csv": f"id,kind\n{BUYER}"})
    told = problems_of(load_catalog, book=read_layer(directory))
    assert "a price book has sources.csv, offers/*.csv, and no other data file" in told
