"""`runquote measure`: time a step on the device at hand, and print the anchor that it makes."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from service.api.refusing.problems import explain
from service.catalog_files import load_catalog
from service.core.catalog.catalog import Catalog
from service.core.model.parameters import params_total
from service.core.model.shape import architecture_of
from service.measuring.anchoring import (
    Speed,
    Whole,
    anchor_of,
    counted_apart,
    notes_of,
    request_with,
    speed_of,
    whole_of,
)
from service.measuring.arithmetic import Unsteady
from service.measuring.asking import Asked, Parts, Wanted, asked_of_request, asked_of_work
from service.measuring.building import NotMeasured
from service.measuring.case import DeviceName, TimedPrecision, TimedRecompute
from service.measuring.depths import Measured, NotTimed, measured
from service.measuring.rows import rows_of
from service.measuring.running import check_installed, in_a_process
from service.tables.fitting import print_whole

out = Console(markup=False)
err = Console(stderr=True, markup=False)

MODEL = "The model, where no request describes it"
HOW = "How it is timed"


def _fail(message: str, *, status: int) -> NoReturn:
    err.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def measure(
    request: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(help="A request whose stage is timed; - reads standard input."),
    ] = None,
    *,
    stage: Annotated[
        str | None, typer.Option(help="The stage that is timed, if the request has several.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A preset's id, or a model as JSON.", rich_help_panel=MODEL)
    ] = None,
    precision: Annotated[
        TimedPrecision, typer.Option(help="Format of the products.", rich_help_panel=MODEL)
    ] = "bf16",
    optimizer: Annotated[
        str,
        typer.Option(
            help="adamw, adamw_pure_bf16, adafactor or sgd_momentum.", rich_help_panel=MODEL
        ),
    ] = "adamw",
    lora_rank: Annotated[
        int | None,
        typer.Option(help="Train adapters of this rank, not the model.", rich_help_panel=MODEL),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option("--compile/--eager", help="Compile the model.", rich_help_panel=MODEL),
    ] = False,
    sequence_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a sequence.", rich_help_panel=HOW)
    ] = None,
    micro_batch: Annotated[
        int | None, typer.Option(min=1, help="Sequences at once.", rich_help_panel=HOW)
    ] = None,
    accumulation: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Micro-batches of a step; by default the request's, at most 8.",
            rich_help_panel=HOW,
        ),
    ] = None,
    recompute: Annotated[
        TimedRecompute | None,
        typer.Option(
            help="What is computed again; by default the least that fits.", rich_help_panel=HOW
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Time two depths of the model and extrapolate, though the whole may fit.",
            rich_help_panel=HOW,
        ),
    ] = None,
    warmup: Annotated[
        int, typer.Option(min=0, help="Steps before those that count.", rich_help_panel=HOW)
    ] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Steps that count.", rich_help_panel=HOW)] = 10,
    device: Annotated[
        DeviceName | None,
        typer.Option(help="By default cuda where there is one, else cpu.", rich_help_panel=HOW),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Append rows to step_measurements.jsonl and memory_facts.jsonl there.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that was found.")] = False,
) -> None:
    """Time a few steps of a described model here, and print them as an anchor for a request.

    Needs the extra: pip install 'runquote[measure]'. Exit status 1: it could not be timed here
    (extra, device, compiler or memory are missing). 2: what was asked is wrong or is not timed.
    """
    catalog = load_catalog()
    wanted = Wanted(micro_batch, accumulation, recompute, sequence_length)
    said = {"optimizer": optimizer, "precision": precision, "compile": compiled}
    try:
        asked = _asked(request, model, said, lora_rank, catalog, stage=stage, wanted=wanted)
        case = replace(asked.case, device=device, warmup=warmup, steps=steps)
        check_installed(case)
        found = measured(case, in_a_process, recomputes=asked.recomputes, depths=_depths(depths))
        report = _report(asked, found, catalog)
    except NotMeasured as error:
        _fail(str(error), status=2)
    except (NotTimed, Unsteady) as error:
        _fail(str(error), status=1)
    except Exception as error:  # noqa: BLE001 - what is wrong with a request
        _fail(explain(error), status=2)
    if rows is not None:
        _append(report["rows"], rows)
    _show(report, found, as_json=as_json)


def _asked(
    request: Any,
    model: str | None,
    said: Parts,
    lora_rank: int | None,
    catalog: Catalog,
    *,
    stage: str | None,
    wanted: Wanted,
) -> Asked:
    """What is asked for, in a request or by options. Raises `NotMeasured`."""
    if (request is None) == (model is None):
        raise NotMeasured("say what is timed: either --request FILE or --model ID")
    if request is not None:
        defaults = {"optimizer": "adamw", "precision": "bf16", "compile": False}
        beside = [name for name, value in said.items() if value != defaults[name]]
        if beside or lora_rank is not None:
            names = ", ".join(
                f"--{name}" for name in (*beside, *(["lora-rank"] if lora_rank else []))
            )
            raise NotMeasured(f"the request says what {names} would: change it there")
        return asked_of_request(request.read(), catalog, stage=stage, wanted=wanted)
    assert model is not None
    return asked_of_work(work_said(model, said, lora_rank), catalog, wanted=wanted)


def work_said(model: str, said: Parts, lora_rank: int | None) -> Parts:
    """The work that the options describe. Raises `NotMeasured` if the model is no JSON object."""
    described: Parts = {"kind": "preset", "id": model}
    if model.lstrip().startswith("{"):
        try:
            described = {"kind": "transformer"} | msgspec.json.decode(model, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise NotMeasured(f"--model is no JSON object: {error}") from None
    work = said | {"model": described, "framework": "hf_eager"}
    if lora_rank is None:
        return work | {"kind": "pretraining", "tokens": 1.0}
    tokens = {"kind": "tokens", "tokens": 1.0}
    return work | {
        "kind": "finetuning",
        "data": tokens,
        "method": {"kind": "lora", "rank": lora_rank},
    }


def _depths(said: str | None) -> tuple[int, int] | None:
    """Two depths as people write them. Raises `NotMeasured`."""
    if said is None:
        return None
    numbers = [text.strip() for text in said.split(",")]
    if len(numbers) != 2 or not all(text.isdigit() for text in numbers):
        raise NotMeasured(f"--depths takes two numbers of layers, such as 2,4, not {said!r}")
    shallow, deep = sorted(map(int, numbers))
    if shallow == deep:
        raise NotMeasured("--depths takes two different numbers of layers")
    return shallow, deep


def _report(asked: Asked, found: Measured, catalog: Catalog) -> Parts:
    """All that was found, as `--json` prints it."""
    anchor = anchor_of(asked, found)
    document = request_with(asked, anchor)
    case, result = found.deepest
    described = float(params_total(architecture=architecture_of(case.transformer)))
    differs = counted_apart(result.parameters, described)
    shallow = found.shallow
    whole = whole_of(found)
    return {
        "anchor": anchor,
        "work": asked.software,
        "device": result.device_name,
        "versions": result.versions,
        "timed": [speed_of(one) for one in (shallow, found.deepest) if one is not None],
        **({} if whole is None else {"whole": whole}),
        "notes": [*notes_of(asked, found, catalog), *([differs] if differs else [])],
        "rows": rows_of(found, catalog, day=datetime.now(UTC).date().isoformat()),
        **({} if document is None else {"request": document}),
    }


def _append(rows: dict[str, list[Parts]], folder: Path) -> None:
    """Add rows to the files of their formats. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in rows.items():
        with (folder / name).open("ab") as file:
            file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)


def _show(report: Parts, found: Measured, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
        return
    table = Table(title=_title(found), title_justify="left")
    for column in (
        "layers",
        "recompute",
        "step s",
        "p10",
        "p90",
        "token/s",
        "peak GiB",
        "reserved",
    ):
        table.add_column(column, justify="right")
    for speed in report["timed"]:
        table.add_row(*_cells(speed))
    print_whole(out, table)
    if "whole" in report:
        out.print(_words(report["whole"]), highlight=False, soft_wrap=True)
    for note in report["notes"]:
        out.print(f"note: {note}", highlight=False, soft_wrap=True)
    out.print('Put this into the work of the stage, with "work" of --json beside it:')
    out.print(
        f'"anchor": {msgspec.json.encode(report["anchor"]).decode()}',
        highlight=False,
        soft_wrap=True,
    )


def _title(found: Measured) -> str:
    case, result = found.deepest
    how = "compiled" if case.compiled else "eager"
    what = "full" if case.adapters is None else f"LoRA of rank {case.adapters.rank}"
    return (
        f"{case.model}, {what}, {how}, {case.sequences} x {case.sequence_length} tokens, "
        f"{result.device_name}"
    )


def _cells(speed: Speed) -> tuple[str, ...]:
    times = speed.step_seconds
    peaks = (speed.peak_allocated_gib, speed.peak_reserved_gib)
    return (
        str(speed.layers),
        speed.recompute,
        *(f"{value:.4g}" for value in (times.median, times.p10, times.p90)),
        f"{speed.tokens_per_s:,.6g}",
        *("" if peak is None else f"{peak:.2f}" for peak in peaks),
    )


def _words(whole: Whole) -> str:
    shallow, deep = whole.from_layers
    peak = whole.peak_allocated_gib
    memory = "" if peak is None else f", with {peak:.2f} GiB allocated"
    return (
        f"all {whole.layers} layers would take {whole.step_seconds:.4g} s a step, "
        f"{whole.tokens_per_s:,.6g} token/s{memory}: extrapolated linearly from {shallow} and "
        f"{deep} layers"
    )
