"""`runquote catalog refresh`, end to end on local files of every source."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from typer.testing import CliRunner

from service.catalog_files.texts import read_layer
from service.cli import app
from service.core.catalog.catalog import Catalog, Offer
from service.core.figures.sources import Published
from service.editions.edition import Recipe
from service.editions.shelf import Sources
from service.local import local_quoting, quote_bytes
from service.refreshing import command
from service.refreshing.checking import Prices
from service.refreshing.listing import Listing, Origin
from service.refreshing.names.known import Known, device_rows
from service.refreshing.writing import write_overlay
from tests.layers import H100, day_after
from tests.worlds import embedded, number

DAY = day_after()
WIDE = 300
"""Characters of a line of the tables, so that none is broken."""
HUNT_COLUMNS = (
    "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,"
    "gpu_vendor,flags,cpu_arch,provider_data\n"
)
HUNT = {
    "lambdalabs": "gpu_8x_h100_sxm5,us-east-1,{h100},208,1800,8,H100,80,False,,nvidia,,x86,{{}}\n"
    "gpu_1x_h100_pcie,us-east-1,3.29,26,225,1,H100,80,False,,nvidia,,x86,{{}}\n"
    "cpu_4x_general,us-east-1,0.2,4,16,0,,,False,,,,x86,{{}}\n",
    "verda": "8H200.141S.176V,FIN-02,43.2,176,1480,8,H200,141,False,,nvidia,,x86,{{}}\n"
    "8H200.141S.176V,FIN-02,21.6,176,1480,8,H200,141,True,,nvidia,,x86,{{}}\n"
    "1RTX3080.10V,FIN-02,0.2,10,30,1,RTX3080,10,False,,nvidia,,x86,{{}}\n",
    "runpod": "NVIDIA H100 80GB HBM3,US-KS-2,3.99,20,125,1,H100,80,False,,nvidia,,x86,{{}}\n"
    "NVIDIA H100 80GB HBM3,CA,2.99,20,125,1,H100,80,False,,nvidia,,x86,{{}}\n",
    "gcp": "a3-highgpu-8g,us-central1-a,88.48,208,1872,8,H100,80,False,,nvidia,,x86,{{}}\n",
}
SKY_COLUMNS = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice\n"
)


class Ran(NamedTuple):
    """What a refresh printed, and how it ended."""

    status: int
    told: str

    def one_line(self) -> str:
        """All that was told without the breaks of its tables."""
        return " ".join(self.told.replace("│", " ").replace("┃", " ").split())


class Refresh:
    """Refreshes of one folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / "catalog"

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str | Path, day: str = DAY, **environment: str) -> Ran:
        command.out.width = command.err.width = WIDE
        found = CliRunner(env=environment).invoke(
            app,
            [
                *("catalog", "refresh", "--catalog-dir", str(self.folder), "--date", day),
                *("--observed-on", day, *map(str, arguments)),
            ],
        )
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return Ran(found.exit_code, found.output)

    def versions(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def catalog(self, version: str = DAY) -> Catalog:
        return Recipe(overlay=read_layer(self.folder / version)).made()

    def new(self, version: str = DAY) -> dict[str, Offer]:
        """The offers that an edition has and the embedded one has not."""
        offers = self.catalog(version).offers
        return {id: offers[id] for id in sorted(offers.keys() - embedded().offers.keys())}


@pytest.fixture
def refresh(tmp_path: Path) -> Refresh:
    return Refresh(tmp_path)


def price(offer: Offer) -> float:
    return number(offer.price_per_device_hour)


def facts(offers: dict[str, Offer]) -> set[tuple[str, str, str, str, float]]:
    return {
        (one.provider, one.accelerator, one.price_kind, one.region, round(price(one), 4))
        for one in offers.values()
    }


def feed(*offers: dict[str, Any], **more: Any) -> str:
    whole = {
        "schema_version": 2,
        "collected_at": f"{DAY}T07:00:36+00:00",
        "offers": offers,
        "providers": {"lambdalabs": {"source": "https://lambda.ai/service/gpu-cloud"}},
    }
    return json.dumps(whole | more)


def fed(provider: str, model: str, usd: float, **more: Any) -> dict[str, Any]:
    devices = more.get("gpu_count", 1)
    return {
        "provider": provider,
        "gpu_model_raw": model,
        "gpu_family": more.pop("family", model),
        "gpu_count": devices,
        "price_per_gpu_hr": usd,
        "price_total_hr": usd * devices,
        "pricing_type": "on-demand",
        "currency": "USD",
        "gpu_form": None,
        "gpu_partition": None,
        "region": None,
        "vcpu": 30,
        "ram_gb": 200,
        "notes": "",
    } | more


def hunt(refresh: Refresh, *, h100: float = 34.32, **more: str) -> Path:
    files = {name: rows.format(h100=h100) for name, rows in HUNT.items()} | more
    for name, rows in files.items():
        refresh.write(f"hunt/{name}.csv", HUNT_COLUMNS + rows)
    return refresh.directory / "hunt"


def test_gpuhunt_is_read_from_a_directory(refresh):
    ran = refresh.run("--gpuhunt", GPUHUNT_CATALOG_DIR=str(hunt(refresh)))
    assert ran.status == 0, ran.told
    found = refresh.new()
    assert facts(found) == {
        ("lambda", H100, "on_demand", "us-east-1", 4.29),
        ("lambda", "nvidia-h100-pcie-80gb", "on_demand", "us-east-1", 3.29),
        ("verda", "nvidia-h200-sxm-141gb", "on_demand", "FIN-02", 5.4),
        ("verda", "nvidia-h200-sxm-141gb", "spot", "FIN-02", 2.7),
        ("runpod", H100, "on_demand", "US-KS-2", 3.99),
        ("runpod", H100, "community", "CA", 2.99),
        ("gcp", H100, "on_demand", "us-central1", 11.06),
    }
    assert "unknown device 'RTX3080' of 10 GB" in ran.one_line()
    one = found[f"lambda-us-east-1-gpu-8x-h100-sxm5-on-demand-{DAY}"]
    source = one.price_per_device_hour.source
    assert isinstance(source, Published)
    assert (source.title, source.locator) == ("gpuhunt catalog by dstack", "lambdalabs.csv")
    assert (source.as_of, one.observed_on, one.country, one.devices) == (DAY, DAY, "US", 8)


def test_gpuhunt_is_read_from_an_address(refresh):
    directory = hunt(refresh)
    for name in HUNT:
        refresh.write(f"published/{name}/version", "7")
        (refresh.directory / f"published/{name}/7").mkdir()
        with zipfile.ZipFile(refresh.directory / f"published/{name}/7/catalog.zip", "w") as archive:
            archive.write(directory / f"{name}.csv", f"{name}.csv")
    address = (refresh.directory / "published").as_uri()
    assert refresh.run("--gpuhunt", GPUHUNT_CATALOG_URL=address).status == 0
    assert len(refresh.new()) == 7
    nowhere = Refresh(refresh.directory / "other")
    ran = nowhere.run("--gpuhunt", GPUHUNT_CATALOG_URL=(refresh.directory / "none").as_uri())
    assert ran.status == 1
    assert "Failed to load catalogs of all providers" in ran.one_line()


def test_bad_rows_a_broken_end_and_a_tenfold_price_of_gpuhunt_are_told_and_left_out(refresh):
    bad = HUNT["verda"].format(h100=0) + "8H100.80S.176V,FIN-02,much,1,1,8,H100,80,False,,,,,{}\n"
    broken = HUNT["gcp"].format(h100=0) + "a3-highgpu-8g,us-east4-a,88.4"
    unknown = "x,y,1,1,1,1,H100,80,False,,nvidia,,x86,{}\n"
    directory = hunt(refresh, h100=343.2, verda=bad, gcp=broken, cloudrift=unknown)
    ran = refresh.run("--gpuhunt", "--all", GPUHUNT_CATALOG_DIR=str(directory))
    assert ran.status == 0
    told = ran.one_line()
    assert "Skipping malformed row in verda catalog at line 5" in told
    assert "Skipping malformed row in gcp catalog at line 3" in told
    assert "unknown seller 'cloudrift'" in told
    assert "gpuhunt lambdalabs.csv, item 1 (gpu_8x_h100_sxm5, us-east-1): 42.9 dollars are" in told
    new = facts(refresh.new())
    assert not any(row[0] == "lambda" and row[1] == H100 for row in new)
    assert ("gcp", H100, "on_demand", "us-central1", 11.06) in new


def test_a_feed_of_schema_two_is_read(refresh):
    file = refresh.write("prices.json", feed(
        fed("lambdalabs", "NVIDIA H100 SXM", 4.29, family="H100", gpu_form="SXM", gpu_count=8),
        fed("datacrunch", "A100 SXM4 40GB", 1.29, family="A100", gpu_form="SXM", vram_gb=40),
        fed("datacrunch", "A100 SXM4 40GB", .645, family="A100", gpu_form="SXM", vram_gb=40,
            pricing_type="spot"),
        fed("digitalocean", "H100", 3.44, pricing_type="reserved-12mo"),
        fed("runpod", "NVIDIA H100 PCIe", 2.39, family="H100", gpu_form="PCIe",
            notes="community cloud"),
        fed("runpod", "NVIDIA H100 PCIe", 1.35, family="H100", gpu_form="PCIe",
            pricing_type="spot", notes="community cloud, interruptible"),
        fed("vastai", "H100 SXM", 2.1, family="H100", gpu_form="SXM", region="Iowa, US"),
        fed("vastai", "H100 SXM", 1.9, family="H100", gpu_form="SXM", region="Iowa, US"),
        fed("scaleway", "H100 PCIe", 2.73, family="H100", gpu_form="PCIe", currency="EUR",
            region="fr-par-2"),
    ))  # fmt: skip
    ran = refresh.run("--feed", file)
    assert ran.status == 0, ran.told
    assert facts(refresh.new()) == {
        ("lambda", H100, "on_demand", "global", 4.29),
        ("verda", "nvidia-a100-sxm-40gb", "on_demand", "global", 1.29),
        ("verda", "nvidia-a100-sxm-40gb", "spot", "global", 0.645),
        ("digitalocean", H100, "reserved_1y", "global", 3.44),
        ("runpod", "nvidia-h100-pcie-80gb", "community", "global", 2.39),
        ("vast-ai", H100, "marketplace", "Iowa, US", 1.9),
        ("scaleway", "nvidia-h100-pcie-80gb", "on_demand", "fr-par-2", 2.73),
    }
    assert "an interruptible community host" in ran.one_line()
    (euros,) = (one for one in refresh.new().values() if one.provider == "scaleway")
    assert euros.price_per_device_hour.unit == "eur/device_hour"
    (hosted,) = (one for one in refresh.new().values() if one.provider == "vast-ai")
    assert hosted.country == "US"
    (lambdas,) = (one for one in refresh.new().values() if one.provider == "lambda")
    assert "https://lambda.ai/service/gpu-cloud" in str(lambdas.price_per_device_hour.source)


def test_a_feed_with_bad_offers_tells_each_and_one_that_breaks_off_gives_nothing(refresh):
    good = fed("lambdalabs", "NVIDIA H100 SXM", 4.29, family="H100", gpu_form="SXM")
    text = feed(
        good,
        {"provider": "lambdalabs"},
        fed("lambdalabs", "NVIDIA H100 SXM", 42.9, family="H100", gpu_form="SXM"),
        fed("nobody", "H100", 2.0),
        fed("vultr", "A16", 0.06, gpu_partition="1/8"),
        fed("lambdalabs", "NVIDIA H100 SXM", 3.0, family="H100", pricing_type="weekly"),
    )
    ran = refresh.run("--feed", refresh.write("prices.json", text))
    assert ran.status == 0
    told = ran.one_line()
    for words in (
        "prices.json, offer 1: Object missing required field",
        "unknown seller 'nobody'",
        "a part of a device, or no price of one",
        "unknown kind of price 'weekly'",
        "42.9 dollars are",
    ):
        assert words in told
    assert facts(refresh.new()) == {("lambda", H100, "on_demand", "global", 4.29)}
    for name, broken in (
        ("half.json", text[: len(text) // 2]),
        ("one.json", feed(good, schema_version=1)),
    ):
        other = Refresh(refresh.directory / name.removesuffix(".json"))
        ran = other.run("--feed", refresh.write(name, broken))
        assert ran.status == 1
        assert "cannot be read" in ran.one_line()
        assert "nothing valid came" in ran.one_line()
        assert other.versions() == []


def sky(refresh: Refresh, cloud: str, *rows: str) -> Path:
    refresh.write(f"sky/{cloud}/vms.csv", SKY_COLUMNS + "".join(rows))
    return refresh.directory / "sky"


def test_skypilot_s_catalog_is_read_cloud_by_cloud(refresh):
    sky(refresh, "lambda", 'gpu_8x_a100,A100,8.0,124.0,1800.0,15.92,us-east-1,"{}",\n',
        "gpu_8x_h100_sxm5,H100,8,208,1800,34.32,us-east-1,,\n",
        "cpu_4x_general,,,4.0,16.0,0.2,us-east-1,,\n")  # fmt: skip
    sky(
        refresh, "nebius", "gpu-h200-sxm_8gpu-128vcpu-1600gb,H200,8,128,1600,43.2,eu-north1,,20.0\n"
    )
    sky(refresh, "aws", "p5.48xlarge,H100,8,192,2048,55.04,us-east-1,,21.2\n",
        "p5.48xlarge,H100,8,192,2048,55.04,us-east-1,,20.8\n")  # fmt: skip
    directory = sky(refresh, "vast", "1x-H100_SXM-32-65536,H100,1,32,64,1.9,US,,\n")
    ran = refresh.run("--skypilot", directory)
    assert ran.status == 0, ran.told
    assert facts(refresh.new()) == {
        ("lambda", "nvidia-a100-sxm-40gb", "on_demand", "us-east-1", 1.99),
        ("lambda", H100, "on_demand", "us-east-1", 4.29),
        ("nebius", "nvidia-h200-sxm-141gb", "on_demand", "eu-north1", 5.4),
        ("nebius", "nvidia-h200-sxm-141gb", "spot", "eu-north1", 2.5),
        ("aws", H100, "on_demand", "us-east-1", 6.88),
        ("aws", H100, "spot", "us-east-1", 2.6),
        ("vast-ai", H100, "marketplace", "US", 1.9),
    }
    (ours,) = (
        one for one in refresh.new().values() if (one.provider, one.price_kind) == ("aws", "spot")
    )
    assert ours.network_gbps == 3200, "the network of an instance is what the catalog knows of it"


def test_skypilot_s_bad_rows_are_told_and_other_clouds_are_read(refresh):
    sky(refresh, "lambda", "gpu_8x_h100_sxm5,H100,8,208,1800,343.2,us-east-1,,\n",
        "gpu_8x_h100_sxm5,H100,eight,208,1800,34.3,us-east-1,,\n",
        ",H100,8,,,20.0,us-east-1,,\n",
        "gpu_8x_h100_sxm5,H100,8,208,18")  # fmt: skip
    sky(refresh, "nobody", "x,H100,8,1,1,20.0,somewhere,,\n")
    refresh.write("sky/azure/vms.csv", "InstanceType,Price\nx,1\n")
    directory = sky(refresh, "nebius", "gpu-h200-sxm_8gpu,H200,8,128,1600,43.2,eu-north1,,\n")
    ran = refresh.run("--skypilot", directory)
    assert ran.status == 0
    told = ran.one_line()
    assert "a device without its machine" in told
    assert "unknown seller 'nobody'" in told
    assert "has no AcceleratorCount, AcceleratorName, Region, SpotPrice" in told
    assert "42.9 dollars are" in told
    assert "a row that cannot be read" in told
    assert facts(refresh.new()) == {
        ("nebius", "nvidia-h200-sxm-141gb", "on_demand", "eu-north1", 5.4)
    }


def own(*rows: str, columns: str = "provider,accelerator,price_per_device_hour,devices") -> str:
    return "\n".join((columns, *rows)) + "\n"


def test_a_price_list_of_one_s_own_is_read_with_its_sources(refresh):
    file = refresh.write("mine.csv", own(
        f"Verda,{H100},3.93,8,2026-11-20,Verda price page,https://verda.com/pricing",
        "lambda labs,H100 SXM,4.29,8,,,",
        columns="provider,accelerator,price_per_device_hour,devices,observed_on,source_title,source_url",
    ))  # fmt: skip
    assert refresh.run("--csv", file).status == 0
    found = {one.provider: one for one in refresh.new().values()}
    source = found["verda"].price_per_device_hour.source
    assert isinstance(source, Published)
    assert (source.title, source.url) == ("Verda price page", "https://verda.com/pricing")
    assert (found["verda"].observed_on, found["lambda"].observed_on) == ("2026-11-20", DAY)
    assert "Price list mine.csv" in str(found["lambda"].price_per_device_hour.source)


def test_a_bad_row_an_unknown_seller_and_a_tenfold_price_of_one_s_own_are_left_out(refresh):
    file = refresh.write("mine.csv", own(
        "lambda,H100 SXM,4.29,8", "lambda,H100 SXM,42.9,8", "nobody,H100,2,8", "lambda,H100,-1,8",
        "lambda,Quantum 3000,2,8", "lambda,H100,2",
    ) + '"lambda,H100')  # fmt: skip
    ran = refresh.run("--csv", file)
    assert ran.status == 0
    told = ran.one_line()
    for words in (
        "42.9 dollars are",
        "unknown seller 'nobody'",
        "unknown device 'Quantum 3000'",
        "3 a row that cannot be read",
    ):
        assert words in told
    assert facts(refresh.new()) == {("lambda", H100, "on_demand", "global", 4.29)}


def test_a_date_to_come_is_left_out(refresh):
    columns = "provider,accelerator,price_per_device_hour,observed_on"
    file = refresh.write("mine.csv", own("lambda,H100 SXM,4.29,2099-01-01", columns=columns))
    ran = refresh.run("--csv", file)
    assert ran.status == 1
    assert "the date 2099-01-01 is still to come" in ran.one_line()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), 2), (("--csv", "none.csv"), 1), (("--skypilot", "."), 1), (("--feed", "none.json"), 1)],
)
def test_where_nothing_valid_came_nothing_is_written(refresh, arguments, status, monkeypatch):
    monkeypatch.chdir(refresh.directory)
    assert refresh.run(*arguments).status == status
    assert not refresh.folder.exists() or refresh.versions() == []


def test_a_dry_run_prints_what_moved_and_writes_nothing(refresh):
    file = refresh.write("mine.csv", own(f"verda,{H100},3.435,8", "lambda,H100 SXM,3.99,8"))
    ran = refresh.run("--csv", file, "--dry-run")
    assert ran.status == 0
    old = next(
        price(one)
        for one in embedded().price_rows[H100]
        if (one.provider, one.price_kind) == ("verda", "on_demand")
    )
    assert f"{3.435 / old:.3g}" in ran.one_line()
    assert "nothing is written" in ran.one_line()
    assert refresh.versions() == []


def test_the_next_edition_replaces_what_it_read_anew_and_carries_the_rest_over(refresh):
    directory = hunt(refresh)
    refresh.run("--gpuhunt", GPUHUNT_CATALOG_DIR=str(directory))
    refresh.run("--csv", refresh.write("a.csv", own("lambda,B200,6.99,8", "lambda,H200,4.4,8")))
    assert refresh.versions() == [DAY, f"{DAY}.2"]
    later = day_after(8)
    (directory / "verda.csv").write_text(
        HUNT_COLUMNS + "8H200.141S.176V,FIN-02,40.0,176,1480,8,H200,141,False,,nvidia,,x86,{}\n"
    )
    for name in ("lambdalabs", "runpod", "gcp"):
        (directory / f"{name}.csv").unlink()
    mine = refresh.write("b.csv", own("lambda,B200,7.49,8"))
    ran = refresh.run("--gpuhunt", "--csv", mine, day=later, GPUHUNT_CATALOG_DIR=str(directory))
    assert ran.status == 0, ran.told
    new = facts(refresh.new(later))
    assert {row for row in new if row[0] == "verda"} == {
        ("verda", "nvidia-h200-sxm-141gb", "on_demand", "FIN-02", 5.0)
    }
    assert {row[1:3] + row[4:] for row in new if row[0] == "lambda"} == {
        (H100, "on_demand", 4.29),
        ("nvidia-h100-pcie-80gb", "on_demand", 3.29),
        ("nvidia-b200-sxm", "on_demand", 7.49),
        ("nvidia-h200-sxm-141gb", "on_demand", 4.4),
    }
    assert "0.926" in ran.one_line(), "5.0 after 5.4"
    assert refresh.run("--csv", mine, day=DAY).status == 1, "it would not be the newest"


def test_files_that_were_written_by_hand_are_carried_over(refresh):
    refresh.run("--csv", refresh.write("a.csv", own("lambda,B200,6.99,8")))
    by_hand = "provider,price_kind,increment_seconds,minimum_seconds,source\n"
    row = f"crusoe,,60,60,own-price-list-a-csv-{DAY}\n"
    (refresh.folder / DAY / "billing.csv").write_text(by_hand + row, encoding="utf-8")
    assert refresh.run("--csv", refresh.write("b.csv", own("lambda,H200,4.4,8"))).status == 0
    again = refresh.catalog(f"{DAY}.2")
    assert "crusoe/" in again.billing
    assert len(refresh.new(f"{DAY}.2")) == 2


def test_two_sources_of_one_price_have_two_offers(refresh):
    sky(refresh, "lambda", "gpu_8x_h100_sxm5,H100,8,208,1800,34.32,us-east-1,,\n")
    directory = hunt(refresh)
    ran = refresh.run("--gpuhunt", "--skypilot", refresh.directory / "sky",
                      GPUHUNT_CATALOG_DIR=str(directory))  # fmt: skip
    assert ran.status == 0
    ids = [id for id in refresh.new() if id.startswith("lambda-us-east-1-gpu-8x-h100-sxm5")]
    assert ids == [f"lambda-us-east-1-gpu-8x-h100-sxm5-on-demand-{DAY}",
                   f"lambda-us-east-1-gpu-8x-h100-sxm5-on-demand-{DAY}-2"]  # fmt: skip


def test_a_quote_rests_on_the_refreshed_price(refresh):
    refresh.run("--csv", refresh.write("a.csv", own("lambda,H100 SXM,5.55,8")))
    work = {"kind": "metered", "device_hours": 100}
    supply = {"kind": "market", "provider": "lambda"}
    request = msgspec.json.encode({
        "run": {"name": "r", "stages": [{"name": "s", "work": work}]},
        "cluster": {"accelerator": H100, "devices": 8, "supply": supply},
        "accounting": {"billing": "exact"},
        "options": {"bases": ["rental"]},
    })  # fmt: skip
    local_quoting.cache_clear()
    quoted = json.loads(quote_bytes(request, sources=Sources(folder=refresh.folder)))
    assert quoted["catalog"]["version"] == DAY
    assert quoted["bases"][0]["lines"][0]["amount"] == "555.00"
    local_quoting.cache_clear()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    forced = 0

    def full(descriptor: int) -> None:
        nonlocal forced
        forced += 1
        if forced == 2:
            raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_overlay(tmp_path, DAY, {"catalog.toml": "a", "offers/own.csv": "b"})
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert write_overlay(tmp_path, DAY, {"offers/own.csv": "b"}) == tmp_path / DAY
    with pytest.raises(FileExistsError):
        write_overlay(tmp_path, DAY, {"offers/own.csv": "c"})
    assert (tmp_path / DAY / "offers" / "own.csv").read_text() == "b"


# Names, as the sources spell them.

ORIGIN = Origin(name="own", part="p", title="t", locator="l", licence="f")


def device(name: str, memory_gb: float | None = None, *, seller: str = "lambda",
           instance: str = "x", form: str = "") -> tuple[str, bool] | None:  # fmt: skip
    listing = Listing(
        where="", origin=ORIGIN, provider=seller, accelerator=name, devices=1, price_per_hour=1.0,
        price_kind="on_demand", region="r", instance_type=instance, observed_on=DAY,
        date_basis="source", memory_gb=memory_gb, form=form,
    )  # fmt: skip
    return Known(embedded()).device(seller, listing)


@pytest.mark.parametrize(
    ("name", "memory_gb", "id", "stated"),
    [
        ("NVIDIA H100 80GB HBM3", None, H100, False),
        ("H100 SXM", 80, H100, True),
        ("H100 NVL", 94, "nvidia-h100-nvl-94gb", True),
        ("H100NVL", 94, "nvidia-h100-nvl-94gb", True),
        ("NVIDIA A100-SXM4-40GB", None, "nvidia-a100-sxm-40gb", True),
        ("NVIDIA A100 80GB PCIe", None, "nvidia-a100-pcie-80gb", True),
        ("A100-80GB-SXM", None, "nvidia-a100-sxm-80gb", True),
        ("A100", 40, "nvidia-a100-sxm-40gb", False),
        ("A100", None, "nvidia-a100-sxm-80gb", False),
        ("V100-32GB", None, "nvidia-v100-sxm2-32gb", False),
        ("RTXPRO6000-96GB", None, "nvidia-rtx-pro-6000", True),
        ("RTX6000-Ada", None, "nvidia-rtx-6000-ada", True),
        ("MI325X", 288, "amd-mi325x", True),
        ("Gaudi HL-205", None, "intel-gaudi1", True),
        ("GeForce RTX 4090", 24, "nvidia-rtx-4090", True),
        (H100, None, H100, True),
    ],
)
def test_a_device_is_known_by_the_names_that_sources_use(name, memory_gb, id, stated):
    assert device(name, memory_gb) == (id, stated)


@pytest.mark.parametrize("name", ["A100X", "tpu-v5p-8", "T4g", "H1000", "RTX 2080 Ti", ""])
def test_what_is_not_known_is_not_guessed(name):
    assert device(name) is None


def test_an_instance_that_the_catalog_knows_is_the_device_that_it_says():
    found = device("A100", 80, seller="azure", instance="Standard_NC24ads_A100_v4")
    assert found == ("nvidia-a100-pcie-80gb", True)
    assert device("H100", 80, instance="gpu_1x_h100_pcie") == ("nvidia-h100-pcie-80gb", True)


def test_a_seller_is_known_by_the_names_that_sources_use():
    known = Known(embedded())
    assert known.seller("DataCrunch") == "verda"
    assert known.seller("Lambda Labs") == known.seller("lambdalabs") == "lambda"
    assert known.seller("nobody") is None


def test_every_line_of_the_table_of_devices_leads_to_its_device():
    for row in device_rows():
        found = device(row.name, row.memory_gb, form=row.form)
        known = row.accelerator in embedded().accelerators
        assert found == ((row.accelerator, row.form_stated) if known else None), row


def test_prices_are_compared_in_dollars():
    prices = Prices(embedded())
    euros = next(
        one for one in embedded().offers.values()
        if one.price_per_device_hour.unit == "eur/device_hour"
    )  # fmt: skip
    assert prices.usd(euros) == pytest.approx(price(euros) * prices.usd_per_eur)
    assert 0.9 < prices.usd_per_eur < 1.5
