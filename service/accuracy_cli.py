"""`runquote accuracy`: how close this engine comes to what was published or measured."""

import sys
from pathlib import Path
from typing import Annotated, Any

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
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON.")] = False,
) -> None:
    """Score this engine against published or measured figures in FILE."""
    from service.accuracy.epoch import score_epoch  # noqa: PLC0415 - loads tables

    if epoch is None:
        err.print("name a file to score: --epoch FILE", style="red", markup=False)
        raise typer.Exit(2)
    score = score_epoch(epoch)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(score)) + b"\n")
        return
    print_epoch(score)


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
