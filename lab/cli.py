"""The laboratory's command line: what is fitted, calibrated, predicted and reported."""

import importlib
import sys
from typing import Annotated, Protocol, cast

import typer
from rich.console import Console

from lab.files import ROOT, Texts, write
from service.catalog_files import load_catalog
from service.core.catalog.catalog import Catalog

app = typer.Typer(
    name="lab",
    help="Fit the engine's constants to what was measured and published, and say what it is worth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
steps = typer.Typer(help="Measured training steps: the step-time engine.", no_args_is_help=True)
runs = typer.Typer(help="Published runs: device-hours.", no_args_is_help=True)
post_training = typer.Typer(help="Published reinforcement runs.", no_args_is_help=True)
ranges = typer.Typer(help="Catalog figures without a printed range.", no_args_is_help=True)
app.add_typer(steps, name="steps")
app.add_typer(runs, name="runs")
app.add_typer(post_training, name="post-training")
app.add_typer(ranges, name="ranges")

err = Console(stderr=True)
Dry = Annotated[
    bool,
    typer.Option("--dry", help="Print what would be written and leave the files alone."),
]


class Maker(Protocol):
    """A module that makes the texts of files from the catalog."""

    def made(self, catalog: Catalog) -> Texts:
        """The files and what is to stand in them."""


def make(module: str, *, dry: bool) -> None:
    """Let a module make its files; write them, or print them when `dry`."""
    texts = cast("Maker", importlib.import_module(module)).made(load_catalog())
    if dry:
        sys.stdout.write("\n".join(texts.values()))
        return
    write(texts)
    for path in texts:
        err.print(f"written: {path.relative_to(ROOT)}", highlight=False)


@steps.command("fit")
def fit_steps(*, dry: Dry = False) -> None:
    """Fit the engine's constants, in seconds; write them with their errors and covariance."""
    make("lab.steps.refit", dry=dry)


@steps.command("report")
def report_steps(*, dry: Dry = False) -> None:
    """Fit with and without each term, in minutes; write service/data/engine/report.md."""
    make("lab.steps.report", dry=dry)


@runs.command("calibrate")
def calibrate(*, dry: Dry = False) -> None:
    """Read what runs took over their prediction off the published ones; write run_errors.toml."""
    make("lab.runs.calibration", dry=dry)


@runs.command("predict")
def predict(*, dry: Dry = False) -> None:
    """Predict the catalog's runs; write what /catalog/runs shows of it."""
    make("lab.runs.predict_file", dry=dry)


@runs.command("report")
def report_runs(*, dry: Dry = False) -> None:
    """Compare predicted with disclosed device-hours; write docs/accuracy-runs.md."""
    make("lab.runs.report", dry=dry)


@post_training.command("fit")
def fit_post_training(*, dry: Dry = False) -> None:
    """Fit the constants of reinforcement, in minutes; write them, their worth and the report."""
    make("lab.post_training.refit", dry=dry)


@ranges.command("measure")
def measure(*, dry: Dry = False) -> None:
    """Measure how far figures without a printed range are off; write ranges/measured.toml."""
    make("lab.ranges", dry=dry)
