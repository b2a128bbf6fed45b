"""Overlays and price books for tests: small directories of data files."""

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from service.catalog_files import DATA_DIRECTORY

SOURCES: Final = "id,title,locator,url,as_of,licence,recalled\n"
COLUMNS: Final = (
    "id", "provider", "seller", "region", "country", "instance_type", "accelerator", "devices",
    "form_factor", "vcpus", "ram_gb", "network_gbps", "price_kind", "price_per_hour",
    "price_per_device_hour", "currency", "observed_on", "date_basis", "source", "recalled", "note",
)  # fmt: skip
H100: Final = "nvidia-h100-sxm-80gb"
EMBEDDED_DAY: Final = date.fromisoformat(
    tomllib.loads((DATA_DIRECTORY / "catalog.toml").read_text("utf-8"))["version"][:10]
)


def day_after(days: int = 1) -> str:
    """A day after the embedded edition."""
    return (EMBEDDED_DAY + timedelta(days=days)).isoformat()


NEXT_DAY: Final = day_after()


def offer_row(id: str, usd: float, **facts: Any) -> str:
    """A line of an offers file: a device-hour of one H100 from Lambda, unless told otherwise."""
    cells = {
        "id": id,
        "provider": "lambda",
        "region": "us-east-1",
        "country": "US",
        "instance_type": "one",
        "accelerator": H100,
        "devices": 1,
        "form_factor": "stated",
        "price_kind": "on_demand",
        "price_per_hour": usd,
        "price_per_device_hour": usd,
        "currency": "USD",
        "observed_on": NEXT_DAY,
        "date_basis": "source",
        "source": "a-list",
        "recalled": "false",
    } | facts
    return ",".join(str(cells.get(column, "")) for column in COLUMNS) + "\n"


def write(directory: Path, **files: str) -> Path:
    """A directory with files; in their names `__` stands for a slash, and the rest is as it is."""
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def edition_text(version: str) -> str:
    """The `catalog.toml` of an overlay."""
    day = version.partition(".")[0]
    return f'version = "{version}"\npublished_at = "{day}T12:00:00Z"\n'


def write_overlay(folder: Path, version: str, *rows: str, **files: str) -> Path:
    """An overlay below a folder of editions, with these offers and other files."""
    day = version.partition(".")[0]
    told = {
        "catalog.toml": edition_text(version),
        "sources.csv": f"{SOURCES}a-list,A price list,table,,{day},facts only,false\n",
        "offers__some.csv": ",".join(COLUMNS) + "\n" + "".join(rows),
    }
    return write(folder / version, **(told | files))


def put_edition(folder: Path, version: str, usd: float, *rows: str) -> None:
    """Write an overlay beside the folder and rename it into its place, as a refresh does."""
    row = offer_row(f"lambda-{version}", usd, observed_on=version)
    write_overlay(folder / ".writing", version, row, *rows)
    (folder / ".writing" / version).rename(folder / version)


def write_book(directory: Path, *rows: str) -> Path:
    """A price book with these rates."""
    return write(
        directory,
        **{
            "sources.csv": f"{SOURCES}frame,Frame agreement,annex B,,2026-12,confidential,false\n",
            "offers__rates.csv": "id,provider,accelerator,price_per_device_hour,observed_on,source,"
            "devices,price_kind\n" + "".join(rows),
        },
    )
