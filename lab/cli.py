"""The laboratory's command line: what is fitted, calibrated, predicted and reported."""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console

from lab.contract import release
from lab.upkeep import upkeep
from lab.upkeep.products import PRODUCTS, Product
from lab.upkeep.upkeep import Verdict

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
prices = typer.Typer(help="Dated prices: how far they move by their age.", no_args_is_help=True)
app.add_typer(steps, name="steps")
app.add_typer(runs, name="runs")
app.add_typer(post_training, name="post-training")
app.add_typer(ranges, name="ranges")
app.add_typer(prices, name="prices")
facts = typer.Typer(help="Measured memory and generation.", no_args_is_help=True)
app.add_typer(facts, name="facts")

out = Console()


@app.command("registry")
def registry() -> None:
    """Write docs/registry.md."""
    from lab.registry import PAGE, registry_page  # noqa: PLC0415 - as the dashboard

    PAGE.write_text(registry_page(), encoding="utf-8")


@app.command("dashboard")
def dashboard() -> None:
    """Write deploy/grafana/runquote.json."""
    from lab.dashboard import PATH, dashboard_json  # noqa: PLC0415 - 30 MB of Grafana's types

    PATH.write_text(dashboard_json(), encoding="utf-8")


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Products, as `list` names them; all of them where none is named."),
]
Dry = Annotated[
    bool, typer.Option("--dry", help="Print what would be written and leave the files alone.")
]


def make(name: str, *, dry: bool) -> None:
    """Make a product and record it, or print it when `dry`."""
    (product,) = named([name])
    if dry:
        sys.stdout.write("\n".join(product.made().values()))
    else:
        say([upkeep.produce(product)])


def named(names: list[str] | None) -> tuple[Product, ...]:
    """The products of these names in their order; leaves where there is none of a name."""
    known = {product.name: product for product in PRODUCTS}
    if unknown := [name for name in names or () if name not in known]:
        out.print(f"no product {', '.join(unknown)}; known are {', '.join(known)}", style="red")
        raise typer.Exit(2)
    return tuple(product for name, product in known.items() if not names or name in names)


def say(verdicts: Iterable[Verdict]) -> bool:
    """Print each verdict as it comes; whether all are current."""
    are_current = True
    for product, is_current, why in verdicts:
        are_current &= is_current
        style = None if is_current else "red"
        out.print(
            f"{product.name}: {why}", style=style, markup=False, highlight=False, soft_wrap=True
        )
    return are_current


@app.command("list")
def list_products() -> None:
    """List what is generated, in the order in which one follows from another."""
    for product in PRODUCTS:
        for file in product.writes:
            out.print(f"{product.name:<20}{file}", markup=False, highlight=False)


@app.command("check")
def check(names: Names = None) -> None:
    """Say which generated files are not what their inputs make, in seconds and without a fit."""
    if not say(upkeep.check(named(names))):
        out.print("make them anew: make regenerate", style="red")
        raise typer.Exit(1)


@app.command("regenerate")
def regenerate(names: Names = None) -> None:
    """Make what its inputs no longer make, in order: seconds, or minutes where a fit is needed."""
    say(upkeep.regenerate(named(names)))


@app.command("check-fits")
def check_fits(names: Names = None) -> None:
    """Fit again what has changed since it was fitted, and compare: minutes."""
    if not say(upkeep.check_fits(named(names))):
        out.print("write what came out: make regenerate", style="red")
        raise typer.Exit(1)


@app.command("contract")
def contract(
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take today's contract as that of a release.")
    ] = False,
) -> None:
    """Compare the contract with that of the last release; fail if it breaks clients."""
    found, may_stand = release.since_release()
    for change in found:
        word = "breaks" if change.breaks else "adds"
        out.print(
            f"{word}: {change.where}: {change.what}", markup=False, highlight=False, soft_wrap=True
        )
    if accept:
        release.accept()
    elif not may_stand:
        out.print("clients break: raise the version, or see docs/compatibility.md", style="red")
        raise typer.Exit(1)


@steps.command("fit")
def fit_steps(*, dry: Dry = False) -> None:
    """Fit the engine's constants, in seconds; write them with their errors and covariance."""
    make("steps fit", dry=dry)


@steps.command("report")
def report_steps(*, dry: Dry = False) -> None:
    """Fit with and without each term, in minutes; write service/data/engine/report.md."""
    make("steps report", dry=dry)


@runs.command("calibrate")
def calibrate(*, dry: Dry = False) -> None:
    """Read what runs took over their prediction off the published ones; write run_errors.toml."""
    make("runs calibrate", dry=dry)


@runs.command("predict")
def predict(*, dry: Dry = False) -> None:
    """Predict the catalog's runs; write what /catalog/runs shows of it."""
    make("runs predict", dry=dry)


@runs.command("report")
def report_runs(*, dry: Dry = False) -> None:
    """Compare predicted with disclosed device-hours; write docs/accuracy-runs.md."""
    make("runs report", dry=dry)


@post_training.command("fit")
def fit_post_training(*, dry: Dry = False) -> None:
    """Fit the constants of reinforcement, in minutes; write them, their worth and the report."""
    make("post-training fit", dry=dry)


@facts.command("report")
def report_facts(*, dry: Dry = False) -> None:
    """Score memory and generation, and refit without each source; write accuracy-memory.md."""
    make("facts report", dry=dry)


@ranges.command("measure")
def measure(*, dry: Dry = False) -> None:
    """Measure how far figures without a printed range are off; write ranges/measured.toml."""
    make("ranges measure", dry=dry)


@prices.command("fit")
def fit_prices(*, dry: Dry = False) -> None:
    """Read off dated prices how far they move by age; write assumptions/price_moves_fitted.toml."""
    make("prices fit", dry=dry)


@prices.command("report")
def report_prices(*, dry: Dry = False) -> None:
    """Predict the prices of the newest quarter from older ones; write it into docs/market.md."""
    make("prices report", dry=dry)
