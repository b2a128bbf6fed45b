"""`runquote accuracy`: compare this engine with published or measured figures."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

out = Console(markup=False)
err = Console(stderr=True, markup=False)

Score = dict[str, Any]

OPTIONS = ("--epoch", "--runs", "--steps", "--memory", "--generation")


def accuracy(
    epoch: Annotated[
        Path | None,
        typer.Option(
            help="A table in the format of epoch_costs.csv: epoch-2024, row by row.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    steps: Annotated[
        Path | None,
        typer.Option(
            help="Measured steps in the format of step_measurements.jsonl: seconds of a step.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            help="Published runs in the format of reference_runs.jsonl: device-hours.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    memory: Annotated[
        Path | None,
        typer.Option(
            help="Peaks and runs out of memory in the format of memory_facts.jsonl.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    generation: Annotated[
        Path | None,
        typer.Option(
            help="Measured throughput in the format of generation_facts.jsonl: tokens a second.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON.")] = False,
) -> None:
    """Score this engine against the published or measured figures in one FILE."""
    from service.scoring.lines import UnreadableRow  # noqa: PLC0415

    named = [
        (file, score, as_table)
        for file, score, as_table in (
            (epoch, _epoch, print_epoch),
            (steps, _steps, print_steps),
            (runs, _runs, print_runs),
            (memory, _memory, print_memory),
            (generation, _generation, print_generation),
        )
        if file is not None
    ]
    if len(named) != 1:
        _refuse("name one file to score: " + ", ".join(f"{option} FILE" for option in OPTIONS))
    ((file, score, as_table),) = named
    try:
        _show(score(file), as_table, as_json=as_json)
    except (UnreadableRow, UnicodeDecodeError) as error:
        _refuse(str(error))


def _refuse(why: str) -> NoReturn:
    err.print(why, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def _steps(steps: Path) -> Score:
    from service.catalog_files import load_catalog  # noqa: PLC0415 - loads tables
    from service.scoring.steps.score import score_steps  # noqa: PLC0415

    return score_steps(steps, load_catalog())


def _epoch(epoch: Path) -> Score:
    from service.scoring.epoch.score import score_epoch  # noqa: PLC0415 - loads tables

    return score_epoch(epoch)


def _runs(runs: Path) -> Score:
    from service.catalog_files import load_catalog  # noqa: PLC0415 - loads tables
    from service.scoring.runs.score import score_runs  # noqa: PLC0415

    return score_runs(runs, load_catalog())


def _memory(memory: Path) -> Score:
    from service.catalog_files import load_catalog  # noqa: PLC0415 - loads tables
    from service.scoring.memory.score import score_memory  # noqa: PLC0415

    return score_memory(memory, load_catalog())


def _generation(generation: Path) -> Score:
    from service.catalog_files import load_catalog  # noqa: PLC0415 - loads tables
    from service.scoring.generation.score import score_generation  # noqa: PLC0415

    return score_generation(generation, load_catalog())


def _show(score: Score, as_table: Callable[[Score], None], *, as_json: bool) -> None:
    """A score as JSON or as tables."""
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(score)) + b"\n")
    else:
        as_table(score)


def print_steps(score: Score) -> None:
    """The score of measured steps as tables: by groups of rows, and the worst rows."""
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


def print_runs(score: Score) -> None:
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


def print_memory(score: Score) -> None:
    """The score of peaks as tables: by groups of rows, the worst rows, and those left out."""
    table = Table(
        title=f"memory: {score['expressed']} of {score['rows']} rows expressed",
        title_justify="left",
    )
    for column in ("by", "name"):
        table.add_column(column)
    for column in ("ran", "refused", "died", "said to fit", "median error", "bias"):
        table.add_column(column, justify="right")
    for label, parts in ({"": {"all": score}} | score["by"]).items():
        for name, part in parts.items():
            counts = (part[key] for key in ("ran", "ran_refused", "died", "died_fits"))
            errors = (part["median_abs_error"], part["median_bias"])
            shown = ("" if error is None else f"{error:+.1%}" for error in errors)
            table.add_row(label, name, *map(str, counts), *shown)
    out.print(table)
    for row in score["worst"]:
        out.print(f"{row['error']:+.0%} {row['id']}", highlight=False)
    _print_gaps(score)


def print_generation(score: Score) -> None:
    """The score of throughput as tables: by groups of rows, and the rows left out."""
    table = Table(title="tokens a second, predicted against measured", title_justify="left")
    for column in ("by", "name"):
        table.add_column(column)
    for column in ("rows", "expressed", "median |ln|", "median ln", "in p10-p90"):
        table.add_column(column, justify="right")
    for label, parts in ({"": {"all": score}} | score["by"]).items():
        for name, part in parts.items():
            shown = (part["median_abs_log_ratio"], part["median_log_ratio"], part["coverage"])
            numbers = ("" if number is None else f"{number:.3f}" for number in shown)
            table.add_row(label, name, str(part["rows"]), str(part["expressed"]), *numbers)
    out.print(table)
    _print_gaps(score)


def _print_gaps(score: Score) -> None:
    for gap in score["not_expressed"]:
        out.print(f"not expressed: {gap['id']}: {gap['why']}", highlight=False)


def print_epoch(score: Score) -> None:
    """The score of `epoch-2024` as tables: by column, and the rows that cannot be expressed."""
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
