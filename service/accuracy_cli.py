"""`runquote accuracy`: how close this engine comes to what was published or measured."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

out = Console()
err = Console(stderr=True)


def accuracy(
    epoch: Annotated[
        Path | None,
        typer.Option(
            help="Score a table in the format of epoch_costs.csv: epoch-2024, row by row.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    steps: Annotated[
        Path | None,
        typer.Option(
            help="Score measured steps in the format of step_measurements.jsonl, without fitting.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            help="Score published runs in the format of reference_runs.jsonl: device-hours.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="With --runs: write the report into this file too.")
    ] = None,
    *,
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit the engine's constants anew and print the report.")
    ] = False,
    fit_post_training: Annotated[
        bool,
        typer.Option(
            "--fit-post-training",
            help="With --runs: fit the constants of reinforcement to these runs, in minutes; "
            "write them.",
        ),
    ] = False,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="With --fit: also without each term, in minutes.")
    ] = False,
    dry: Annotated[
        bool,
        typer.Option(
            "--dry", help="With --fit, --fit-post-training: leave the data files as they are."
        ),
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Read what runs took over their prediction off --runs; write it."
        ),
    ] = False,
    predict: Annotated[
        bool,
        typer.Option(
            "--predict", help="Predict the catalog's runs; write what /catalog/runs shows of it."
        ),
    ] = False,
    ranges: Annotated[
        bool,
        typer.Option(
            "--ranges", help="Measure how far figures without a printed range are off; write it."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON.")] = False,
) -> None:
    """Score this engine against published or measured figures in FILE."""
    from service.accuracy.lines import UnreadableRow  # noqa: PLC0415

    try:
        if fit:
            fit_anew(ablate=ablate, dry=dry)
        elif predict:
            _predict()
        elif ranges:
            _ranges()
        elif runs is not None and fit_post_training:
            _fit_post_training(runs, dry=dry)
        elif runs is not None:
            _runs(runs, report, calibrate=calibrate, as_json=as_json)
        elif steps is not None:
            _steps(steps, as_json=as_json)
        elif epoch is not None:
            _epoch(epoch, as_json=as_json)
        else:
            _refuse("name a file to score: --epoch FILE, --runs FILE or --steps FILE")
    except (UnreadableRow, UnicodeDecodeError) as error:
        _refuse(str(error))


def _refuse(why: str) -> NoReturn:
    err.print(why, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def _steps(steps: Path, *, as_json: bool) -> None:
    from service.accuracy.score import score_steps  # noqa: PLC0415 - loads tables
    from service.catalog_files import load_catalog  # noqa: PLC0415

    _show(score_steps(steps, load_catalog()), print_steps, as_json=as_json)


def _epoch(epoch: Path, *, as_json: bool) -> None:
    from service.accuracy.epoch import score_epoch  # noqa: PLC0415 - loads tables

    _show(score_epoch(epoch), print_epoch, as_json=as_json)


def _show(
    score: dict[str, Any], as_table: Callable[[dict[str, Any]], None], *, as_json: bool
) -> None:
    """A score as JSON or as tables."""
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(score)) + b"\n")
    else:
        as_table(score)


def fit_anew(*, ablate: bool, dry: bool) -> None:
    """Fit the constants, print the report and, unless `dry`, write both into the data files."""
    from service.accuracy.refit import ENGINE, refit, write_engine  # noqa: PLC0415 - loads scipy
    from service.accuracy.report import ablations, report_of  # noqa: PLC0415
    from service.catalog_files import load_catalog  # noqa: PLC0415

    done = refit(load_catalog())
    report = report_of(done, ablations(done) if ablate else None)
    if not dry:
        write_engine(done)
        if ablate:
            (ENGINE / "report.md").write_text(report, encoding="utf-8")
    sys.stdout.write(report)


def _fit_post_training(runs: Path, *, dry: bool) -> None:
    """Fit the constants of reinforcement, print their worth and, unless `dry`, write all."""
    from service.accuracy import post_training_fit as fitting  # noqa: PLC0415 - loads scipy
    from service.accuracy.post_training_report import report_of  # noqa: PLC0415
    from service.catalog_files import load_catalog  # noqa: PLC0415

    catalog = load_catalog()
    done = fitting.fit_post_training(
        fitting.load_rows(catalog, runs), catalog, fitting.load_priors()
    )
    unseen = fitting.left_out(done, catalog)
    report = report_of(done, unseen, catalog)
    if not dry:
        fitting.FITTED.write_text(fitting.table_of(done, as_of=catalog.version), encoding="utf-8")
        fitting.COVARIANCE.write_text(fitting.covariance_of(done), encoding="utf-8")
        fitting.LEFT_OUT.write_text(fitting.left_out_table(done, unseen), encoding="utf-8")
        fitting.REPORT.write_text(report, encoding="utf-8")
    sys.stdout.write(report)


def print_steps(score: dict[str, Any]) -> None:
    """The score of measured steps as tables: by what rows have in common, and the worst."""
    table = Table(
        title=f"steps: {score['expressed']} of {score['rows']} rows expressed",
        title_justify="left",
    )
    for column in ("by", "name"):
        table.add_column(column)
    for column in ("rows", "median error", "90th percentile", "bias"):
        table.add_column(column, justify="right")
    everything = {"": {"all": {**score, "rows": score["expressed"]}}, **score["by"]}
    for label, parts in everything.items():
        for name, part in parts.items():
            if part["median_abs_error"] is not None:
                table.add_row(
                    label,
                    name,
                    str(part["rows"]),
                    f"{part['median_abs_error']:.1%}",
                    f"{part['p90_abs_error']:.1%}",
                    f"{part['median_bias']:+.1%}",
                )
    out.print(table)
    for row in score["worst"]:
        out.print(f"{row['error']:+.0%} {row['id']}", highlight=False)


def _predict() -> None:
    """Write the predictions that the catalog shows beside what was disclosed."""
    from service.accuracy import predictions  # noqa: PLC0415 - loads the catalog
    from service.catalog_files import load_catalog  # noqa: PLC0415

    found = predictions.predictions(load_catalog())
    predictions.FILE.write_text(predictions.table_of(found), encoding="utf-8")
    out.print(f"{len(found)} runs predicted", markup=False)


def _ranges() -> None:
    """Write the rules by which figures without a printed range have one."""
    from service.accuracy import ranges  # noqa: PLC0415 - loads the catalog
    from service.catalog_files import load_catalog  # noqa: PLC0415

    text = ranges.text_of(ranges.measured(load_catalog()))
    ranges.FILE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _runs(runs: Path, report: Path | None, *, calibrate: bool, as_json: bool) -> None:
    """Calibrate on published runs, score them, and write and print what came of it."""
    from service.accuracy import calibration  # noqa: PLC0415 - loads the catalog
    from service.accuracy.runs import compare, score_of  # noqa: PLC0415
    from service.accuracy.runs_report import report_of  # noqa: PLC0415
    from service.accuracy.unseen import unseen  # noqa: PLC0415
    from service.catalog_files import load_catalog  # noqa: PLC0415

    if calibrate:
        calibration.FILE.write_text(calibration.calibrated(load_catalog(), runs))
    rows = compare(runs, load_catalog())
    score = score_of(rows)
    if report is not None:
        report.write_text(report_of(rows, unseen(load_catalog(), runs)))
    _show(score, print_runs, as_json=as_json)


def print_runs(score: dict[str, Any]) -> None:
    """The score of published runs as a table: all, by kind and by grade."""
    table = Table(title="device-hours, predicted against disclosed", title_justify="left")
    table.add_column("rows of")
    for column in ("rows", "expressed", "median |ln|", "median ln", "in p10-p90"):
        table.add_column(column, justify="right")
    groups = {"all": score} | score["by"]["kind"] | score["by"]["grade"]
    for name, group in groups.items():
        shown = (group["median_abs_log_ratio"], group["median_log_ratio"], group["coverage"])
        numbers = ("" if number is None else f"{number:.3f}" for number in shown)
        table.add_row(name, str(group["rows"]), str(group["expressed"]), *numbers)
    out.print(table)
    for gap in score["not_expressed"]:
        out.print(f"not expressed: {gap['id']}: {gap['why']}", highlight=False)


def print_epoch(score: dict[str, Any]) -> None:
    """The score of `epoch-2024` as tables: by column, and what cannot be expressed."""
    table = Table(
        title=f"epoch-2024: {score['rows_within_half_percent']} of {score['rows']} rows "
        "within 0.5% in every amount",
        title_justify="left",
    )
    table.add_column("column")
    for column in ("amounts", "median error", "largest error", "within 0.5%"):
        table.add_column(column, justify="right")
    for name, spread in score["by"]["column"].items():
        if spread["amounts"]:
            table.add_row(
                name,
                str(spread["amounts"]),
                f"{spread['median_abs_error']:.4%}",
                f"{spread['max_abs_error']:.4%}",
                f"{spread['within_half_percent']:.0%}",
            )
    out.print(table)
    for gap in score["not_expressed"]:
        out.print(f"not expressed: {gap['model']}, {gap['column']}: {gap['why']}", highlight=False)
